"""A SLURM job of real processes that is preempted, requeued and ends like one that was not (minutes)."""

import os
import random
import signal
import socket
import time

import pytest
from commands import assert_same, checkpoints, finish, newest, start, training, wait_until

pytestmark = pytest.mark.slow


def job(folder, name, tasks):
    """Start the tasks of a job as srun does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    more = [f"--trainer.default_root_dir=runs/{name}", f"--trainer.devices={tasks}", "--trainer.max_epochs=5"]
    more += ["--trainer.strategy=ddp"] if tasks > 1 else []
    common = {"SLURM_NTASKS": str(tasks), "SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "codec", "SLURM_NODEID": "0",
              "SLURM_NTASKS_PER_NODE": str(tasks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
              "PATH": f"{folder}:{os.environ['PATH']}"}  # fmt: skip
    return [
        start(folder, *training(name, *more), SLURM_PROCID=str(task), SLURM_LOCALID=str(task), **common)
        for task in range(tasks)
    ]


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_preempted_job_goes_on(tasks, folder):
    called = folder / f"scontrol-{tasks}.log"
    (folder / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {called}\n')
    (folder / "scontrol").chmod(0o755)
    whole, broken = f"whole-{tasks}", f"broken-{tasks}"
    for run in job(folder, whole, tasks):
        finish(run)
    assert not called.exists()
    runs = job(folder, broken, tasks)
    wait_until(lambda: checkpoints(folder, broken), runs[0])
    time.sleep(0.5 * random.random())
    os.kill(runs[-1].pid, signal.SIGUSR1)  # one task alone: the others hear of it
    for run in runs:
        finish(run)
    assert called.read_text() == "requeue 77\n"
    assert (folder / "runs" / broken / "hpc_ckpt_1.ckpt").is_file()
    assert newest(folder, broken)["global_step"] < newest(folder, whole)["global_step"]
    for run in job(folder, broken, tasks):
        finish(run)
    assert_same(newest(folder, whole), newest(folder, broken))
