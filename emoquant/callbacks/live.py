"""Helpers of the callbacks that watch a codec in training: the codec, its batches, the epochs that are due."""

from collections.abc import Sequence
from copy import copy
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer

from emoquant.codecs.base import Codec
from emoquant.types import Batch


def at_points(codec: Codec, points: Sequence[float]) -> Codec:
    """Return a codec that shares the weights of another and runs at other operating points; its own if empty."""
    seen = copy(codec)
    seen.points = tuple(points) or codec.points
    return seen


def codec_of(module: LightningModule) -> Codec | None:
    """Return the codec that a task offers as its attribute ``codec``; None while there is none yet.

    Raises:
        TypeError: The task has no such attribute.
    """
    if not hasattr(module, "codec"):
        raise TypeError(f"{type(module).__name__} has no `codec`: this callback needs a task that trains or runs one")
    return cast(Codec | None, module.codec)


def due(trainer: Trainer, every_n_epochs: int) -> bool:
    """Return whether a callback runs in this validation: every so many epochs of a training, never its sanity check.

    A validation outside of a training, of a checkpoint, always is.

    Args:
        trainer: The trainer.
        every_n_epochs: Epochs from one run of the callback to the next, at least 1.
    """
    if trainer.state.fn != "fit":
        return True
    return not trainer.sanity_checking and (trainer.current_epoch + 1) % every_n_epochs == 0


def checked_batch(batch: Any) -> Batch:  # noqa: ANN401 - whatever the loader gave
    """Return a batch of frame features.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(batch, Batch):
        raise TypeError(f"expected batches of frame features, got {type(batch).__name__}: use an EmotionDataModule")
    return batch
