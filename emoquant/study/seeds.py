"""Figures of several seeds as one: means, with intervals over seeds and utterances together."""

import math
from collections.abc import Sequence

from scipy.stats import t

from emoquant.storage.results import Row


def merge_seeds(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """Return the rows of an evaluation that was repeated with other seeds, averaged.

    A row's interval has the half-widths ``sqrt(h^2 + (t * s / sqrt(S))^2)``: ``h`` is the mean half-width within a
    seed, ``s`` the standard deviation over the ``S`` seeds and ``t`` the 97.5 % quantile of Student's distribution with
    ``S - 1`` degrees of freedom. ``h`` does not shrink with ``S``, since all seeds share the test utterances.

    Args:
        runs: Rows of each seed. A figure that a seed lacks is averaged over the others; the column ``seeds`` says how
            many there are.
    """
    if len(runs) == 1:
        return list(runs[0])
    found: dict[tuple[object, ...], list[Row]] = {}
    for rows in runs:
        for row in rows:
            point = None if math.isnan(row.lmbda) else row.lmbda
            key = row.corpus, row.codec, point, row.emotion, row.metric, row.stratum, row.classifier
            found.setdefault(key, []).append(row)
    return [_merged(rows) for rows in found.values()]


def _merged(rows: list[Row]) -> Row:
    known = [row for row in rows if not math.isnan(row.value)]
    if not known:
        return rows[0]._replace(seeds=len(rows))
    count = len(known)
    value = math.fsum(row.value for row in known) / count
    between = 0.0
    if count > 1:
        deviation = math.sqrt(math.fsum((row.value - value) ** 2 for row in known) / (count - 1))
        between = float(t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)
    low, high, speaker_low, speaker_high = (
        _half(known, side, between) for side in ("low", "high", "speaker_low", "speaker_high")
    )
    least = min(row.n for row in known)
    merged = known[0]._replace(value=value, low=value - low, high=value + high, n=least, seeds=count)
    if math.isnan(speaker_low):
        return merged._replace(speaker_low=math.nan, speaker_high=math.nan, speakers=0)
    return merged._replace(speaker_low=value - speaker_low, speaker_high=value + speaker_high)


def _half(rows: list[Row], side: str, between: float) -> float:
    """Return the half-width of an interval on one side; NaN where no seed has one."""
    widths = [abs(getattr(row, side) - row.value) for row in rows if not math.isnan(getattr(row, side))]
    return math.hypot(math.fsum(widths) / len(widths), between) if widths else math.nan
