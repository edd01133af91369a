"""An error of one process ends all processes of a run, and is the error that all of them show."""

import os
import sys
import threading
import time
import traceback
from datetime import timedelta
from typing import Any

import torch.distributed
from lightning.pytorch import Callback, LightningModule, Trainer

from emoquant.devices.ranks import own_rank, world_size


class FailTogether(Callback):
    """Ends every process of a run soon after one of them has failed.

    A process that waits for a failed one in a collective call of NCCL waits until its timeout, half an hour, and then
    shows an error of its own. Here the failed process leaves a note in the store through which the processes have met;
    a thread in each of the others looks for it and ends its process with the error of the first.

    Args:
        seconds: Time between two checks.
        patience: Seconds that a failed process has to end by itself, before it is ended, too.
    """

    def __init__(self, seconds: float = 1.0, patience: float = 20.0) -> None:
        self.seconds, self.patience = seconds, patience
        self._store: Any | None = None
        self._over, self._watcher = threading.Event(), threading.Thread()

    def watch_ranks(self) -> None:
        """Start the thread that watches for errors of other processes; a second call does nothing."""
        if world_size() == 1 or self._store is not None:
            return
        # A connection of its own: that of the process group is blocked while something waits through it.
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        stores: Any = torch.distributed
        store = stores.TCPStore(address, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=10))
        self._store = stores.PrefixStore("emoquant failure", store)
        self._over.clear()
        self._watcher = threading.Thread(target=self._watch, args=(self._store, own_rank()), daemon=True)
        self._watcher.start()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Start to watch, unless the data module did so before the extraction."""
        self.watch_ranks()

    def _watch(self, store: Any, rank: int) -> None:  # noqa: ANN401 - a store of torch.distributed
        while not self._over.wait(self.seconds):
            try:
                found = store.get("error").decode() if store.check(["error"]) else ""
            except RuntimeError:
                return  # the first process is gone, and with it the store
            if found and not found.startswith(f"rank {rank}:"):
                print(f"rank {rank} ends, because another failed. {found}", file=sys.stderr, flush=True)
                store.add("seen", 1)
                os._exit(1)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Publish the error to the other processes, and make sure that this process ends."""
        self._stop_watching()
        if self._store is None or isinstance(exception, KeyboardInterrupt):
            return
        lines = "".join(traceback.format_exception(exception))
        print(lines, file=sys.stderr, flush=True)
        threading.Thread(target=self._end, daemon=True).start()
        note = f"rank {own_rank()}: {type(exception).__name__}: {exception}"
        try:
            first = self._store.compare_set("error", "", note).decode()
            if first != note:
                print(f"An earlier error: {first}", file=sys.stderr, flush=True)
            deadline = time.monotonic() + self.patience / 2
            while self._store.add("seen", 0) < world_size() - 1 and time.monotonic() < deadline:
                time.sleep(0.1)
        except RuntimeError:
            return  # the first process is gone, and with it the store

    def _end(self) -> None:
        """End a process that hangs while it is taken down: a GPU may wait for others in a collective call."""
        time.sleep(self.patience)
        os._exit(1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop watching."""
        self._stop_watching()
        self._store = None

    def _stop_watching(self) -> None:
        """Wait for the thread: a process that ends while one is inside of the store is aborted."""
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()
