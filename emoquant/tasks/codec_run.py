"""What a training run of a codec tells of itself, and what it asks of a checkpoint that it goes on from."""

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_warn

from emoquant.codecs.base import Codec
from emoquant.codecs.checkpoint import SECTION, describe_codec, origin_of
from emoquant.codecs.history import History, read_history
from emoquant.interfaces.access import frames_of, labelled_frames_of
from emoquant.storage.origin import Origin, require_origin


class CodecRun(pl.LightningModule, ABC):
    """Base of the tasks whose checkpoints hold a codec.

    Attributes:
        seed: Seed of the training.
    """

    seed: int

    if TYPE_CHECKING:  # a module of some tasks, a property of others: at run time there is nothing to inherit

        @property
        def codec(self) -> Codec | None:
            """Codec of the present weights; None before there is one."""

    @abstractmethod
    def phase(self) -> str:
        """Return what the current epoch trains."""

    @property
    def origin(self) -> Origin | None:
        """Encoder of the data's features; None where nobody knows it."""
        return frames_of(self.trainer).origin

    def on_fit_start(self) -> None:
        """Warn where the data module does not tell what the codec should remember of it."""
        if labelled_frames_of(self.trainer) is None:
            name = type(self.trainer.datamodule).__name__  # type: ignore[attr-defined]
            rank_zero_warn(
                f"{name} tells nothing of its utterances and emotions: codecs of this run will not know what they were "
                "trained on, and a run that goes on from them cannot check it (add the members of EmotionData)"
            )

    def require_epochs(self, what: str) -> None:
        """Refuse a training without a number of epochs.

        Raises:
            ValueError: ``max_epochs`` is below 1.
        """
        if (self.trainer.max_epochs or 0) < 1:
            raise ValueError(
                f"max_epochs of the trainer is {self.trainer.max_epochs}: {what} by epochs; set how many it shall have "
                "(--trainer.max_epochs 8; max_steps may end it earlier)"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what ``load_codec`` needs beside the weights."""
        assert self.codec is not None  # since configure_model
        checkpoint[SECTION] = describe_codec(self.codec, self.origin, self.history())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check that a run goes on with the same corpus and features of the same encoder.

        Raises:
            ValueError: They are others.
        """
        if SECTION not in checkpoint:
            return
        require_origin("the checkpoint that the run goes on from", origin_of(checkpoint), self.origin)
        if self.trainer.state.fn == "fit":
            self.history().require_same(read_history(checkpoint[SECTION].get("history")))

    def history(self) -> History:
        """Return how far the training is, and on what, as far as the data module tells."""
        labelled, epochs = labelled_frames_of(self.trainer), max(0, self.trainer.max_epochs or 0)
        utterances = len(labelled.dataset("train").utterances) if labelled else 0
        shares = labelled.training_shares if labelled else {}
        name, phase = frames_of(self.trainer).name, self.phase()
        return History(name, utterances, phase, self.current_epoch + 1, epochs, shares, self.seed)


def rate_at(done: float, warmup: float) -> float:
    """Return the factor of a learning rate at a share of the training: a line up, then a cosine down to 1 %.

    Args:
        done: Share of the training, in [0, 1].
        warmup: Share of the training that the line takes.

    Example:
        >>> [round(rate_at(done, 0.1), 2) for done in (0.05, 0.1, 0.5, 1.0)]
        [0.5, 0.98, 0.5, 0.01]
    """
    return min(1.0, done / warmup) * max(0.01, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))
