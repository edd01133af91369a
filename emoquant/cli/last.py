"""The checkpoint that ``--ckpt_path last`` stands for: looked up by the first process alone, for all of a run."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_info
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from emoquant.console.trainer_flags import runs_folder
from emoquant.devices.ranks import from_first
from emoquant.storage.runs import LAST, newest
from emoquant.storage.tensors import read_tensors

#: Environment variable through which processes that Lightning starts hear from the one that starts them.
_FOUND = "EMOQUANT_LAST_CHECKPOINT"

#: How long machines wait for the first one, which may be started after them.
_MEETING = timedelta(minutes=30)

#: Stores through which the machines of this process's runs have met.
_STORES: list[TCPStore] = []


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
    """Search on the first process of a run and return the result on all; called before the processes are connected.

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
            several = trainer.num_nodes > 1
            os.environ[_FOUND] = (
                _from_first_machine(environment, trainer.num_nodes, find) if several else find()
            ) or ""
        if _FOUND in os.environ:
            return os.environ[_FOUND] or None
    strategy.setup_environment()  # lets the processes meet; the trainer finds that done
    return from_first(find)


def _from_first_machine(environment: LightningEnvironment, machines: int, find: Callable[[], str | None]) -> str | None:
    """Return what a function finds on the first machine; the first process of each calls this, before it has others.

    The processes of the run will meet at the same address: the store stays, and torch goes on with it.

    Raises:
        ValueError: The environment does not say where the machines meet.
    """
    if "MASTER_ADDR" not in os.environ or "MASTER_PORT" not in os.environ:
        raise ValueError(
            f"a run on {machines} machines meets at an address: set MASTER_ADDR and MASTER_PORT to those of the first "
            "machine, and NODE_RANK to 0, 1, ... on each"
        )
    first = environment.node_rank() == 0
    store = TCPStore(
        environment.main_address,
        environment.main_port,
        is_master=first,
        timeout=_MEETING,
        wait_for_workers=False,
        multi_tenant=True,
    )
    _STORES.append(store)
    if first:
        store.set(_FOUND, find() or "")
    return store.get(_FOUND).decode() or None


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
