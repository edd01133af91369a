"""Training runs that can be interrupted: seeds of every step, whole checkpoints, a signal at a safe place."""

import os
import random
import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from emoquant.storage.files import whole_file
from emoquant.storage.tensors import read_tensors, write_tensors


class SeededSteps(Callback):
    """Seeds every source of random numbers at every training batch from seed, rank, epoch and batch.

    So what is drawn depends on nothing that went before: a run that goes on from a checkpoint draws what an unbroken
    one does, and processes draw differently (Lightning seeds them alike, which gives all of them the same dropout).

    Args:
        seed: Seed of the run; that of the command line (``--seed_everything``) by default.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
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

    What a ``ModelCheckpoint`` with a figure to monitor kept as the best goes over to the folder of the new run:
    Lightning forgets how good it was, so that the first epoch after an interruption would become the best one.
    """

    def __init__(self) -> None:
        self._begins_epoch = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Correct the counts of the checkpoint that a training goes on from, before Lightning reads them.

        Raises:
            ValueError: It holds no training that could go on.
        """
        if trainer.state.fn != TrainerFn.FITTING:
            return
        try:
            if not checkpoint.keys() >= {"optimizer_states", "lr_schedulers"}:
                raise KeyError("optimizer_states")
            self._correct(checkpoint["loops"]["fit_loop"])
            for keeper in trainer.checkpoint_callbacks:
                state = checkpoint["callbacks"].get(keeper.state_key)
                if isinstance(keeper, ModelCheckpoint) and keeper.monitor and state:
                    _carry_best(trainer, keeper, state)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(
                f"the checkpoint holds no training that could go on ({type(error).__name__}: {error}): weights alone, "
                "or damaged; name the last.ckpt of a training"
            ) from error

    def _correct(self, loop: dict[str, Any]) -> None:
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


def _carry_best(trainer: Trainer, keeper: ModelCheckpoint, state: dict[str, Any]) -> None:
    """Copy the best checkpoints of the run that is gone on from, and tell the new run's callback what they are."""
    folder, beside = Path(str(keeper.dirpath)), Path(str(trainer.ckpt_path)).parent
    found = {}
    for old in {state["best_model_path"], *state["best_k_models"]} - {""}:
        sources = [path for path in (beside / Path(old).name, Path(old)) if path.is_file()]
        if not sources:
            return  # Lightning says what it does without
        found[old] = str(folder / Path(old).name)
        if trainer.is_global_zero and sources[0].resolve() != Path(found[old]).resolve():
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(Path(found[old])) as partial:
                shutil.copyfile(sources[0], partial)
    state["best_k_models"] = {found[old]: score for old, score in state["best_k_models"].items()}
    for name in ("best_model_path", "kth_best_model_path"):
        state[name] = found.get(state[name], "")
    state |= {"dirpath": keeper.dirpath, "last_model_path": ""}
    keeper.current_score = state.get("current_score")  # which Lightning does not read


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
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *indices: int
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
    """Writes a checkpoint whole or not at all, in its own folder, and reads one without running code of the file.

    Lightning writes to the system's temporary folder and moves the file from there, which copies where that is another
    disk: a job that is killed meanwhile is left with half a ``last.ckpt`` in place of the one before. It fetches what
    is named by an address, and unpickles it with all classes and code.
    """

    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the content of a checkpoint, on CPU.

        Args:
            path: A file.
            map_location: Not used.
            weights_only: Not used: tensors and primitives are read, whatever it says.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is damaged, of another kind, or asks for code to be run.
        """
        target = Path(path)
        if not target.is_file():
            raise FileNotFoundError(f"{path}: no such checkpoint; expected a file, or --ckpt_path last")
        content = read_tensors(target)
        if not isinstance(content, dict) or not {"state_dict", "pytorch-lightning_version"} <= content.keys():
            raise ValueError(f"{path} is no checkpoint of a training; name the last.ckpt that it wrote")
        return {"callbacks": {}, **content}  # without it Lightning asks no callback about a checkpoint of weights alone

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
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
        write_tensors(target, checkpoint)
