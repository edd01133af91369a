"""The real commands, killed with SIGKILL at a random time and given again, end like unbroken ones (minutes)."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent.parent
CORPUS = ["--data.init_args.corpora.init_args.sentences=10", "--trainer.accelerator=cpu"]
CODEC = [
    "--model.init_args.quantizer.init_args.groups=4",
    "--model.init_args.quantizer.init_args.layers=2",
    "--model.init_args.quantizer.init_args.codewords=16",
    "--model.init_args.codebook_epochs=2",
    "--model.init_args.gate_epochs=1",
    "--trainer.max_epochs=12",
    "--trainer.check_val_every_n_epoch=1",
]
pytestmark = pytest.mark.slow


def start(folder, *words):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(run):
    _, errors = run.communicate(timeout=1800)
    assert run.returncode == 0, errors.decode()[-3000:]


def kill_after(run, ready, longest):
    """Kill a process some time after something is there; return whether it was still running."""
    deadline = time.monotonic() + 1800
    while not ready() and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(longest * random.random())
    running = run.poll() is None
    run.send_signal(signal.SIGKILL)
    run.communicate()
    return running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("killed")
    (place / "checkpoints").symlink_to(ROOT / "checkpoints")
    return place


def train(folder, name):
    words = [ROOT / "train.py", "fit", f"--config={ROOT / 'configs/train/codec.yaml'}", *CORPUS, *CODEC]
    return start(folder, *words, f"--trainer.logger.init_args.name={name}", "--ckpt_path=last")


def checkpoints(folder, name):
    return len(list((folder / "runs" / name).glob("version_*/checkpoints/last.ckpt")))


def newest(folder, name):
    runs = sorted((folder / "runs" / name).glob("version_*/checkpoints/last.ckpt"))
    return torch.load(runs[-1], weights_only=True)


def test_a_training_and_its_sweep(folder):
    finish(train(folder, "codec"))
    whole, kills = newest(folder, "codec"), 0
    for count in (1, 2, 3):
        run = train(folder, "broken")
        kills += kill_after(run, lambda least=count: checkpoints(folder, "broken") >= least, 3)
    finish(train(folder, "broken"))
    again = newest(folder, "broken")
    assert kills > 0
    assert again["epoch"] == whole["epoch"]
    assert again["global_step"] == whole["global_step"]
    for name, value in whole["state_dict"].items():
        assert torch.equal(again["state_dict"][name], value), name

    def sweep(name):
        words = [ROOT / "eval.py", "test", f"--config={ROOT / 'configs/eval/lambda_sweep.yaml'}", *CORPUS]
        words += [
            "--model.init_args.save_seconds=1e-6",
            "--data.init_args.frames_per_batch=400",
            f"--trainer.logger.init_args.name={name}",
        ]
        return start(folder, *words)

    finish(sweep("swept"))
    kill_after(sweep("cut"), lambda: any((folder / "runs/cut/sums").glob("*.begun")), 0.5)
    finish(sweep("cut"))
    results = [next((folder / "runs" / name).glob("version_*/results.csv")) for name in ("swept", "cut")]
    assert results[0].read_bytes() == results[1].read_bytes()
