"""Intervals clustered by speaker, beside those of the bootstrap; meant for speakers outside the test split."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.metrics.intervals import certain_share_interval, jackknife_interval
from emoquant.metrics.measures import Measure
from emoquant.metrics.ratios import Figure
from emoquant.storage.results import Row


class Clusters(NamedTuple):
    """Hold the sums of a split by speaker (by groups of speakers if there are more than 64).

    Attributes:
        sums: Sums of each speaker, emotion and operating point, ``(S, C, O, M)`` float64.
        counts: Utterances of each speaker and emotion, ``(S, C)`` int64.
    """

    sums: Tensor
    counts: Tensor

    @staticmethod
    def of(state: tuple[Tensor, ...], number: int) -> "Clusters":
        """Reshape the state of a :class:`BlockSums`, sums ``(S * C, O, M)`` and counts ``(S * C,)``, by cluster."""
        sums, counts = state
        counts = counts.view(number, -1)
        return Clusters(sums.view(*counts.shape, *sums.shape[1:]), counts)


def with_clusters(rows: Sequence[Row], measures: Sequence[Measure], clusters: Clusters) -> list[Row]:
    """Return the rows with the columns ``speaker_low``, ``speaker_high`` and ``speakers`` filled in.

    The intervals are jackknives that leave out one speaker at a time, with Student's t
    (:func:`~emoquant.metrics.intervals.jackknife_interval`). Those of figures in [0, 1] are cut to it; a share
    of 0 or 1 has Clopper and Pearson's interval with the number of speakers as the number of trials.

    Args:
        rows: The rows of :func:`~emoquant.metrics.tabulate.measure_rows` for the same sums, in its order.
        measures: The measures, in the order of their sums on the last axis.
        clusters: The sums by speaker.
    """
    filled = clusters.counts > 0
    clusters = Clusters(clusters.sums[filled.any(-1)], clusters.counts[filled.any(-1)])
    filled, ends = clusters.counts > 0, list[tuple[float, float, int]]()
    for measure, part in zip(measures, clusters.sums.split([each.width for each in measures], dim=-1), strict=True):
        whole = measure.figures(part.sum(0).movedim(0, 1))
        without = measure.figures((part.sum(0) - part).movedim(1, 2))
        for figure, left_out in zip(whole, without, strict=True):
            of = filled.any(-1)[:, None, None] if figure.pooled else filled[:, None, :]
            values = left_out.values.nan_to_num(math.inf)
            usable = (of & values.isfinite()).expand(values.shape)
            low, high = jackknife_interval(figure.values, values.where(usable, 0.0), usable)
            low, high = low.where(high - low < math.inf, torch.nan), high.where(high - low < math.inf, torch.nan)
            number = usable.sum(0)
            for value, *found in zip(
                figure.values.flatten().tolist(), low.flatten().tolist(), high.flatten().tolist(),
                number.flatten().tolist(), strict=True,
            ):  # fmt: skip
                ends.append(_bounded(figure, value, *found))
    return [row._replace(speaker_low=low, speaker_high=high, speakers=0 if math.isnan(low) else number)
            for row, (low, high, number) in zip(rows, ends, strict=True)]  # fmt: skip


def _bounded(figure: Figure, value: float, low: float, high: float, number: int) -> tuple[float, float, int]:
    if figure.share and value in (0.0, 1.0) and number > 1:
        return *certain_share_interval(value, number), number
    if figure.share or figure.unit:
        low, high = max(low, 0.0) if low == low else low, min(high, 1.0) if high == high else high
    return low, high, number
