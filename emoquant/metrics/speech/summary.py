"""Figures of rendered clips: means with intervals by emotion and operating point, and trends over lambda."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from emoquant.clips import Clip
from emoquant.results import Row

#: Name of a figure, and how it is read off a clip.
FIGURES: dict[str, Callable[[Clip], float]] = {
    "recall": lambda clip: float(clip.predicted == clip.emotion) if clip.predicted else math.nan,
    "predicted/neutral": lambda clip: float(clip.predicted == "neutral") if clip.predicted else math.nan,
    "predicted/partner": lambda clip: (
        float(clip.predicted == clip.partner_emotion) if clip.predicted and clip.partner_emotion else math.nan
    ),
    "similarity_reference": lambda clip: clip.similarity_reference,
    "similarity_own": lambda clip: clip.similarity_own,
    "similarity_neutral": lambda clip: clip.similarity_neutral,
    "similarity_partner": lambda clip: clip.similarity_partner,
    "speaker_similarity": lambda clip: clip.speaker_similarity,
    "vector_similarity": lambda clip: clip.vector_similarity,
    "bits_per_frame": lambda clip: clip.bits_per_frame,
    "f0_mean": lambda clip: clip.f0_mean,
    "f0_deviation": lambda clip: clip.f0_deviation,
    "seconds": lambda clip: clip.seconds,
    "duration_ratio": lambda clip: clip.duration_ratio,
    "duration_error": lambda clip: clip.duration_error,
    "word_error_rate": lambda clip: clip.word_error_rate,
    "distortion": lambda clip: clip.distortion,
    "f0_error": lambda clip: clip.f0_error,
    "voicing_error": lambda clip: clip.voicing_error,
    "quality": lambda clip: clip.quality,
}


class Trend(NamedTuple):
    """Spearman's rho in [-1, 1] with its 95 % interval; NaN where the figure or lambda does not vary."""

    rho: float
    low: float
    high: float


def clip_rows(clips: Sequence[Clip], corpus: str, replicates: int = 1000, seed: int = 0) -> list[Row]:
    """Return the mean of every figure by kind and condition, codec, operating point and emotion.

    ``stratum`` names kind and condition (``"synthesis/A"``, ``"ground_truth"``). Intervals are 95 % percentile
    bootstraps over clips; NaN below three clips. Besides, ``trend/FIGURE`` is Spearman's rho of a figure with lambda
    (:func:`trend`).

    Args:
        clips: The clips.
        corpus: Name of the corpus.
        replicates: Bootstrap replicates.
        seed: Their seed.
    """
    cells: dict[tuple[str, str, float, str], list[Clip]] = {}
    for clip in clips:
        stratum = f"{clip.kind}/{clip.condition}" if clip.condition else clip.kind
        lmbda = -1.0 if math.isnan(clip.lmbda) else clip.lmbda
        for emotion in (clip.emotion, "all"):
            cells.setdefault((stratum, clip.codec, lmbda, emotion), []).append(clip)
    rows = []
    for (stratum, codec, lmbda, emotion), members in cells.items():
        point = math.nan if lmbda < 0 else lmbda
        for name, read in FIGURES.items():
            values = np.array([value for clip in members if not math.isnan(value := read(clip))])
            if len(values):
                low, high = _interval(values, replicates, seed)
                mean = float(values.mean())
                rows.append(
                    Row(corpus, codec, point, emotion, name, mean, low, high, len(values), stratum, "utterances")
                )
    return rows + _trends(clips, corpus, replicates, seed)


def trend(lmbdas: Sequence[float], values: np.ndarray, replicates: int = 1000, seed: int = 0) -> Trend:
    """Return Spearman's rho of a figure with lambda, and its 95 % interval by a bootstrap over items.

    The figure is averaged over items at each lambda first, so rho says whether the mean rises or falls steadily.

    Args:
        lmbdas: Operating points, ``(O,)``.
        values: Figure of each item at each point, ``(items, O)``.
        replicates: Bootstrap replicates.
        seed: Their seed.

    Returns:
        Rho and its interval, which is NaN below three items.

    Example:
        >>> trend([0.0, 1.0, 2.0], np.array([[3.0, 2.0, 1.0], [4.0, 2.0, 0.0], [5.0, 2.0, 1.0]]), replicates=10)
        Trend(rho=-1.0, low=-1.0, high=-1.0)
    """
    order = _ranks(np.asarray(lmbdas, np.float64))
    rho = float(_correlation(order, _ranks(values.mean(0))))
    if math.isnan(rho) or len(values) < 3:
        return Trend(rho, math.nan, math.nan)
    draws = np.random.default_rng(seed).integers(len(values), size=(replicates, len(values)))
    drawn = _correlation(order, _ranks(values[draws].mean(1)))
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (math.nan, math.nan)
    return Trend(rho, float(low), float(high))


def _trends(clips: Sequence[Clip], corpus: str, replicates: int, seed: int) -> list[Row]:
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
        for name, read in FIGURES.items():
            values = np.array([[read(by_point[point]) for point in points] for by_point in items.values()])
            values = values[np.isfinite(values).all(1)]  # without items that lack the figure, as unvoiced ones lack F0
            if len(values):
                rho, low, high = trend(points, values, replicates, seed)
                stratum, count = f"synthesis/{condition}", len(values)
                rows.append(
                    Row(corpus, codec, math.nan, emotion, f"trend/{name}", rho, low, high, count, stratum, "utterances")
                )
    return rows


def _interval(values: np.ndarray, replicates: int, seed: int) -> tuple[float, float]:
    if len(values) < 3:
        return math.nan, math.nan
    draws = np.random.default_rng(seed).integers(len(values), size=(replicates, len(values)))
    low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
    return float(low), float(high)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis, ``(..., O)``; equal values share their mean rank."""
    this, other = values[..., :, None], values[..., None, :]
    return (this > other).sum(-1) + ((this == other).sum(-1) - 1) / 2


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation along the last axis; NaN where a side does not vary."""
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    norm = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, ((a * b).sum(-1) / norm).round(12), np.nan)
