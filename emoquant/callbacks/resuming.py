"""Training runs that can be interrupted: seeds of every step, whole checkpoints, a signal at a safe place."""

import os
import random
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer

from emoquant.storage.files import whole_file


class SeededSteps(Callback):
    """Seeds every source of random numbers at every training batch from seed, rank, epoch and batch.

    So what is drawn depends on nothing that went before: a run that goes on from a checkpoint draws what an unbroken
    one does, and processes draw differently (Lightning seeds them alike, which gives all of them the same dropout).

    Args:
        seed: Seed of the run; that of the command line (``--seed_everything``) by default.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401 - Lightning's hook
        batch_idx: int,
    ) -> None:
        """Seed torch (all devices), numpy and Python."""
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0)) if self.seed is None else self.seed
        place = [seed, trainer.global_rank, trainer.current_epoch, batch_idx]
        word, other = (int(part) for part in np.random.SeedSequence(place).generate_state(2))
        torch.manual_seed(word)
        np.random.seed(other)
        random.seed(other)


class ResumedProgress(Callback):
    """Makes a run that goes on from a checkpoint count its epochs and batches like an unbroken run.

    Lightning counts wrongly in three cases, and then skips or repeats an epoch, or takes batches of another one:

    * the checkpoint was saved at the end of an epoch, and the trainer has ``max_steps``;
    * it was saved after the last batch of an epoch, before the epoch's end;
    * it was saved at the end of a run that ``max_steps`` or a stop ended within an epoch.

    A checkpoint of the first two kinds is read as "the next epoch has not begun", one of the third as "in the middle of
    this epoch". Checkpoints that older versions saved are read so too.
    """

    def __init__(self) -> None:
        self._begins_epoch = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Correct the counts of the checkpoint before Lightning reads them."""
        loop = checkpoint["loops"]["fit_loop"]
        epochs, batches = loop["epoch_progress"], loop["epoch_loop.batch_progress"]
        current = batches["current"]
        ended = batches["is_last_batch"] and current["processed"] == current["ready"]
        self._begins_epoch = bool(ended or not current["processed"])
        if ended:
            finished = epochs["current"]["started"]
        else:
            finished = epochs["current"]["processed"] if self._begins_epoch else epochs["current"]["started"] - 1
        for counts in (epochs["total"], epochs["current"]):
            started = finished if self._begins_epoch else finished + 1
            counts.update(ready=started, started=started, processed=finished, completed=finished)
        if self._begins_epoch:
            total = batches["total"]
            loop["epoch_loop.state_dict"]["_batches_that_stepped"] += total["processed"] - total["completed"]
            total["completed"] = total["processed"]
            current.update(dict.fromkeys(current, 0))
            batches["is_last_batch"] = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let an epoch that has not begun begin like any other."""
        if self._begins_epoch:
            trainer.fit_loop.epoch_loop.restarting = False
            self._begins_epoch = False


class Preemption(Callback):
    """Lets Lightning answer a SLURM signal between batches instead of in the middle of one, all processes at the same.

    Lightning's own handler (``SLURMEnvironment``, on inside a SLURM job) saves a checkpoint and requeues the job the
    moment the signal comes, which may be between a codebook's update and the count of the batch. Here the handler only
    takes a note, and Lightning's runs at the end of the batch. Outside of SLURM nothing is changed.
    """

    def __init__(self) -> None:
        self._answer: Any = None
        self._signal: signal.Signals | None = None
        self._noted = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the note in front of Lightning's handler."""
        environment = trainer._accelerator_connector.cluster_environment
        if not isinstance(environment, SLURMEnvironment) or not environment.auto_requeue:
            return
        self._signal = environment.requeue_signal or signal.SIGUSR1
        found = signal.getsignal(self._signal)
        if found is not self._note:
            self._answer = signal.signal(self._signal, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._noted = True

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's hook
        batch: Any,  # noqa: ANN401 - Lightning's hook
        batch_idx: int,
    ) -> None:
        """Answer the signal if any process was given it."""
        if self._answer is None:
            return
        noted = self._noted
        if trainer.world_size > 1:
            flag = torch.tensor(float(noted), device=pl_module.device)
            noted = bool(trainer.strategy.reduce(flag, reduce_op="sum") > 0)
        if noted:
            self._noted = False
            if callable(self._answer):
                self._answer(self._signal, None)
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signal back."""
        if self._signal is not None and self._answer is not None:
            signal.signal(self._signal, self._answer)
            self._answer = None


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, in its own folder.

    Lightning writes to the system's temporary folder and moves the file from there, which copies where that is another
    disk: a job that is killed meanwhile is left with half a ``last.ckpt`` in place of the one before.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: Any,  # noqa: ANN401 - Lightning's hook
        storage_options: Any | None = None,  # noqa: ANN401 - Lightning's hook
    ) -> None:
        """Save a checkpoint.

        Args:
            checkpoint: Its content.
            path: File to write.
            storage_options: Must be None.

        Raises:
            OSError: The disk is full or the folder cannot be written; a checkpoint that was there is left as it was.
            TypeError: There are storage options.
        """
        if storage_options is not None:
            raise TypeError("WholeCheckpoints takes no storage_options: checkpoints are written to a folder")
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as partial, partial.open("wb") as file:
            torch.save(checkpoint, file)
