"""The checkpoint that ``--ckpt_path last`` stands for: looked up by the first process alone, for all of a run."""

import os
from collections.abc import Callable
from pathlib import Path

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_info

from emoquant.console.trainer_flags import runs_folder
from emoquant.devices.ranks import from_first
from emoquant.storage.files import read_tensors
from emoquant.storage.runs import LAST, newest

#: Environment variable through which processes that Lightning starts hear from the one that starts them.
_FOUND = "EMOQUANT_LAST_CHECKPOINT"


def last_checkpoint(trainer: Trainer, required: bool) -> str | None:
    """Return the checkpoint that is furthest: the newest run's last one, or what a preempted SLURM job left.

    Lightning takes the latter only where no checkpoint is named. It is the better one of two at the same step: the run
    that was preempted saves its last checkpoint as if the epoch had ended there.

    Args:
        trainer: The trainer of the run.
        required: Whether there has to be one.

    Raises:
        FileNotFoundError: There is none, and one is required.
        RankError: The first process failed to find one.
    """
    path = agreed(trainer, lambda: _furthest(trainer, required))
    rank_zero_info(f"goes on from {path}" if path else f"no checkpoint in {runs_folder(trainer)} yet: begins anew")
    return path


def agreed(trainer: Trainer, find: Callable[[], str | None]) -> str | None:
    """Return what a function finds on the first process of a run that is about to begin; all processes call this.

    Each would see a shared folder as its own machine has it in memory, and they might disagree.

    Args:
        trainer: The trainer of the run.
        find: Finds something, or nothing.
    """
    strategy = trainer.strategy
    if trainer.world_size == 1 or not isinstance(strategy, DDPStrategy):
        return find()
    environment = strategy.cluster_environment
    if isinstance(environment, LightningEnvironment):
        if not environment.creates_processes_externally:  # this one is about to start the others
            os.environ[_FOUND] = find() or ""
        if _FOUND in os.environ:
            return os.environ[_FOUND] or None
    strategy.setup_environment()  # lets the processes meet; the trainer finds that done
    return from_first(find)


def _furthest(trainer: Trainer, required: bool) -> str | None:
    root, place = Path(trainer.default_root_dir), runs_folder(trainer)
    found: list[Path] = []
    if SLURMEnvironment.detect():
        preempted = [path for path in root.glob("hpc_ckpt_*.ckpt") if path.stem[9:].isdecimal()]
        found += sorted(preempted, key=lambda path: int(path.stem[9:]))[-1:]
    run = newest(place, LAST)
    found += [run.checkpoint] if run else []
    if not found and required:
        raise FileNotFoundError(f"--ckpt_path last: no version_*/{LAST} in {place}; train first")
    path = max(found, key=_step) if len(found) > 1 else next(iter(found), None)
    return str(path) if path else None


def _step(path: Path) -> int:
    """Return the step at which a checkpoint was saved."""
    return int(read_tensors(path, mmap=True)["global_step"])
