"""The launchers of the page about scaling, run on one machine: all train the same (minutes)."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent.parent
TRAINING = [
    "fit",
    f"--config={ROOT / 'configs/train/codec.yaml'}",
    "--data.init_args.corpora.init_args.sentences=10",
    "--model.init_args.quantizer.init_args.groups=4",
    "--model.init_args.quantizer.init_args.layers=2",
    "--model.init_args.quantizer.init_args.codewords=16",
    "--model.init_args.codebook_epochs=1",
    "--model.init_args.gate_epochs=1",
    "--trainer.max_epochs=3",
    "--trainer.accelerator=cpu",
    "--trainer.strategy=ddp",
    "--ckpt_path=last",
]
pytestmark = pytest.mark.slow


def start(folder, *words):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    log = (folder / f"{len(list(folder.glob('*.log')))}.log").open("wb")
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log), Path(log.name)


def finish(*runs):
    for run, log in runs:
        assert run.wait(timeout=1800) == 0, log.read_text(errors="replace")[-3000:]


def train(name, *more):
    return [ROOT / "train.py", *TRAINING, f"--trainer.logger.init_args.name={name}", *more]


def weights(folder, name):
    (path,) = (folder / "runs" / name).glob("version_*/checkpoints/last.ckpt")
    return torch.load(path, weights_only=True)["state_dict"]


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(other[name], value), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with a training of two processes by Lightning's own launcher."""
    place = tmp_path_factory.mktemp("launched")
    (place / "checkpoints").symlink_to(ROOT / "checkpoints")
    finish(start(place, *train("codec", "--trainer.devices=2")))
    return place


def test_torchrun_on_one_machine(folder):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finish(start(folder, *torchrun, *train("torchrun", "--trainer.devices=2")))
    assert_same(weights(folder, "codec"), weights(folder, "torchrun"))


def test_torchrun_on_two_machines(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torchrun = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d"]
    torchrun += ["--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "codec"]
    words = train("nodes", "--trainer.num_nodes=2", "--trainer.devices=1")
    finish(*[start(folder, *torchrun, *words) for _ in range(2)])
    assert_same(weights(folder, "codec"), weights(folder, "nodes"))


def test_extraction_by_torchrun(folder):
    cache = folder / "again"
    cache.mkdir()
    (cache / "rendered").symlink_to(folder / ".cache/emoquant/rendered")
    corpus = "{class_path: emoquant.data.RenderedCorpus, init_args: {sentences: 10, cache_dir: again}}"
    encoder = "{class_path: emoquant.Emotion2Vec, init_args: {model: checkpoints/emotion2vec-tiny}}"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "emoquant", "extract"]
    finish(start(folder, *torchrun, corpus, encoder, "--cache_dir", "again"))
    (store,) = (cache / "features").iterdir()
    ranks = {path.name[:5] for path in (store / "shards").iterdir()}
    assert ranks == {"00000", "00001"}, "both processes had a share"
    assert not list(store.glob("journal-*"))
    lines = [json.loads(line) for line in (store / "manifest.jsonl").read_text().splitlines()]
    assert sum(len(line["entries"]) for line in lines) == 10 * 4 * 5, "sentences, voices, emotions"
