"""Two processes that know nothing of each other fill one cache at the same time; one of them is killed meanwhile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from fake.corpora import fake_manifest
from fake.encoder import FakeEncoder

from emoquant.data.extraction import find_entries, open_store
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule

PROGRAM = """
import sys, time
from pathlib import Path
from fake.encoder import FakeEncoder
from emoquant.data.extraction import ExtractionSettings, extract, open_store
from emoquant.data.manifest import ManifestCorpus

folder, name, pause = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])


class Slow(FakeEncoder):
    def forward(self, waveforms, lengths):
        time.sleep(pause)
        return super().forward(waveforms, lengths)


utterances = ManifestCorpus(str(folder / "corpus/m.csv")).utterances()
encoder = Slow()
store = open_store(encoder, folder / "cache")
(folder / f"{name}.ready").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
settings = ExtractionSettings(progress=False, seconds_per_batch=1.0, shard_bytes=500)
print(extract(utterances, encoder, store, settings=settings))
store.merge()
"""


@pytest.fixture
def folder(tmp_path):
    fake_manifest(tmp_path / "corpus", speakers=3, texts=2).rename(tmp_path / "corpus" / "m.csv")
    return tmp_path


def start(folder, name, pause=0.005):
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder), name, str(pause)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **streams)


def begin(folder, *names):
    while not all((folder / f"{name}.ready").exists() for name in names):
        time.sleep(0.01)
    (folder / "go").touch()


def end(run):
    out, errors = run.communicate(timeout=600)
    assert run.returncode == 0, errors[-2000:]
    return int(out)


def assert_whole(folder):
    """Assert that the store has every utterance, sound, and as one process alone would have made it."""
    utterances = ManifestCorpus(str(folder / "corpus/m.csv")).utterances()
    data = EmotionDataModule(
        ManifestCorpus(str(folder / "corpus/m.csv")), FakeEncoder(), cache_dir=str(folder / "alone")
    )
    data.setup()
    store, alone = open_store(FakeEncoder(), folder / "cache"), open_store(FakeEncoder(), folder / "alone")
    rows, others = find_entries(store, utterances), find_entries(alone, utterances)
    assert (rows >= 0).all()
    assert len(store.index) == len(utterances) == 30
    assert store.verify() == 0
    for row, other in zip(rows, others, strict=True):
        torch.testing.assert_close(store.read(int(row)), alone.read(int(other)))
    assert not list(store.folder.glob("journal-*")), "everything is merged"
    assert not list((store.folder / "shards").glob(".*"))


def test_both_end_well_and_the_store_is_whole(folder):
    runs = [start(folder, name) for name in ("one", "other")]
    begin(folder, "one", "other")
    counts = [end(run) for run in runs]
    assert sum(counts) >= 30
    assert_whole(folder)


@pytest.mark.slow
def test_one_is_killed_and_the_other_ends_well(folder):
    victim, survivor = start(folder, "victim", 0.1), start(folder, "survivor", 0.05)
    begin(folder, "victim", "survivor")
    shards = folder / "cache/features"
    while len(list(shards.glob("*/shards/*.safetensors"))) < 4:
        time.sleep(0.005)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    end(survivor)
    assert_whole(folder)
