"""The real commands as processes of their own, on a small rendered corpus, and ways to break them off."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent.parent
CORPUS = [
    "--data.init_args.corpora.init_args.sentences=10",
    "--trainer.accelerator=cpu",
]
CODEC = [
    "--model.init_args.quantizer.init_args.groups=4",
    "--model.init_args.quantizer.init_args.layers=2",
    "--model.init_args.quantizer.init_args.codewords=16",
    "--model.init_args.codebook_epochs=2",
    "--model.init_args.gate_epochs=1",
    "--trainer.max_epochs=12",
    "--trainer.check_val_every_n_epoch=1",
]
TWO = ["--trainer.devices=2", "--trainer.strategy=ddp"]


def start(folder, *words, **environment):
    """Start a command of Python in a session of its own, so that it can be killed with all that it started."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *map(str, words)]
    streams = {"stdout": subprocess.DEVNULL, "stderr": (folder / f"errors-{time.monotonic_ns()}.log").open("wb")}
    run = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **streams)
    run.errors = Path(streams["stderr"].name)
    return run


def finish(run):
    code = run.wait(timeout=1800)
    assert code == 0, run.errors.read_text(errors="replace")[-3000:]


def wait_until(ready, run):
    deadline = time.monotonic() + 1800
    while not ready() and run.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_after(run, ready, longest, number=signal.SIGKILL):
    """Kill a command some time after something is there; return whether it was still running."""
    wait_until(ready, run)
    time.sleep(longest * random.random())
    running = run.poll() is None
    if running:
        os.killpg(run.pid, number)
    run.wait(timeout=600)
    return running


def children(run):
    """Return the processes that a process started."""
    found = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    return [int(each) for each in found]


def training(name, *more):
    """Return the words of a small training that goes on where it was."""
    words = [ROOT / "train.py", "fit", f"--config={ROOT / 'configs/train/codec.yaml'}", *CORPUS, *CODEC]
    return [*words, f"--trainer.logger.init_args.name={name}", "--ckpt_path=last", *more]


def checkpoints(folder, name):
    return sorted((folder / "runs" / name).glob("version_*/checkpoints/last.ckpt"))


def newest(folder, name):
    return torch.load(checkpoints(folder, name)[-1], weights_only=True)


def assert_same(one, other):
    """Assert that two trainings ended at the same step with the same weights, to the last bit."""
    assert (one["epoch"], one["global_step"]) == (other["epoch"], other["global_step"])
    for name, value in one["state_dict"].items():
        assert torch.equal(other["state_dict"][name], value), name
