"""Processes for tests of several: forked from one that has imported what costs more than most of these tests."""

import multiprocessing
import multiprocessing.forkserver
import os
import sys
from unittest import mock

import torch

HEAVY = [
    "lightning.pytorch",
    "emoquant.callbacks",
    "emoquant.data.module",
    "emoquant.tasks",
    "emoquant.voice.tasks.vocoder",
]


def start(log, target, *args):
    """Call a function of a module in a process of its own, which is returned; its output goes to a file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    with mock.patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}):
        multiprocessing.forkserver.ensure_running()
    process = context.Process(target=_logged, args=(str(log), target, args))
    process.start()
    return process


def as_rank(rank, world, port):
    """Make this process one of several as `torchrun` does."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "GROUP_RANK": "0",
                   "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
                   "TORCHELASTIC_RUN_ID": "test"}  # fmt: skip


def _logged(log, target, args):
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    target(*args)
