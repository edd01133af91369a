"""What a training run of a codec tells of itself, and what it asks of a checkpoint that it goes on from."""

from typing import Any

import lightning.pytorch as pl

from emoquant.codecs.checkpoint import SECTION, origin_of
from emoquant.codecs.history import History, read_history
from emoquant.interfaces.access import data_of
from emoquant.storage.origin import Origin, require_origin


class CodecRun(pl.LightningModule):
    """Base of the tasks whose checkpoints hold a codec.

    Attributes:
        seed: Seed of the training.
    """

    seed: int

    def phase(self) -> str:
        """Return what the current epoch trains."""
        raise NotImplementedError

    @property
    def origin(self) -> Origin | None:
        """Encoder of the data's features; None where nobody knows it."""
        return data_of(self.trainer).origin

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
        """Return how far the training is."""
        data = data_of(self.trainer)
        utterances, epochs = len(data.dataset("train").utterances), max(0, self.trainer.max_epochs or 0)
        epoch, shares = self.current_epoch + 1, data.training_shares
        return History(data.name, utterances, self.phase(), epoch, epochs, shares, self.seed)
