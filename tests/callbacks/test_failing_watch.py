"""The thread that watches other processes has ended when a run is over, whatever it is doing."""

import threading
import time

import torch.distributed

from emoquant.callbacks import FailTogether


class SlowStore:
    """A store whose answers take time, as where the first process is busy."""

    asked = threading.Event()

    def __init__(self, *args, **kwargs):
        pass

    def check(self, keys):
        self.asked.set()
        time.sleep(0.5)
        return False


def test_a_run_waits_for_the_thread_inside_of_the_store(monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setattr("emoquant.callbacks.failing.world_size", lambda: 2)
    for name in ("TCPStore", "PrefixStore"):
        monkeypatch.setattr(torch.distributed, name, SlowStore)
    before = set(threading.enumerate())
    callback = FailTogether(seconds=0.01)
    callback.watch_ranks()
    assert SlowStore.asked.wait(10)
    callback.teardown(None, None, "fit")
    assert set(threading.enumerate()) <= before
