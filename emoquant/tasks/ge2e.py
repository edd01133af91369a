"""Training of the recurrent utterance encoder."""

from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.encoders.lstm import WINDOW, LSTMEncoder
from emoquant.types import AudioBatch

#: What the gradients of scale and shift are multiplied by.
_SLOW = 0.01


def ge2e_similarities(embeddings: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cosines of embeddings with the centroids of the classes, their own item left out of their own class.

    Args:
        embeddings: Unit vectors, ``(B, D)``.
        classes: Class of each, ``(B,)`` int64.

    Returns:
        Cosines ``(B, C)`` with the ``C`` classes that occur, the column of each item's own class ``(B,)``, and which
        items count: those whose class has another item, ``(B,)`` bool.
    """
    _, column = classes.unique(return_inverse=True)
    member = functional.one_hot(column).to(embeddings.dtype)  # (B, C)
    sums, counts = member.T @ embeddings, member.sum(0)
    cosines = embeddings @ functional.normalize(sums, dim=-1).T
    own = functional.normalize(sums[column] - embeddings, dim=-1)
    cosines = torch.where(member > 0, (embeddings * own).sum(-1, keepdim=True), cosines)
    return cosines, column, counts[column] > 1


class GE2ETask(pl.LightningModule):
    """Trains an :class:`~emoquant.encoders.lstm.LSTMEncoder` with the generalised end-to-end loss (Wan et al. 2018).

    Every item is to be nearer to the mean of the others of its class than to the means of other classes. A batch should
    hold many items of every class; items are cut to 1.6 s at random.

    Args:
        encoder: The encoder.
        classes: What is told apart: ``emotion`` for an emotion encoder, ``speaker`` for a speaker encoder.
        learning_rate: Learning rate of Adam.

    Raises:
        ValueError: ``classes`` is unknown or the learning rate is not above 0.
    """

    def __init__(
        self, encoder: LSTMEncoder, classes: Literal["emotion", "speaker"] = "emotion", learning_rate: float = 1e-4
    ) -> None:
        super().__init__()
        if classes not in ("emotion", "speaker") or not learning_rate > 0:
            raise ValueError(f"expected classes 'emotion' or 'speaker' and learning_rate > 0, not {classes!r}")
        self.encoder, self.classes, self.learning_rate = encoder, classes, learning_rate
        self.similarity_weight = nn.Parameter(torch.tensor([10.0]))
        self.similarity_bias = nn.Parameter(torch.tensor([-5.0]))
        for parameter in (self.similarity_weight, self.similarity_bias):
            parameter.register_hook(lambda gradient: gradient * _SLOW)

    def forward(self, batch: AudioBatch) -> Tensor:
        """Return the embeddings of one window of each utterance, ``(B, D)`` of unit length; random in training."""
        spectra = self.encoder.spectra(batch.waveforms, batch.lengths)
        frames = 1 + batch.lengths // 160
        room = (frames - WINDOW).clamp(min=0)
        begin = (torch.rand(len(room), device=room.device) * (room + 1)).long() if self.training else room // 2
        places = begin.unsqueeze(1) + torch.arange(WINDOW, device=begin.device)
        rows = torch.arange(len(room), device=begin.device).unsqueeze(1)
        pieces = spectra[rows, places.clamp(max=spectra.shape[1] - 1)]
        states, _ = self.encoder.lstm(pieces)
        last = states[torch.arange(len(states), device=states.device), frames.clamp(max=WINDOW) - 1]
        return self.encoder.embed(last)

    def _score(self, batch: AudioBatch, stage: str) -> Tensor:
        labels = batch.emotions if self.classes == "emotion" else batch.speakers
        cosines, column, counted = ge2e_similarities(self(batch), labels)
        with torch.autocast(self.device.type, enabled=False):
            logits = cosines.float() * self.similarity_weight.clamp(min=1e-6) + self.similarity_bias
            losses = functional.cross_entropy(logits, column, reduction="none")
        number = int(counted.sum())
        loss = (losses * counted).sum() / max(number, 1)
        right = ((logits.argmax(1) == column) & counted).sum() / max(number, 1)
        settings: dict[str, Any] = {"batch_size": max(number, 1), "sync_dist": stage == "val", "prog_bar": True}
        self.log(f"{stage}/loss", loss.detach(), **settings)
        self.log(f"{stage}/accuracy", right, **settings)
        return loss

    def training_step(self, batch: AudioBatch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        return self._score(batch, "train")

    def validation_step(self, batch: AudioBatch, batch_idx: int) -> None:
        """Log the loss, and the share of items that are nearest to the rest of their class, within batches."""
        self._score(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)
