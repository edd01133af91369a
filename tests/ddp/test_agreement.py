"""Two processes agree, though sums by atomic additions differ between them as on GPUs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_ddp import free_port

SCRIPT = Path(__file__).with_name("agreeing_ranks.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    paths = [str(Path(__file__).parent.parent), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    port, runs = str(free_port()), []
    for rank in range(2):
        log = folder / f"{rank}.log"
        with log.open("wb") as file:
            words = [sys.executable, str(SCRIPT), str(rank), str(folder), port]
            runs.append((subprocess.Popen(words, env=environment, stdout=file, stderr=file), log))
    for run, log in runs:
        assert run.wait(timeout=600) == 0, log.read_text()[-3000:]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("task", ["codec", "voice", "probe", "vocoder"])
def test_weights_and_buffers_are_equal(seen, task):
    one, other = (each[task] for each in seen)
    assert one["steps"] == other["steps"] > 0
    for name, value in one["state"].items():
        assert torch.equal(value, other["state"][name]), f"{name} differs over the processes"


@pytest.mark.parametrize("task", ["codec", "voice", "probe", "vocoder"])
def test_the_same_collective_calls_are_made(seen, task):
    one, other = (each[task]["calls"] for each in seen)
    assert one == other
    assert task in ("vocoder", "probe") or one


def test_codebooks_were_trained_long_enough_to_part_and_codewords_died(seen):
    codec = seen[0]["codec"]
    assert codec["steps"] >= 50
    assert int(codec["state"]["quantizer.fine.revived"]) > 0
