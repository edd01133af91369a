"""Flags of the trainer that Lightning refuses beside callbacks of the configuration, and where a run's files go."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks import (
    Checkpoint,
    DeviceStatsMonitor,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelSummary,
    ProgressBar,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from emoquant.storage.runs import place_of

#: Callbacks that a flag of the trainer turns off when it is false.
SWITCHES: dict[str, tuple[type[Callback], ...]] = {
    "enable_progress_bar": (ProgressBar,),
    "enable_checkpointing": (Checkpoint,),
    "enable_model_summary": (ModelSummary,),
    "logger": (LearningRateMonitor, DeviceStatsMonitor),
}


def callbacks_left(trainer: Any) -> list[Any] | None:  # noqa: ANN401 - jsonargparse's Namespace, or a dictionary
    """Return the configured callbacks that the trainer's own flags leave on.

    ``configs/trainer.yaml`` names a progress bar and a checkpoint callback, beside which Lightning refuses
    ``--trainer.enable_progress_bar false`` and ``--trainer.enable_checkpointing false`` with a traceback; and callbacks
    that log refuse ``--trainer.logger false``. Here the flag wins.

    Args:
        trainer: The trainer's part of the parsed configuration, before its classes are made: flags by name, and
            ``callbacks``, a list of mappings with a ``class_path``. It is not changed.

    Returns:
        The new value for ``callbacks``; None where there are none.

    Raises:
        ModuleNotFoundError: A class path names no module.

    Example:
        >>> bar = {"class_path": "lightning.pytorch.callbacks.TQDMProgressBar"}
        >>> callbacks_left({"enable_progress_bar": False, "callbacks": [bar]})
        []
        >>> callbacks_left({"enable_progress_bar": None, "callbacks": [bar]}) == [bar]
        True
    """
    configured = trainer.get("callbacks")
    if configured is None:
        return None
    callbacks = configured if isinstance(configured, list) else [configured]
    off = tuple(kind for flag, kinds in SWITCHES.items() if trainer.get(flag) is False for kind in kinds)
    return [callback for callback in callbacks if not issubclass(class_of(callback), off)]


def last_saved_last(callbacks: Sequence[Any]) -> list[Any]:
    """Return configured callbacks with checkpoints that go by no figure behind all others.

    A checkpoint holds what the callbacks know when it is saved. Saved before the one of the best epoch, the last one
    would not know of it, and a run that goes on from there would take a worse epoch for the best.

    Args:
        callbacks: Mappings with a ``class_path``; they are not changed.
    """
    return sorted(callbacks, key=_saves_last)


def _saves_last(callback: Any) -> bool:  # noqa: ANN401 - a Namespace, a dictionary, or the callback itself
    options = callback if isinstance(callback, Callback) else callback.get("init_args") or {}
    monitor = options.get("monitor") if hasattr(options, "get") else getattr(options, "monitor", None)
    return issubclass(class_of(callback), ModelCheckpoint) and not monitor


def class_of(callback: Any) -> type:  # noqa: ANN401 - a Namespace, a dictionary, or the callback itself
    """Return the class of a callback, a task or another object, or that which its configuration names.

    Args:
        callback: The callback, or a mapping with a ``class_path``.
    """
    if isinstance(callback, Callback):
        return type(callback)
    path = str(callback["class_path"])
    module, dot, name = path.rpartition(".")
    found = getattr(import_module(module) if dot else lightning_callbacks, name, object)
    return found if isinstance(found, type) else object


def run_folder(trainer: Trainer) -> Path:
    """Return the folder of a run's own files; a collective call, so every rank must make it.

    It is the one that TensorBoard and CSV loggers write to; with any other logger or none the trainer's root folder.
    """
    logger = _versioned(trainer)
    return Path(trainer.strategy.broadcast(str(logger.log_dir if logger else trainer.default_root_dir)))


def runs_folder(trainer: Trainer) -> Path:
    """Return the folder that is the same for all runs of one name: what outlives a run lies there."""
    logger = _versioned(trainer)
    return Path(logger.root_dir) if logger else place_of(trainer.default_root_dir)


def _versioned(trainer: Trainer) -> TensorBoardLogger | CSVLogger | None:
    """Return the logger whose folder is that of the run."""
    logger = trainer.loggers[0] if trainer.loggers else None
    return logger if isinstance(logger, TensorBoardLogger | CSVLogger) else None


def is_trial(trainer: Trainer) -> bool:
    """Return whether this is a trial of a few batches (``--trainer.fast_dev_run``): it shall leave nothing behind."""
    return bool(getattr(trainer, "fast_dev_run", False))


def is_overfitting(trainer: Trainer) -> bool:
    """Return whether every epoch shall have the same few batches (``--trainer.overfit_batches``)."""
    return bool(getattr(trainer, "overfit_batches", 0))
