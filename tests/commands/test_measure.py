"""Recordings without labels, measured over time and over rate: Python, table and page agree."""

import csv

import numpy as np
import pytest
import soundfile
import torch

import emoquant
from emoquant.__main__ import main
from emoquant.audio.loading import read_audio
from emoquant.audio_codecs import MP3
from emoquant.encoders import Emotion2Vec
from emoquant.encoders.heads import LinearHead
from emoquant.metrics.timeline import moments
from emoquant.types import Coded

CLASSES = ["angry", "disgust", "fear", "happy", "neutral", "other", "sad", "surprise", "unknown"]


#: A head for features of any encoder.
ANYTHING = LinearHead(torch.zeros(9, 160), torch.zeros(9), CLASSES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of two recordings, of 2.2 and 0.7 s."""
    root = tmp_path_factory.mktemp("recordings")
    (root / "deep").mkdir()
    random = np.random.default_rng(0)
    for name, seconds in (("one.wav", 2.2), ("deep/two.flac", 0.7)):
        time = np.arange(int(16_000 * seconds)) / 16_000
        sound = 0.2 * np.sin(2 * np.pi * 150 * time) * np.sin(9 * time) + 0.01 * random.standard_normal(len(time))
        soundfile.write(root / name, sound, 16_000)
    return root


def test_table_and_page_hold_what_python_returns(folder, tmp_path, capsys):
    main(["measure", str(folder), "--output", str(tmp_path / "out"), "--lambdas", "[5, 100]"])
    frame = emoquant.measure(folder, lambdas=[5, 100])
    with (tmp_path / "out" / "emotions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(frame) == 3 * (1 + 2) + 3 * (1 + 1)  # operating points x (whole and stretches) of each file
    assert list(frame.columns) == list(rows[0])
    assert sorted(frame.columns[7:]) == CLASSES
    assert [row["file"] for row in rows[:9]] == ["deep/two.flac"] * 6 + ["one.wav"] * 3
    assert [row["emotion"] for row in rows] == list(frame.emotion)
    assert [row["whole"] for row in rows[6:9]] == ["1", "0", "0"]
    assert [float(row["end"]) for row in rows[7:9]] == pytest.approx([1.0, float(frame.end.max())])
    assert np.allclose(frame[CLASSES].sum(axis=1), 1)
    before, after = frame[frame.lmbda.isna()], frame[frame.lmbda == 100]
    assert before.bits_per_second.isna().all()
    assert (after.bits_per_second.to_numpy() < frame[frame.lmbda == 5].bits_per_second.to_numpy()).all()
    page = (tmp_path / "out" / "emotions.html").read_text(encoding="utf-8")
    assert page.count("<section>") == 2
    assert page.count("<td ") == len(rows)
    assert str(tmp_path / "out" / "emotions.html") in capsys.readouterr().out


def test_the_whole_is_what_encoder_and_head_say(folder):
    encoder = Emotion2Vec()
    waveform = read_audio(folder / "one.wav")
    with torch.no_grad():
        features, _ = encoder(waveform[None], torch.tensor([len(waveform)]))
        expected = encoder.head()(features.mean(1)).softmax(-1)[0]
    frame = emoquant.measure(folder / "one.wav", encoder=encoder)
    assert set(frame.lmbda.isna()) == {True}  # an encoder of one's own has no codec by default
    assert sorted(frame[frame.whole][CLASSES].to_numpy()[0]) == pytest.approx(sorted(expected.tolist()), abs=1e-5)


def test_codecs_of_audio_are_measured_alike(folder):
    frame = emoquant.measure([folder / "one.wav"], codec=MP3([32_000]))
    coded = frame[frame.lmbda == 32_000]
    assert len(coded) == 3
    assert coded.bits_per_second.to_numpy() == pytest.approx(32_000, rel=0.1)


def test_stretches_are_classified_by_their_own_frames():
    class Head:
        labels, dim = ["angry", "sad"], 1

        def __call__(self, vectors):
            return torch.cat([vectors, -vectors], -1)

    features = torch.cat([torch.ones(50, 1), -torch.ones(50, 1)])
    coded = Coded(torch.zeros(1, 1, 100, 0), -features[None, None], torch.full((1, 1, 100), 2.0))
    found = [(m.point, m.whole, m.begin, m.emotion) for m in moments(features, coded, (7.0,), Head(), 50.0)]
    assert found[1:3] == [(found[0][0], False, 0.0, "angry"), (found[0][0], False, 1.0, "sad")]
    assert [each[-1] for each in found[4:]] == ["sad", "angry"]
    rates = [m.bits_per_second for m in moments(features, coded, (7.0,), Head(), 50.0)][3:]
    assert rates == [100.0, 100.0, 100.0]
    with pytest.raises(ValueError, match="a stretch holds no frame"):
        list(moments(features, None, (), Head(), 50.0, seconds=0.001))


def test_bad_input_gives_one_error_each(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        emoquant.measure(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="nothing to read in this folder"):
        emoquant.measure(tmp_path)
    with pytest.raises(ValueError, match="was trained on features of the encoder"):
        emoquant.measure(folder, "checkpoints/codec", encoder="log_mel", classifier=ANYTHING)
    with pytest.raises(ValueError, match="names no encoder"):
        emoquant.measure(folder, encoder="emoquant.encoders.Nothing")
