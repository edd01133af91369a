"""What a training run of a codec tells of itself, and what it asks of a checkpoint that it goes on from."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_warn

from emoquant.codecs.checkpoint import SECTION, origin_of
from emoquant.codecs.history import History, read_history
from emoquant.interfaces.access import frames_of, labelled_frames_of
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
        return frames_of(self.trainer).origin

    def on_fit_start(self) -> None:
        """Warn where the data module does not tell what the codec should remember of it."""
        if labelled_frames_of(self.trainer) is None:
            name = type(self.trainer.datamodule).__name__  # type: ignore[attr-defined]
            rank_zero_warn(
                f"{name} tells nothing of its utterances and emotions: codecs of this run will not know what they were "
                "trained on, and a run that goes on from them cannot check it (add the members of EmotionData)"
            )

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
