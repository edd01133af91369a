"""Emotion centroids and the mean of the training split, which coded utterances are compared with."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from emoquant.metrics.similarity import utterance_vectors
from emoquant.types import Batch


class References(NamedTuple):
    """Hold the emotion centroids and the mean of a training split (never of the utterances that are measured).

    Attributes:
        centroids: Mean of the utterance vectors of each emotion, ``(C, D)`` float64.
        mean: Mean of all frames, ``(D,)`` float64.
        counts: Utterances behind each centroid, ``(C,)`` int64.
    """

    centroids: Tensor
    mean: Tensor
    counts: Tensor


class ReferenceVectors(Metric):
    """Compute the centroids and the mean of a training split from sums that processes add up exactly.

    Args:
        emotions: Names of the emotions, in the order of their indices.
        dim: Feature dimensions ``D``.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor
    frame_sum: Tensor
    frames: Tensor

    def __init__(self, emotions: Sequence[str], dim: int) -> None:
        super().__init__()
        self.emotions = list(emotions)
        self.add_state("sums", torch.zeros(len(emotions), dim, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(emotions), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("frame_sum", torch.zeros(dim, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, batch: Batch) -> None:
        """Add a batch of the training split to the sums.

        Args:
            batch: Frame features with their emotions.
        """
        vectors = utterance_vectors(batch.features, batch.lengths).double()
        self.sums.index_add_(0, batch.emotions, vectors)
        self.counts.index_add_(0, batch.emotions, torch.ones_like(batch.emotions))
        self.frame_sum += (vectors * batch.lengths[:, None]).sum(0)
        self.frames += batch.lengths.sum()

    def compute(self) -> References:
        """Return the centroids of the emotions and the mean of all frames.

        Raises:
            ValueError: An emotion has no utterance in the training split.
        """
        missing = [name for name, count in zip(self.emotions, self.counts.tolist(), strict=True) if count == 0]
        if missing:
            raise ValueError(
                f"no centroid for {', '.join(missing)}: the training split has no such utterance; "
                "leave the emotion out of the data's `emotions` or split the corpus otherwise"
            )
        return References(self.sums / self.counts[:, None], self.frame_sum / self.frames, self.counts.clone())
