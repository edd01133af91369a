"""Arousal, valence and dominance: their regression on utterance vectors, and concordance after coding."""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from emoquant.labels import DIMENSIONS
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.similarity import utterance_vectors
from emoquant.types import Batch

#: Strengths of the ridge penalty that are tried, relative to the mean variance of the vectors.
_PENALTIES = tuple(10.0**power for power in range(-4, 5))
#: Sums of a dimension: utterances, rating, its square, output, its square, their product.
_SUMS = 6


class Regression(nn.Module):
    """Predict arousal, valence and dominance linearly from utterance vectors.

    Args:
        weight: ``(3, D)`` float64.
        bias: ``(3,)`` float64; NaN for a dimension that nobody rated.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.double())
        self.register_buffer("bias", bias.double())

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the predicted ratings ``(..., 3)`` float64 for utterance vectors ``(..., D)``."""
        return nn.functional.linear(vectors.double(), self.weight, self.bias)


class RatingRegression(Metric):
    """Fit a ridge regression of the ratings on a training split from sums, which several processes can add up.

    The penalty of each dimension has the least generalised cross-validation error (Golub, Heath and Wahba 1979,
    Generalized cross-validation as a method for choosing a good ridge parameter), which needs no held-out data.

    Args:
        dim: Dimensions ``D`` of the vectors.
    """

    full_state_update = False
    products: Tensor
    targets: Tensor
    squares: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        count = len(DIMENSIONS)
        self.add_state("products", torch.zeros(count, dim + 1, dim + 1, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("targets", torch.zeros(count, dim + 1, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("squares", torch.zeros(count, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, batch: Batch) -> None:
        """Add a batch of the training split to the sums; utterances without a rating are left out."""
        if batch.dimensions is None:
            return
        vectors = utterance_vectors(batch.features, batch.lengths).double()
        wide = torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=1)
        for place, ratings in enumerate(batch.dimensions.double().unbind(-1)):
            there = ~ratings.isnan()
            self.products[place] += wide[there].T @ wide[there]
            self.targets[place] += wide[there].T @ ratings[there]
            self.squares[place] += ratings[there].square().sum()

    def compute(self) -> Regression | None:
        """Return the fitted regression; None if no dimension has two rated utterances."""
        if not bool((self.products[:, -1, -1] > 1).any()):
            return None
        solved = [_ridge(*sums) for sums in zip(self.products, self.targets, self.squares, strict=True)]
        return Regression(torch.stack([weight for weight, _ in solved]), torch.stack([bias for _, bias in solved]))


def _ridge(products: Tensor, targets: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight ``(D,)`` and bias of the regression of one dimension; the bias is NaN where nobody rated it."""
    count = products[-1, -1]
    if count < 2:
        return torch.zeros_like(targets[:-1]), torch.full_like(targets[-1], torch.nan)
    mean, centre = products[-1, :-1] / count, targets[-1] / count
    covariance = products[:-1, :-1] / count - torch.outer(mean, mean)
    values, axes = torch.linalg.eigh(covariance)
    values = values.clamp_min(0)
    along = axes.T @ (targets[:-1] / count - mean * centre)  # covariance of rating and each axis
    variance = squares / count - centre.square()
    best, found = torch.inf, torch.zeros_like(mean)
    for penalty in _PENALTIES:
        shrunk = values + penalty * values.mean()
        weight = torch.where(shrunk > 0, along / shrunk, 0.0)
        error = variance - 2 * weight @ along + (values * weight.square()).sum()
        left = 1 - (1 + (values / shrunk.clamp_min(1e-300)).sum()) / count
        score = float(error / left.square()) if left > 0 else torch.inf
        if score < best:
            best, found = score, axes @ weight
    return found, centre - found @ mean


class Concordance(Measure):
    """Measure the concordance of ratings predicted after coding with the annotators' and with those before coding.

    Concordance is ``2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)``, 1 for equal values (Lin 1989, A
    concordance correlation coefficient to evaluate reproducibility). For dimension D, ``ccc/D`` is with the annotators'
    ratings, if there are any, and ``ccc_before/D`` with the ratings predicted before coding, both over all emotions.

    Args:
        regression: Gives ratings ``(..., 3)`` of utterance vectors ``(..., D)``: a :class:`Regression`, or the head of
            an encoder that was trained for the dimensions.
    """

    width = 2 * len(DIMENSIONS) * _SUMS + 1

    def __init__(self, regression: nn.Module) -> None:
        self.regression = regression

    def sums(self, seen: Observation) -> Tensor:
        """Return the terms of both concordances of each dimension, and 1 to count the utterance."""
        regression = self.regression.to(seen.after.device)
        after, before = regression(seen.after).double(), regression(seen.before).double()
        rated = seen.dimensions if seen.dimensions is not None else torch.full_like(before, torch.nan)
        parts = [_pair_sums(other.double(), after) for other in (rated, before)]
        columns = torch.cat([part.flatten(-2) for part in parts], dim=-1)
        return torch.cat([columns, torch.ones_like(columns[..., :1])], dim=-1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the concordances of the dimensions that have ratings."""
        ratios, place = Ratios(metrics), 0
        for kind in ("ccc", "ccc_before"):
            for name in DIMENSIONS:
                parts = [ratios.pool(part)[..., 0] for part in sums[..., place : place + _SUMS].unbind(-1)]
                place += _SUMS
                if ratios.wants(f"{kind}/{name}") and bool((parts[0] > 0).any()):
                    counts = sums[..., place - _SUMS]
                    ratios.add_pooled(f"{kind}/{name}", _concordance(*parts), counts)
        return ratios.found


def _pair_sums(first: Tensor, second: Tensor) -> Tensor:
    """Return the sums of each pair ``(B, 3)`` and ``(O, B, 3)``, all 0 where one is missing, ``(O, B, 3, 6)``."""
    first, second = torch.broadcast_tensors(first, second)
    there = ~(first.isnan() | second.isnan())
    x, y = torch.where(there, first, 0.0), torch.where(there, second, 0.0)
    return torch.stack([there.double(), x, x.square(), y, y.square(), x * y], dim=-1)


def _concordance(count: Tensor, x: Tensor, xx: Tensor, y: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """Return the coefficient of sums ``(..., O)``; NaN where there is nothing, or nothing varies."""
    mean_x, mean_y = x / count, y / count
    covariance = xy / count - mean_x * mean_y
    spread = (xx / count - mean_x.square()).clamp_min(0) + (yy / count - mean_y.square()).clamp_min(0)
    below = spread + (mean_x - mean_y).square()
    return torch.where(below > 0, 2 * covariance / below, torch.nan)
