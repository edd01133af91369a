"""What the callbacks that watch a codec in training share: the codec, its batches, when to look."""

from collections.abc import Sequence
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.types import Batch, Coded


class AtPoints(Codec):
    """A codec seen at other operating points than its own.

    Args:
        codec: The codec.
        points: Operating points; its own if empty.
    """

    def __init__(self, codec: Codec, points: Sequence[float] = ()) -> None:
        super().__init__()
        self.codec = codec
        self.name, self.dim, self.positions, self.codewords = codec.name, codec.dim, codec.positions, codec.codewords
        self.points, self.origin = tuple(points) or codec.points, codec.origin
        if hasattr(codec, "skip_vector"):
            self.skip_vector = codec.skip_vector

    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch at these points; see :meth:`Codec.forward`."""
        coded: Coded = self.codec(features, lengths, self.points if points is None else points)
        return coded


def codec_of(module: LightningModule) -> Codec | None:
    """Return the codec that a task offers as its attribute ``codec``; None while there is none yet.

    Raises:
        TypeError: The task has no such attribute.
    """
    if not hasattr(module, "codec"):
        raise TypeError(f"{type(module).__name__} has no `codec`: this callback needs a task that trains or runs one")
    return cast(Codec | None, module.codec)


def due(trainer: Trainer, every_n_epochs: int) -> bool:
    """Return whether this validation is to be looked at: every so many epochs of a training, never its sanity check.

    A validation outside of a training, of a checkpoint, always is.

    Args:
        trainer: The trainer.
        every_n_epochs: Epochs from one look to the next, at least 1.
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
