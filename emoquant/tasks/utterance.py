"""Training of codes of whole utterances: k-means on their time means, no step of gradient descent."""

from typing import Any

import torch
from torch import Tensor

from emoquant.codecs.utterance import UtteranceVQ
from emoquant.interfaces.access import data_of, frames_of
from emoquant.quantization.codebooks import gather_rows, share_buffers
from emoquant.tasks.codec_run import CodecRun
from emoquant.tasks.probe import means
from emoquant.types import Batch


class UtteranceTask(CodecRun):
    """Fits an :class:`~emoquant.codecs.utterance.UtteranceVQ` to the time means of the training split.

    The training split is read once when the fit starts; the epoch that follows changes nothing.

    Args:
        stages: Stages of the codec.
        codewords: Codewords of a stage, a power of two.
        seed: Seed of the k-means.

    Attributes:
        codec: The codec; None before the data say its dimensions.
    """

    def __init__(self, stages: int = 8, codewords: int = 16, seed: int = 0) -> None:
        super().__init__()
        self.stages, self.codewords, self.seed = stages, codewords, seed
        self.automatic_optimization = False
        self.anchor = torch.nn.Parameter(torch.zeros(()))  # DDP wants a parameter
        self.codec: UtteranceVQ | None = None

    def phase(self) -> str:
        """Return what the epoch trains."""
        return "utterances"

    def configure_model(self) -> None:
        """Make the codec for the data module's feature dimension."""
        if self.codec is None:
            self.codec = UtteranceVQ(frames_of(self.trainer).dim, self.stages, self.codewords)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return an optimizer that changes nothing: checkpoints are written after steps, so there must be one."""
        return torch.optim.SGD([self.anchor], lr=0.0)

    def _made(self) -> UtteranceVQ:
        assert self.codec is not None
        return self.codec

    @torch.no_grad()
    def on_train_start(self) -> None:
        """Fit the codec to the training split, unless a checkpoint brought it."""
        codec = self._made()
        if bool(codec.ready):
            return
        vectors, weights = [], []
        for batch in data_of(self.trainer).reference_dataloader():
            vectors.append(means(batch))
            weights.append(batch.lengths)
        rows = gather_rows(torch.cat(vectors).float().to(self.device))
        frames = gather_rows(torch.cat(weights).to(self.device)).double()
        mean = (frames @ rows.double() / frames.sum()).float()
        codec.fit(rows, mean, self.seed)
        share_buffers(codec)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log the share of the variance of utterances that all stages leave; take a step that changes nothing."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(0.0 * self.anchor)
        optimizer.step()
        left = self._left(batch)
        self.log("train/distortion", left, prog_bar=True, batch_size=len(batch.lengths))
        return left

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the same share of validation utterances; nothing before the fit."""
        if bool(self._made().ready):
            self.log("val/distortion", self._left(batch), prog_bar=True, batch_size=len(batch.lengths), sync_dist=True)

    @torch.no_grad()
    def _left(self, batch: Batch) -> Tensor:
        """Return squared errors of time means over their squared distances from the training mean, both summed."""
        codec = self._made()
        vectors = means(batch)
        decoded = codec(batch.features, batch.lengths, codec.points[-1:]).features[0, :, 0]
        return (decoded - vectors).square().sum() / (vectors - codec.mean).square().sum().clamp_min(1e-12)
