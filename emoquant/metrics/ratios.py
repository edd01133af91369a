"""Figures of sums over utterances: ratios for each emotion and for all utterances together."""

from collections.abc import Collection
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor


class Figure(NamedTuple):
    """One measure at every operating point.

    Attributes:
        metric: Its name in the rows.
        values: ``(..., O, C)`` per emotion, ``(..., O, 1)`` for all utterances together (``pooled``).
        counts: Utterances counted, of the shape of the values.
        pooled: Whether the values are of all utterances together.
        share: Whether it is the share of utterances of a kind.
        jackknife: Whether its interval is a jackknife's, since resampling would bias it; pooled figures only.
    """

    metric: str
    values: Tensor
    counts: Tensor
    pooled: bool = False
    share: bool = False
    jackknife: bool = False


class Ratios:
    """Collects ratios of two sums for each emotion and for all utterances together, of the metrics that are asked for.

    Args:
        metrics: The metrics; all if None.

    Attributes:
        found: The figures so far.
    """

    def __init__(self, metrics: Collection[str] | None = None) -> None:
        self.metrics = metrics
        self.found: list[Figure] = []
        self._pooled: dict[int, tuple[Tensor, Tensor]] = {}

    def wants(self, metric: str) -> bool:
        """Return whether a metric is asked for."""
        return self.metrics is None or metric in self.metrics

    def add(self, metric: str, above: Tensor, below: Tensor, counts: Tensor, share: bool = False) -> None:
        """Add a metric if it is asked for.

        Args:
            metric: Name of the measure.
            above: Sums ``(..., O, C)``.
            below: Sums ``(..., O, C)``, 0 where there is nothing to divide.
            counts: Utterances counted, ``(..., O, C)``.
            share: Whether the ratio is a share of utterances.
        """
        if self.wants(metric):
            pooled = self.pool(above) / self.pool(below)
            self.found.append(Figure(metric, above / below, counts, share=share))
            self.found.append(Figure(metric, pooled, self.pool(counts), pooled=True, share=share))

    def add_pooled(
        self, metric: str, values: Tensor, counts: Tensor, share: bool = False, jackknife: bool = False
    ) -> None:
        """Add a figure of all utterances together.

        Args:
            metric: Name of the measure.
            values: Its values, ``(..., O)``.
            counts: Utterances counted, ``(..., O, C)``.
            share: See :class:`Figure`.
            jackknife: See :class:`Figure`.
        """
        self.found.append(Figure(metric, values[..., None], self.pool(counts), True, share, jackknife))

    def pool(self, sums: Tensor) -> Tensor:
        """Return sums ``(..., O, C)`` of all emotions together, ``(..., O, 1)``, each computed once."""
        if id(sums) not in self._pooled:
            pooled = reduce(torch.add, sums.unbind(-1)).unsqueeze(
                -1
            )  # torch sums a short axis of replicates ten times as slowly
            self._pooled[id(sums)] = sums, pooled  # held, so that no other tensor gets its id
        return self._pooled[id(sums)][1]
