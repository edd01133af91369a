"""Figures of whole splits, each with the interval of the evaluations' bootstrap."""

from collections.abc import Callable

import torch
from torch import Tensor

from emoquant.metrics.intervals import Blocks, certain_share_interval, percentile_interval, resampling_weights
from emoquant.storage.results import Row

#: A figure of each replicate ``(R,)`` from how often it counts each utterance, ``(R, N)`` float64.
Statistic = Callable[[Tensor], Tensor]


class Estimates:
    """Rows of figures of a split's utterances; speakers or utterances are resampled, as in evaluations.

    Args:
        corpus: Name of the corpus.
        speakers: Speaker of each utterance, ``(N,)`` int64.
        replicates: Bootstrap replicates.
        seed: Seed of the bootstrap.
    """

    def __init__(self, corpus: str, speakers: Tensor, replicates: int = 1000, seed: int = 0) -> None:
        self.corpus, self.count = corpus, len(speakers)
        self.blocks = Blocks(speakers.tolist())
        self._block = self.blocks.assign(speakers, torch.arange(self.count))
        self.held = torch.bincount(self._block, minlength=self.blocks.number) > 0
        self._weights = resampling_weights(self.held, replicates, seed)[:, self._block]

    def row(self, codec: str, point: float, metric: str, statistic: Statistic, count: int | None = None) -> Row:
        """Return a figure with its 95 % interval.

        Args:
            codec: Name of the codec.
            point: Operating point.
            metric: Name of the measure.
            statistic: The figure, for any number of replicates at once.
            count: Utterances that it counts; all by default.
        """
        value = float(statistic(torch.ones(1, self.count, dtype=torch.float64))[0])
        ends = percentile_interval(statistic(self._weights), self.held.sum())
        low, high = (float(end) for end in ends)
        number = self.count if count is None else count
        if value in (0.0, 1.0):  # a share without spread
            low, high = certain_share_interval(value, number)
        return Row(self.corpus, codec, point, "all", metric, value, low, high, number, "all", self.blocks.kind)


def mean(values: Tensor, over: Tensor | None = None) -> Statistic:
    """Return the statistic that is the mean of values ``(N,)``, or their sum over another; NaN values are left out."""
    there = ~values.isnan()
    total, below = torch.where(there, values, 0.0).double(), (there if over is None else over).double()
    return lambda weights: (weights @ total) / (weights @ below)


def class_mean(values: Tensor, classes: Tensor) -> Statistic:
    """Return the statistic that is the mean over classes of the means of values ``(N,)``; class -1 is left out."""
    known = torch.nn.functional.one_hot(classes.clamp_min(0)).double() * (classes >= 0)[:, None]
    return lambda weights: ((weights @ (values.double()[:, None] * known)) / (weights @ known)).nanmean(-1)
