"""The base of callbacks that watch a codec in training: the codec, its batches, the epochs that are due."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer

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


class CodecCallback(Callback, ABC):
    """Base of callbacks that see what a task's codec makes of validation batches, every few epochs of a training.

    The task's part is its attribute ``codec`` (None while there is none yet). A validation of its own, of a checkpoint,
    is always seen, the sanity check of a training never.

    Args:
        every_n_epochs: Epochs from one look to the next, at least 1.
        tests: Whether batches of a test are seen, too.

    Raises:
        ValueError: ``every_n_epochs`` is below 1.
    """

    def __init__(self, every_n_epochs: int, tests: bool = False) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be at least 1, got {every_n_epochs}")
        self.every_n_epochs, self.tests = every_n_epochs, tests
        self.codec: Codec | None = None

    @abstractmethod
    def begin(self, trainer: Trainer, module: LightningModule, codec: Codec) -> None:
        """Prepare for the batches of a split."""

    @abstractmethod
    def see(self, trainer: Trainer, codec: Codec, batch: Batch, split: str) -> None:
        """Look at a batch of ``"validation"`` or ``"test"``."""

    @abstractmethod
    def end(self, trainer: Trainer, module: LightningModule, split: str) -> None:
        """Show what was seen."""

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin where it is due."""
        in_turn = not trainer.sanity_checking and (trainer.current_epoch + 1) % self.every_n_epochs == 0
        self._start(trainer, pl_module, in_turn or trainer.state.fn != "fit")

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin where tests are seen."""
        if self.tests:
            self._start(trainer, pl_module, True)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *indices: int
    ) -> None:
        """Look at a batch."""
        if self.codec is not None:
            self.see(trainer, self.codec, checked_batch(batch), "validation")

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *indices: int
    ) -> None:
        """Look at a batch."""
        if self.codec is not None:
            self.see(trainer, self.codec, checked_batch(batch), "test")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show what was seen."""
        self._finish(trainer, pl_module, "validation")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show what was seen."""
        self._finish(trainer, pl_module, "test")

    def _start(self, trainer: Trainer, module: LightningModule, due: bool) -> None:
        codec = codec_of(module)  # a task without one is refused at once
        self.codec = codec if due else None
        if self.codec is not None:
            self.begin(trainer, module, self.codec)

    def _finish(self, trainer: Trainer, module: LightningModule, split: str) -> None:
        if self.codec is not None:
            self.end(trainer, module, split)
        self.codec = None


def checked_batch(batch: Any) -> Batch:  # noqa: ANN401 - whatever the loader gave
    """Return a batch of frame features.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(batch, Batch):
        raise TypeError(f"expected batches of frame features, got {type(batch).__name__}: use an EmotionDataModule")
    return batch
