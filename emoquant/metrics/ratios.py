"""Figures made from sums over utterances: ratios of two sums, for each emotion and for all utterances together."""

from collections.abc import Collection
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor


class Figure(NamedTuple):
    """Hold the values of one metric at every operating point.

    Attributes:
        metric: Name of the metric in the rows.
        values: ``(..., O, C)`` per emotion, ``(..., O, 1)`` for all utterances together (``pooled``).
        counts: Utterances counted, of the shape of the values.
        pooled: Whether the values are of all utterances together.
        share: Whether the values are shares of utterances, in [0, 1].
        jackknife: Whether the interval is a jackknife's, because a bootstrap would bias it; pooled figures only.
        unit: Whether the values lie in [0, 1]; those of shares do in any case.
    """

    metric: str
    values: Tensor
    counts: Tensor
    pooled: bool = False
    share: bool = False
    jackknife: bool = False
    unit: bool = False


class Ratios:
    """Collect the figures of a measure: ratios of two sums, for each emotion and for all utterances together.

    Args:
        metrics: Names of the metrics that are wanted; all if None. Others are skipped.

    Attributes:
        found: The figures so far.
    """

    def __init__(self, metrics: Collection[str] | None = None) -> None:
        self.metrics = metrics
        self.found: list[Figure] = []
        self._pooled: dict[int, tuple[Tensor, Tensor]] = {}

    def wants(self, metric: str) -> bool:
        """Return whether a metric is wanted."""
        return self.metrics is None or metric in self.metrics

    def add(
        self, metric: str, above: Tensor, below: Tensor, counts: Tensor, share: bool = False, unit: bool = False
    ) -> None:
        """Add the ratio of two sums as a figure per emotion and a pooled one, if the metric is wanted.

        Args:
            metric: Name of the metric.
            above: Sums in the numerator, ``(..., O, C)``.
            below: Sums in the denominator, ``(..., O, C)``; where it is 0 the ratio is NaN or infinite.
            counts: Utterances counted, ``(..., O, C)``.
            share: Whether the ratio is a share of utterances.
            unit: See :class:`Figure`.
        """
        if self.wants(metric):
            pooled = self.pool(above) / self.pool(below)
            self.found.append(Figure(metric, above / below, counts, share=share, unit=unit))
            self.found.append(Figure(metric, pooled, self.pool(counts), pooled=True, share=share, unit=unit))

    def add_pooled(
        self,
        metric: str,
        values: Tensor,
        counts: Tensor,
        share: bool = False,
        jackknife: bool = False,
        unit: bool = False,
    ) -> None:
        """Add a figure of all utterances together, whether or not the metric is wanted.

        Args:
            metric: Name of the metric.
            values: Its values, ``(..., O)``.
            counts: Utterances counted, ``(..., O, C)``.
            share: See :class:`Figure`.
            jackknife: See :class:`Figure`.
            unit: See :class:`Figure`.
        """
        self.found.append(Figure(metric, values[..., None], self.pool(counts), True, share, jackknife, unit))

    def pool(self, sums: Tensor) -> Tensor:
        """Return sums ``(..., O, C)`` added up over emotions, ``(..., O, 1)``; the result for a tensor is kept."""
        if id(sums) not in self._pooled:
            pooled = reduce(torch.add, sums.unbind(-1)).unsqueeze(
                -1
            )  # torch sums a short axis of replicates ten times as slowly
            self._pooled[id(sums)] = sums, pooled  # held, so that no other tensor gets its id
        return self._pooled[id(sums)][1]
