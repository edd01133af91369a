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
        covariance: Shrunk covariance within emotions, ``(D, D)`` float64; None if it was not computed.
    """

    centroids: Tensor
    mean: Tensor
    counts: Tensor
    covariance: Tensor | None = None


class ReferenceVectors(Metric):
    """Compute the centroids and the mean of a training split from sums that processes add up exactly.

    Args:
        emotions: Names of the emotions, in the order of their indices.
        dim: Feature dimensions ``D``.
        scatter: Whether the covariance within emotions is computed, too.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor
    frame_sum: Tensor
    frames: Tensor
    products: Tensor

    def __init__(self, emotions: Sequence[str], dim: int, scatter: bool = False) -> None:
        super().__init__()
        self.emotions = list(emotions)
        self.add_state("sums", torch.zeros(len(emotions), dim, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(emotions), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("frame_sum", torch.zeros(dim, dtype=torch.float64), dist_reduce_fx="sum")
        wide = dim if scatter else 0
        self.add_state("products", torch.zeros(wide, wide, dtype=torch.float64), dist_reduce_fx="sum")
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
        if self.products.numel():
            self.products += vectors.T @ vectors

    def compute(self) -> References:
        """Return the centroids of the emotions, the mean of all frames and, with ``scatter``, the covariance.

        Raises:
            ValueError: An emotion has no utterance in the training split, or, with ``scatter``, there are not more
                utterances than emotions, or they do not differ.
        """
        missing = [name for name, count in zip(self.emotions, self.counts.tolist(), strict=True) if count == 0]
        if missing:
            raise ValueError(
                f"no centroid for {', '.join(missing)}: the training split has no such utterance; "
                "leave the emotion out of the data's `emotions` or split the corpus otherwise"
            )
        centroids = self.sums / self.counts[:, None]
        covariance = self._covariance(centroids) if self.products.numel() else None
        return References(centroids, self.frame_sum / self.frames, self.counts.clone(), covariance)

    def _covariance(self, centroids: Tensor) -> Tensor:
        degrees = int(self.counts.sum()) - len(self.counts)
        scatter = self.products - self.sums.T @ centroids
        if degrees < 1 or not float(scatter.trace()) > 0:
            raise ValueError(
                f"a space of {int(self.counts.sum())} training utterances cannot be fitted: within an emotion none "
                "differs from another; leave out the option `spaces` or take more training utterances"
            )
        return shrunk_covariance(scatter / degrees, degrees)


def shrunk_covariance(covariance: Tensor, degrees: int) -> Tensor:
    """Return a covariance shrunk towards a multiple of the identity by the OAS rule.

    Args:
        covariance: Sample covariance, ``(D, D)``.
        degrees: Degrees of freedom of the sample covariance.
    """
    size = len(covariance)
    trace, squares = covariance.trace(), covariance.square().sum()
    above = (1 - 2 / size) * squares + trace**2
    below = (degrees + 1 - 2 / size) * (squares - trace**2 / size)
    share = 1.0 if not float(below) > 0 else min(1.0, float(above / below))
    return (1 - share) * covariance + share * trace / size * torch.eye(size, dtype=covariance.dtype).to(covariance)
