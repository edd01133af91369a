import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fake.corpora import fake_manifest, write_tone
from fake.encoder import FakeEncoder

from emoquant.audio.loading import AudioError, read_audio
from emoquant.data.base import Utterance
from emoquant.data.extraction import ExtractionSettings, extract, extract_corpora, find_entries, open_store
from emoquant.data.manifest import ManifestCorpus
from emoquant.devices.sharding import by_length
from emoquant.encoders import Emotion2Vec

QUIET = ExtractionSettings(progress=False, seconds_per_batch=2.0)
SMALL = QUIET._replace(shard_bytes=2000)


@pytest.fixture
def corpus(tmp_path):
    return ManifestCorpus(str(fake_manifest(tmp_path / "corpus", speakers=3, texts=2)))


@pytest.fixture
def encoder():
    return FakeEncoder()


def contents(store, utterances):
    rows = find_entries(store, utterances)
    assert (rows >= 0).all()
    return [store.read(row) for row in rows]


def run(utterances, encoder, cache, **settings):
    store = open_store(encoder, cache)
    count = extract(utterances, encoder, store, settings=SMALL._replace(**settings))
    store.merge()
    store.refresh()
    return store, count


def test_features_are_those_of_the_encoder_one_by_one(corpus, encoder, tmp_path):
    utterances = corpus.utterances()
    store, count = run(utterances, encoder, tmp_path)
    assert count == len(utterances) == 30
    for utterance, features in zip(utterances, contents(store, utterances), strict=True):
        waveform = read_audio(utterance.path)
        expected, frames = encoder(waveform[None], torch.tensor([len(waveform)]))
        assert torch.allclose(features, expected[0, : frames[0]], atol=1e-6)


def test_a_second_run_encodes_nothing(corpus, encoder, tmp_path):
    run(corpus.utterances(), encoder, tmp_path)
    calls = encoder.calls
    store, count = run(corpus.utterances(), encoder, tmp_path)
    assert (count, encoder.calls) == (0, calls)
    assert len(store.index) == 30


def test_batches_hold_many_utterances_but_on_a_cpu_one(corpus, encoder, tmp_path):
    assert [len(group) for group in by_length([0.3] * 30, 60.0)] == [30]
    run(corpus.utterances(), encoder, tmp_path, seconds_per_batch=60.0)
    assert encoder.calls == 30


def test_no_bit_of_real_features_depends_on_what_else_is_encoded(tmp_path):
    """Half and then the rest, two ranks, other batches: all are those of one unbroken run."""
    utterances = []
    for number in range(8):
        write_tone(tmp_path / f"{number}.wav", seconds=0.4 + 0.3 * number, number=number)
        utterances.append(Utterance(str(number), tmp_path / f"{number}.wav", "sad", "x", "train"))
    encoder = Emotion2Vec("checkpoints/emotion2vec-tiny")

    def features(name, *parts, **settings):
        store = open_store(encoder, tmp_path / name)
        for part, rank, world in parts:
            extract(part, encoder, store, rank, world, QUIET._replace(**settings))
            store.merge()
            store.refresh()
        return contents(store, utterances)

    whole = features("whole", (utterances, 0, 1))
    for name, parts, settings in [
        ("halves", [(utterances[::2], 0, 1), (utterances, 0, 1)], {}),
        ("ranks", [(utterances, 0, 2), (utterances, 1, 2)], {}),
        ("batches", [(utterances, 0, 1)], {"seconds_per_batch": 60.0}),
    ]:
        assert all(map(torch.equal, features(name, *parts, **settings), whole)), name


def test_another_encoder_has_another_store(corpus, encoder, tmp_path):
    run(corpus.utterances(), encoder, tmp_path)
    other = FakeEncoder(seed=1)
    _, count = run(corpus.utterances(), other, tmp_path)
    assert count == 30


def test_a_changed_file_is_encoded_again_and_a_moved_one_is_not(corpus, encoder, tmp_path):
    utterances = list(corpus.utterances())
    run(utterances, encoder, tmp_path)
    write_tone(utterances[0].path, "fear", seconds=0.6, number=999)
    moved = utterances[1].path.with_name("moved.wav")
    utterances[1].path.rename(moved)
    utterances[1] = utterances[1]._replace(path=moved)
    os.utime(utterances[2].path, ns=(1, 1))
    store, count = run(utterances, encoder, tmp_path)
    assert count == 1
    assert len(contents(store, utterances)) == 30


def test_parts_of_a_file_have_their_own_entries(encoder, tmp_path):
    write_tone(tmp_path / "long.wav", seconds=2.0)
    (tmp_path / "m.csv").write_text(
        "path,emotion,split,start,end\nlong.wav,sad,train,0,0.5\nlong.wav,sad,train,0.5,1.2\nlong.wav,sad,train,,\n"
    )
    utterances = ManifestCorpus(str(tmp_path / "m.csv")).utterances()
    store, _ = run(utterances, encoder, tmp_path)
    first, second, whole = contents(store, utterances)
    assert [len(first), len(second)] == [25, 35]
    assert torch.allclose(torch.cat([first, second]), whole[:60], atol=1e-6)


@pytest.mark.parametrize("world", [2, 3, 8])
def test_ranks_share_the_work_without_talking(corpus, encoder, tmp_path, world):
    utterances = corpus.utterances()
    counts = []
    for rank in range(world):  # every rank opens the store before it knows what the others did
        counts.append(extract(utterances, encoder, open_store(encoder, tmp_path), rank, world, SMALL))
    store = open_store(encoder, tmp_path)
    store.merge()
    store.refresh()
    assert sum(counts) == 30
    assert sum(count > 0 for count in counts) >= 2
    alone, _ = run(utterances, encoder, tmp_path / "alone")
    for one, other in zip(contents(store, utterances), contents(alone, utterances), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_bad_files_are_named_together_and_the_others_are_stored(corpus, encoder, tmp_path):
    utterances = corpus.utterances()
    utterances[3].path.write_bytes(b"")
    utterances[7].path.write_bytes(b"no audio" * 100)
    store = open_store(encoder, tmp_path)
    with pytest.raises(AudioError, match="2 of 30 utterances cannot be used") as error:
        extract(utterances, encoder, store, settings=SMALL)
    assert str(utterances[3].path) in str(error.value)
    assert str(utterances[7].path) in str(error.value)
    store.refresh()
    assert len(store.index) == 28


def test_a_file_that_vanished_is_named(corpus, encoder, tmp_path):
    utterances = corpus.utterances()
    utterances[5].path.unlink()
    with pytest.raises(FileNotFoundError, match="the audio file is gone"):
        extract(utterances, encoder, open_store(encoder, tmp_path), settings=SMALL)


def test_a_damaged_entry_is_computed_again(corpus, encoder, tmp_path):
    utterances = corpus.utterances()
    store, _ = run(utterances, encoder, tmp_path)
    before = contents(store, utterances)
    shard = sorted((store.folder / "shards").iterdir())[0]
    data = bytearray(shard.read_bytes())
    data[-3] ^= 1
    shard.write_bytes(bytes(data))
    store, count = run(utterances, encoder, tmp_path)
    assert count == 1
    for one, other in zip(before, contents(store, utterances), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_an_encoder_that_gives_nan_is_an_error_and_what_was_done_stays(corpus, encoder, tmp_path, monkeypatch):
    utterances = corpus.utterances()
    whole = encoder.forward

    def broken(waveforms, lengths):
        features, frames = whole(waveforms, lengths)
        return features * (float("nan") if encoder.calls > 3 else 1.0), frames

    monkeypatch.setattr(encoder, "forward", broken)
    with pytest.raises(ValueError, match="a feature is NaN"):
        run(utterances, encoder, tmp_path)
    monkeypatch.undo()
    done = len(open_store(encoder, tmp_path).index)
    assert 0 < done < 30
    _, count = run(utterances, encoder, tmp_path)
    assert count == 30 - done


def test_whole_corpora_under_torchrun_variables(corpus, encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        folder = extract_corpora(corpus, encoder, str(tmp_path), device="cpu")
    assert not list(folder.glob("journal-*"))
    assert len(open_store(encoder, tmp_path).index) == 30


SLOW = """
import sys, time
sys.path.insert(0, {tests!r})
from fake.encoder import FakeEncoder
from emoquant.data.extraction import extract, open_store, ExtractionSettings
from emoquant.data.manifest import ManifestCorpus
encoder = FakeEncoder()
whole = encoder.forward
def slow(waveforms, lengths):
    time.sleep(0.05)
    return whole(waveforms, lengths)
encoder.forward = slow
store = open_store(encoder, {cache!r})
settings = ExtractionSettings(seconds_per_batch=1.0, shard_bytes=1500, progress=False)
extract(ManifestCorpus({manifest!r}).utterances(), encoder, store, settings=settings)
"""


def test_a_run_that_was_killed_goes_on_and_ends_the_same(corpus, encoder, tmp_path):
    cache = tmp_path / "killed"
    places = {"tests": str(Path(__file__).parent.parent), "cache": str(cache), "manifest": str(corpus.manifest)}
    process = subprocess.Popen([sys.executable, "-c", SLOW.format(**places)])
    deadline = time.monotonic() + 120
    while len(list(cache.rglob("*.safetensors"))) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    utterances = corpus.utterances()
    kept = len(open_store(encoder, cache).index)
    assert 0 < kept < 30
    store, count = run(utterances, encoder, cache)
    assert count == 30 - kept
    alone, _ = run(utterances, encoder, tmp_path / "whole")
    for one, other in zip(contents(store, utterances), contents(alone, utterances), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert not list(store.folder.rglob("*.tmp"))


def test_absurd_headers_do_not_stop_the_good_files(corpus, encoder, tmp_path):
    """A length that no memory holds, a rate of 1 Hz, a pointer, a file that may not be read: each is named."""
    utterances = list(corpus.utterances())
    soundfile.write(utterances[0].path, np.full(8000, 0.1), 16_000, format="FLAC")
    data = bytearray(utterances[0].path.read_bytes())
    data[21:26] = (data[21] >> 4 << 36 | 2**36 - 1).to_bytes(5, "big")
    utterances[0].path.write_bytes(data)
    soundfile.write(utterances[1].path, np.full(64_000, 0.1), 1)
    utterances[2].path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    utterances[3].path.unlink()
    utterances[3].path.mkdir()
    for _ in range(2):
        store = open_store(encoder, tmp_path)
        with pytest.raises(AudioError, match=r"4 of \d+ utterances cannot be used") as error:
            extract(utterances, encoder, store, settings=SMALL)
        store.merge()
        store.refresh()
        for utterance in utterances[:4]:
            assert str(utterance.path) in str(error.value)
        assert (find_entries(store, utterances) >= 0).sum() == len(utterances) - 4
