"""What compress reads: batches that fit into memory, and a bad input among good ones by its name."""

import re

import numpy as np
import pytest
import soundfile
import torch
from fake.encoder import FakeEncoder
from packable import DIM

from emoquant.commands import sources as module
from emoquant.commands.compress import compress
from emoquant.commands.sources import find_sources, read_batches, read_features, source_digest


class Watched(FakeEncoder):
    """Notes the samples, padding included, of every call."""

    def __init__(self):
        super().__init__(DIM)
        self.samples = []

    def forward(self, waveforms, lengths):
        self.samples.append(waveforms.numel())
        return super().forward(waveforms, lengths)


def test_audio_goes_through_the_encoder_in_batches_of_bounded_length(tmp_path, monkeypatch):
    seconds = [1, 4, 1, 2, 1, 1, 9, 1]
    for number, each in enumerate(seconds):
        noise = np.random.default_rng(number).normal(size=16_000 * each) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", noise, 16_000)
    sources = find_sources(tmp_path)
    whole = read_features(sources, Watched())
    monkeypatch.setattr(module, "SECONDS", 4.0)
    monkeypatch.setattr(module, "FRAMES", 300)
    encoder = Watched()
    batches = list(read_batches(sources, encoder, most=4))
    assert [[source.name.name for source, _ in batch] for batch in batches] == [
        ["0", "1", "2"],
        ["3", "4", "5"],
        ["6"],
        ["7"],
    ]
    assert max(encoder.samples) == 9 * 16_000  # the one that is longer than a batch goes alone
    assert sorted(encoder.samples)[-2] == 4 * 16_000
    for one, (_, other) in zip(whole, [each for batch in batches for each in batch], strict=True):
        torch.testing.assert_close(one, other)


def test_features_come_in_batches_of_bounded_length(features, monkeypatch):
    sources = find_sources(features)  # of 41, 48, 34, 20 and 27 frames
    assert [len(batch) for batch in read_batches(sources, None, most=2)] == [2, 2, 1]
    monkeypatch.setattr(module, "FRAMES", 89)
    assert [len(batch) for batch in read_batches(sources, None, most=9)] == [2, 3]
    monkeypatch.setattr(module, "FRAMES", 1)
    assert [len(batch) for batch in read_batches(sources, None, most=9)] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("aim", [{"lmbda": 1.0}, {"bits_per_frame": 9.0}, {"similarity": 0.5, "scope": "corpus"}])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((0, DIM)), "T >= 1"),
        (np.zeros((5, DIM + 1)), rf"must be \(T, {DIM}\)"),
        (np.zeros(5), "expected frame features"),
        (np.full((5, DIM), np.nan), "NaN or infinity"),
    ],
)
def test_a_bad_input_among_good_ones_is_named(features, checkpoint, tmp_path, aim, bad, message):
    np.save(features / "bad one.npy", bad.astype(np.float32))
    with pytest.raises(ValueError, match=re.escape(str(features / "bad one.npy")) + ".*" + message):
        compress(features, tmp_path / "emq", checkpoint, progress=False, **aim)


def test_a_recording_longer_than_allowed_is_named(features, checkpoint, tmp_path, monkeypatch):
    from emoquant.codecs import ECVQ

    monkeypatch.setattr(ECVQ, "most_frames", 45)
    with pytest.raises(ValueError, match=r"shard\.safetensors\[utt 4\]: 48 frames are more than 45"):
        compress(features, tmp_path / "emq", checkpoint, progress=False)


def test_digests_tell_inputs_apart(features):
    found = [source_digest(source) for source in find_sources(features)]
    assert len(set(found)) == 5
    assert found == [source_digest(source) for source in find_sources(features)]


def test_audio_without_an_encoder_leaves_no_mark(checkpoint, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(1000), 16_000)
    with pytest.raises(ValueError, match="name an encoder"):
        compress(tmp_path / "a.wav", tmp_path / "emq", checkpoint, progress=False)
    assert not (tmp_path / "emq").exists()
