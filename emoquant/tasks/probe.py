"""Training a probe (a linear classifier or one hidden layer) on frame features that are frozen and cached."""

from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from emoquant.encoders.heads import Probe
from emoquant.interfaces.access import data_of
from emoquant.labels import STUDY_EMOTIONS
from emoquant.storage.origin import UNKNOWN
from emoquant.tasks.recognition import RecognitionTask, scheduled
from emoquant.types import Batch


class ProbeTask(RecognitionTask):
    """Trains a probe on the time means of cached frame features; :class:`emoquant.encoders.ProbeHead` loads it.

    Data comes from an :class:`emoquant.data.EmotionDataModule`, whose emotions are the classes.

    Args:
        hidden: Units of the hidden layer; 0 for a linear probe.
        learning_rate: Peak learning rate (AdamW, warm-up, then cosine to zero at the last step).
        weight_decay: Decay of the weight matrices.
        label_smoothing: Share of the target that is spread over all classes.
        balanced: Weight classes inversely to how often they occur in training.
        dropout: Dropout in front of every linear layer.
        measured: Emotions that recall is averaged over.

    Raises:
        ValueError: A number is out of range.
    """

    labels: list[str]

    def __init__(
        self,
        hidden: int = 0,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.01,
        label_smoothing: float = 0.0,
        balanced: bool = True,
        dropout: float = 0.1,
        measured: tuple[str, ...] = STUDY_EMOTIONS,
    ) -> None:
        super().__init__(measured)
        if hidden < 0 or learning_rate <= 0 or not 0 <= label_smoothing < 1 or not 0 <= dropout < 1:
            raise ValueError(
                "hidden must not be negative, learning_rate be positive, label_smoothing and dropout in [0, 1), got "
                f"{hidden}, {learning_rate}, {label_smoothing}, {dropout}"
            )
        self.hidden, self.learning_rate, self.weight_decay = hidden, learning_rate, weight_decay
        self.label_smoothing, self.balanced, self.dropout = label_smoothing, balanced, dropout
        self.labels = []
        self.probe: Probe | None = None

    def setup(self, stage: str) -> None:
        """Take the classes from the data."""
        self.labels = list(data_of(self.trainer).emotions)
        super().setup(stage)

    def configure_model(self) -> None:
        """Make the probe for the data's feature dimension and emotions."""
        if self.probe is None:
            data = data_of(self.trainer)
            self.probe = Probe(data.dim, list(data.emotions), self.hidden, self.dropout)

    def on_fit_start(self) -> None:
        """Measure the training vectors, so that the probe sees them centred and of variance 1."""
        assert self.probe is not None
        self.weights = self.class_weights(self.balanced)
        if self.trainer.ckpt_path:
            return  # a run that goes on has them from its checkpoint
        sums = torch.zeros(2 * self.probe.dim + 1, dtype=torch.float64)
        for batch in data_of(self.trainer).reference_dataloader():
            vectors = means(batch).double()
            sums += torch.cat([vectors.sum(0), vectors.square().sum(0), torch.tensor([float(len(vectors))])])
        sums = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum").cpu()
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        self.probe.standardize(mean.float(), (square - mean.square()).mean().clamp_min(1e-12).sqrt().float())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what :class:`emoquant.encoders.ProbeHead` needs beside the weights."""
        assert self.probe is not None
        checkpoint["probe"] = {"dim": self.probe.dim, "labels": self.probe.labels, "hidden": self.hidden}
        checkpoint["encoder"] = (data_of(self.trainer).origin or UNKNOWN).stored()

    def logits(self, batch: Batch) -> Tensor:
        """Return the logits of a batch, ``(B, C)``."""
        assert self.probe is not None
        logits: Tensor = self.probe(means(batch))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        loss = self.loss(self.logits(batch), self.classes(batch.emotions))
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch.lengths))
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW, warm-up and cosine."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        return scheduled(self.trainer, optimizer, 10)


def means(batch: Batch) -> Tensor:
    """Return the time mean of every utterance, ``(B, D)``; padding is zero and does not count."""
    return batch.features.sum(1) / batch.lengths[:, None]
