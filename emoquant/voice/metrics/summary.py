"""Figures of rendered clips: means with intervals by emotion and operating point, and trends over lambda.

What is resampled for an interval is a reference with all that is said after it, whatever the texts (they share emotion
vector and voice), or a speaker with all of theirs where there are at least 10.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import rankdata

from emoquant.metrics.intervals import MIN_SPEAKERS, certain_share_interval, percentile_interval
from emoquant.metrics.verification import equal_error_rates
from emoquant.storage.results import Row
from emoquant.voice.clips import Clip
from emoquant.voice.metrics.speakers import comparisons, is_compared

#: Measures of a clip that are figures as they are.
_MEASURED = (
    "similarity_reference", "similarity_own", "similarity_neutral", "similarity_partner", "speaker_similarity",
    "vector_similarity", "bits_per_frame", "f0_mean", "f0_deviation", "seconds", "duration_ratio", "duration_error",
    "character_error_rate", "word_error_rate", "distortion", "f0_error", "voicing_error", "quality",
)  # fmt: skip
#: Name of a figure, and how it is read off a clip.
FIGURES: dict[str, Callable[[Clip], float]] = {
    "recall": lambda clip: float(clip.predicted == clip.emotion) if clip.predicted else math.nan,
    "recall_second": lambda clip: float(clip.predicted_second == clip.emotion) if clip.predicted_second else math.nan,
    "predicted/neutral": lambda clip: float(clip.predicted == "neutral") if clip.predicted else math.nan,
    "predicted/partner": lambda clip: (
        float(clip.predicted == clip.partner_emotion) if clip.predicted and clip.partner_emotion else math.nan
    ),
    "presence_accuracy": lambda clip: clip.presence,
    "salience_accuracy": lambda clip: clip.salience,
    **{name: attrgetter(name) for name in _MEASURED},
}

#: Figures that are shares of clips.
SHARES = ("recall", "recall_second", "predicted/neutral", "predicted/partner", "presence_accuracy", "salience_accuracy")


class Trend(NamedTuple):
    """Spearman's rho in [-1, 1] with its 95 % interval; NaN where the figure or lambda does not vary."""

    rho: float
    low: float
    high: float


def clip_rows(clips: Sequence[Clip], corpus: str, replicates: int = 1000, seed: int = 0) -> list[Row]:
    """Return the mean of every figure by kind and condition, codec, operating point and emotion.

    ``stratum`` names kind and condition (``"synthesis/A"``, ``"ground_truth"``). Intervals are 95 % bootstraps over
    references or speakers (see the top of this file), expanded for few of them
    (:func:`~emoquant.metrics.intervals.percentile_interval`), Clopper and Pearson's where a share is 0 or 1; NaN below
    three. Besides, ``trend/FIGURE`` is Spearman's rho of a figure with lambda (:func:`trend`), and ``equal_error_rate``
    says how well clips are told from recordings of other speakers, where there is a speaker encoder.

    Args:
        clips: The clips.
        corpus: Name of the corpus.
        replicates: Bootstrap replicates.
        seed: Their seed.
    """
    kind = "speakers" if len({clip.speaker for clip in clips}) >= MIN_SPEAKERS else "utterances"
    cells: dict[tuple[str, str, float, str], list[Clip]] = {}
    for clip in clips:
        stratum = f"{clip.kind}/{clip.condition}" if clip.condition else clip.kind
        lmbda = -1.0 if math.isnan(clip.lmbda) else clip.lmbda
        for emotion in (clip.emotion, "all"):
            cells.setdefault((stratum, clip.codec, lmbda, emotion), []).append(clip)
    rows = []
    for (stratum, codec, lmbda, emotion), members in cells.items():
        point, blocks = math.nan if lmbda < 0 else lmbda, [_block(clip, kind) for clip in members]
        found = {name: _mean(name, members, blocks, replicates, seed) for name in FIGURES}
        if emotion == "all":  # speakers are told apart over all they say
            found["equal_error_rate"] = _speaker_errors(members, blocks, replicates, seed)
        for name, figure in found.items():
            if figure is not None:
                of = "" if math.isnan(figure.low) else kind
                rows.append(Row(corpus, codec, point, emotion, name, *figure, stratum, of))
    return rows + _trends(clips, corpus, kind, replicates, seed)


class _Figure(NamedTuple):
    """A figure with the ends of its interval and the clips that it is of."""

    value: float
    low: float
    high: float
    n: int


def _mean(name: str, clips: Sequence[Clip], blocks: Sequence[str], replicates: int, seed: int) -> _Figure | None:
    """Return the mean of a figure; None where no clip has it."""
    read = FIGURES[name]
    known = [(value, block) for clip, block in zip(clips, blocks, strict=True) if not math.isnan(value := read(clip))]
    if not known:
        return None
    values, held = np.array([value for value, _ in known]), [block for _, block in known]
    drawn, number = _drawn_means(values, held, replicates, seed)
    return _figure(name in SHARES, float(values.mean()), drawn, number, len(values))


def _speaker_errors(clips: Sequence[Clip], blocks: Sequence[str], replicates: int, seed: int) -> _Figure | None:
    """Return the equal error rate of the clips' speakers; None where they were not compared with others."""
    known = [row for row, clip in enumerate(clips) if is_compared(clip)]
    if not known:
        return None
    found, held = comparisons([clips[row] for row in known]), [blocks[row] for row in known]
    places, draws = _draws(held, replicates, seed)
    counts = np.stack([np.bincount(drawn, minlength=draws.shape[1])[places] for drawn in draws])
    whole = equal_error_rates(found, torch.ones(1, len(known), dtype=torch.float64))
    drawn = equal_error_rates(found, torch.from_numpy(counts).double())
    return _figure(True, float(whole), drawn.numpy(), draws.shape[1], len(known))


def _figure(share: bool, value: float, drawn: np.ndarray, blocks: int, n: int) -> _Figure:
    """Return a figure of ``n`` clips with the interval of its replicates ``(R,)``; exact where a share is 0 or 1."""
    ends = _ends(drawn, blocks)
    if share and value in (0.0, 1.0) and not math.isnan(ends[0]):
        ends = certain_share_interval(value, blocks)
    return _Figure(value, *ends, n)


def trend(
    lmbdas: Sequence[float],
    values: np.ndarray,
    replicates: int = 1000,
    seed: int = 0,
    blocks: Sequence[str] | None = None,
) -> Trend:
    """Return Spearman's rho of a figure with lambda, and its 95 % interval by a bootstrap over items.

    The figure is averaged over items at each lambda first, so rho says whether the mean rises or falls steadily.

    Args:
        lmbdas: Operating points, ``(O,)``.
        values: Figure of each item at each point, ``(items, O)``.
        replicates: Bootstrap replicates.
        seed: Their seed.
        blocks: Name of each item's block; items of one block are resampled together. By default each stands alone.

    Returns:
        Rho and its interval, which is NaN below three blocks.

    Example:
        >>> trend([0.0, 1.0, 2.0], np.array([[3.0, 2.0, 1.0], [4.0, 2.0, 0.0], [5.0, 2.0, 1.0]]), replicates=10)
        Trend(rho=-1.0, low=-1.0, high=-1.0)
    """
    order = rankdata(np.asarray(lmbdas, np.float64))
    rho = float(_correlation(order, rankdata(values.mean(0))))
    if math.isnan(rho):
        return Trend(rho, math.nan, math.nan)
    drawn, number = _drawn_means(values, range(len(values)) if blocks is None else blocks, replicates, seed)
    return Trend(rho, *_ends(_correlation(order, rankdata(drawn, axis=-1)), number))


def _trends(clips: Sequence[Clip], corpus: str, kind: str, replicates: int, seed: int) -> list[Row]:
    groups: dict[tuple[str, str, str], dict[tuple[str, str], dict[float, Clip]]] = {}
    for clip in clips:
        if clip.kind == "synthesis" and not math.isnan(clip.lmbda):
            for emotion in (clip.emotion, "all"):
                items = groups.setdefault((clip.condition, clip.codec, emotion), {})
                items.setdefault((clip.reference, clip.text), {})[clip.lmbda] = clip
    rows = []
    for (condition, codec, emotion), items in groups.items():
        points = sorted(set.intersection(*(set(by_point) for by_point in items.values())))
        if len(points) < 3:
            continue
        blocks = np.array([_block(by_point[points[0]], kind) for by_point in items.values()])
        for name, read in FIGURES.items():
            values = np.array([[read(by_point[point]) for point in points] for by_point in items.values()])
            whole = np.isfinite(values).all(1)  # without items that lack the figure, as unvoiced ones lack F0
            if whole.any():
                found = trend(points, values[whole], replicates, seed, blocks[whole].tolist())
                stratum, count = f"synthesis/{condition}", int(whole.sum())
                of = "" if math.isnan(found.low) else kind
                rows.append(Row(corpus, codec, math.nan, emotion, f"trend/{name}", *found, count, stratum, of))
    return rows


def _block(clip: Clip, kind: str) -> str:
    return clip.speaker if kind == "speakers" else clip.reference


def _draws(blocks: Sequence[Hashable], replicates: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the block of every item, ``(N,)``, and the blocks of every replicate, ``(R, blocks)``."""
    index = {block: number for number, block in enumerate(dict.fromkeys(blocks))}
    draws = np.random.default_rng(seed).integers(len(index), size=(replicates, len(index)))
    return np.array([index[block] for block in blocks]), draws


def _drawn_means(values: np.ndarray, blocks: Sequence[Hashable], replicates: int, seed: int) -> tuple[np.ndarray, int]:
    """Return means of values ``(N, ...)`` in which blocks are drawn as wholes, ``(R, ...)``, and how many these are."""
    places, draws = _draws(blocks, replicates, seed)
    sums = np.zeros((draws.shape[1], *values.shape[1:]))
    np.add.at(sums, places, values)
    counts = np.bincount(places).reshape(-1, *[1] * (values.ndim - 1))
    return sums[draws].sum(1) / counts[draws].sum(1), draws.shape[1]


def _ends(replicates: np.ndarray, blocks: int) -> tuple[float, float]:
    """Return the ends of a 95 % interval; NaN below three blocks."""
    if blocks < 3:
        return math.nan, math.nan
    low, high = percentile_interval(torch.from_numpy(replicates)[:, None], torch.tensor([blocks]))
    return float(low), float(high)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation along the last axis; NaN where a side does not vary."""
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    norm = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, ((a * b).sum(-1) / norm).round(12), np.nan)
