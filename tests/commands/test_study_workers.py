"""Workers of a study that is killed do not go on writing into its runs."""

import subprocess
import sys
import time

STUDY = """
import os, sys, time
from multiprocessing import get_context
from pathlib import Path

def work(path):
    from emoquant.study.running import _begin_worker

    _begin_worker()
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    worker = get_context("spawn").Process(target=work, args=(sys.argv[1],))
    worker.start()
    worker.join()
"""


def alive(pid):
    """Return whether a process runs; one that has ended may still be listed until somebody asks for its status."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_worker_ends_with_its_study(tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    noted = tmp_path / "pid"
    study = subprocess.Popen([sys.executable, str(tmp_path / "study.py"), str(noted)])
    try:
        wait_until(lambda: noted.exists() and noted.read_text())
        assert alive(noted.read_text())
    finally:
        study.kill()
        study.wait()
    wait_until(lambda: not alive(noted.read_text()))
