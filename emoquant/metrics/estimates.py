"""Rows of statistics over the utterances of a split, with bootstrap intervals as in the evaluations."""

from collections.abc import Callable

import torch
from torch import Tensor

from emoquant.metrics.intervals import Blocks, certain_share_interval, percentile_interval, resampling_weights
from emoquant.storage.results import Row

#: A figure of each replicate ``(R,)`` from how often it counts each utterance, ``(R, N)`` float64.
Statistic = Callable[[Tensor], Tensor]


class Estimates:
    """Make rows of statistics over the utterances of a split, with 95 % bootstrap intervals.

    Speakers are resampled if there are 10 or more, else utterances (:class:`~emoquant.metrics.intervals.Blocks`).

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
        """Return the row of a statistic with its 95 % interval.

        Args:
            codec: Name of the codec.
            point: Operating point.
            metric: Name of the measure.
            statistic: Gives the values ``(R,)`` for weights of the utterances ``(R, N)``, one row a replicate.
            count: Number of utterances for the column ``n``; all by default.
        """
        value = float(statistic(torch.ones(1, self.count, dtype=torch.float64))[0])
        ends = percentile_interval(statistic(self._weights), self.held.sum())
        low, high = (float(end) for end in ends)
        number = self.count if count is None else count
        if value in (0.0, 1.0):  # a share without spread
            low, high = certain_share_interval(value, number)
        return Row(self.corpus, codec, point, "all", metric, value, low, high, number, "all", self.blocks.kind)


def mean(values: Tensor, over: Tensor | None = None) -> Statistic:
    """Return the statistic ``sum(values) / sum(over)``, or the mean of the values without ``over``.

    Args:
        values: Value of each utterance, ``(N,)``; NaN values are left out of the sum and of the mean.
        over: Denominator of each utterance, ``(N,)``.
    """
    there = ~values.isnan()
    total, below = torch.where(there, values, 0.0).double(), (there if over is None else over).double()
    return lambda weights: (weights @ total) / (weights @ below)


def class_mean(values: Tensor, classes: Tensor) -> Statistic:
    """Return the statistic that averages values ``(N,)`` within each class, then over classes; class -1 is left out."""
    known = torch.nn.functional.one_hot(classes.clamp_min(0)).double() * (classes >= 0)[:, None]
    return lambda weights: ((weights @ (values.double()[:, None] * known)) / (weights @ known)).nanmean(-1)
