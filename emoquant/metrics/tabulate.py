"""From sums to rows: figures, their 95 % intervals and the number of utterances behind them."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.metrics.distinct import count_distinct, pool_distinct
from emoquant.metrics.intervals import (
    certain_share_interval,
    jackknife_interval,
    percentile_interval,
    resampling_weights,
)
from emoquant.metrics.measures import Measure
from emoquant.metrics.rate import perplexity, usage
from emoquant.metrics.ratios import Figure
from emoquant.storage.results import Row


class Subject(NamedTuple):
    """What rows are about.

    Attributes:
        corpus: Name of the corpus.
        codec: Name of the codec.
        points: Its operating points.
        emotions: Names of the emotions.
    """

    corpus: str
    codec: str
    points: tuple[float, ...]
    emotions: tuple[str, ...]


class Sampling(NamedTuple):
    """How intervals are made.

    Attributes:
        kind: What is resampled, as in the ``interval`` column.
        replicates: Bootstrap replicates.
        seed: Seed of the bootstrap.
    """

    kind: str
    replicates: int
    seed: int


class Part(NamedTuple):
    """Which part of the corpus rows are about.

    Attributes:
        stratum: Its name, or ``"all"``.
        metrics: Metrics that are reported of it; all if None.
    """

    stratum: str = "all"
    metrics: tuple[str, ...] | None = None


WHOLE = Part()


def measure_rows(
    subject: Subject,
    measures: Sequence[Measure],
    sums: Tensor,
    counts: Tensor,
    sampling: Sampling,
    about: Part = WHOLE,
) -> list[Row]:
    """Return the rows of measures, from their sums per block.

    Args:
        subject: Corpus, codec, points and emotions.
        measures: The measures whose sums stand side by side.
        sums: ``(G, C, O, M)`` float64.
        counts: Utterances of each block and emotion, ``(G, C)`` int64.
        sampling: How intervals are made.
        about: Part of the corpus that is counted.
    """
    filled = counts > 0
    held = filled.any(-1)
    weights = resampling_weights(held, sampling.replicates, sampling.seed)
    blocks = filled.sum(0), held.sum()[None]  # per emotion, pooled
    widths = [measure.width for measure in measures]
    rows: list[Row] = []
    for measure, part in zip(measures, sums.split(widths, dim=-1), strict=True):
        estimates = measure.figures(part.sum(0).movedim(0, 1), about.metrics)  # (O, C, M)
        jackknifed = {figure.metric for figure in estimates if figure.jackknife}
        resampled = {figure.metric for figure in estimates} - jackknifed
        left_out: Iterator[Figure] = iter(())
        replicates: Iterator[Figure] = iter(())
        if jackknifed:
            left_out = iter(measure.figures((part.sum(0) - part).movedim(1, 2), jackknifed))  # (G, O, C, M)
        if resampled:
            drawn = torch.einsum("rg,gcom->rocm", weights[:, held], part[held])
            replicates = iter(measure.figures(drawn, resampled))
        for figure in estimates:
            of = blocks[1] if figure.pooled else blocks[0]
            if figure.jackknife:
                ends = jackknife_interval(figure.values, next(left_out).values, held[:, None, None])
            else:
                ends = percentile_interval(next(replicates).values, of)
            rows += _figure_rows(subject, figure, *ends, sampling.kind, of, about.stratum)
    return rows


def _figure_rows(
    subject: Subject,
    figure: Figure,
    low: Tensor,
    high: Tensor,
    kind: str,
    blocks: Tensor | None = None,
    stratum: str = "all",
) -> Iterator[Row]:
    emotions = ("all",) if figure.pooled else subject.emotions
    columns = figure.values, figure.counts, low, high
    values, counts, lows, highs = ([row[: len(emotions)] for row in column.tolist()] for column in columns)
    drawn = blocks.tolist() if blocks is not None and kind == "speakers" else None
    for o, point in enumerate(subject.points):
        for e, emotion in enumerate(emotions):
            value, n, ends = values[o][e], round(counts[o][e]), (lows[o][e], highs[o][e])
            if figure.share and value in (0.0, 1.0) and n:
                # Utterances of one speaker are no independent draws: where speakers are resampled, they are counted.
                ends = certain_share_interval(value, n if drawn is None else int(drawn[e]))
            name = "" if math.isnan(ends[0]) else kind
            yield Row(subject.corpus, subject.codec, point, emotion, figure.metric, value, *ends, n, stratum, name)


def distinct_rows(subject: Subject, kept: Tensor, counts: Tensor) -> list[Row]:
    """Return the number of different outputs, per emotion and of all.

    It is a fact about the utterances counted and grows with their number, so it has no interval.

    Args:
        subject: Corpus, codec, points and emotions.
        kept: Smallest hashes, ``(O * C, bound)`` int64.
        counts: Utterances of each emotion, ``(C,)`` int64.
    """
    kept = kept.view(len(subject.points), len(subject.emotions), -1)
    rows: list[Row] = []
    for pooled, found in ((False, kept), (True, pool_distinct(kept)[:, None])):
        values = count_distinct(found)
        numbers = (counts.sum()[None] if pooled else counts).expand(values.shape)
        values = torch.where(numbers > 0, values, torch.nan)
        missing = torch.full_like(values, torch.nan)
        rows += _figure_rows(subject, Figure("distinct_outputs", values, numbers, pooled), missing, missing, "")
    return rows


def code_rows(subject: Subject, histogram: Tensor, counts: Tensor, kind: str) -> list[Row]:
    """Return codebook perplexity and usage, the mean over code positions, with jackknife intervals.

    Args:
        subject: Corpus, codec, points and emotions.
        histogram: Counts of codes, ``(O, H, C, P, V)`` int64 for ``H`` groups of utterances.
        counts: Utterances of each emotion, ``(C,)`` int64.
        kind: What a group is made of, as in the ``interval`` column.
    """
    rows: list[Row] = []
    for metric, quantity in (("codebook_perplexity", perplexity), ("codebook_usage", usage)):
        for pooled in (False, True):
            part = histogram.sum(2, keepdim=True) if pooled else histogram
            total = part.sum(1)  # (O, E, P, V)
            value = quantity(total).mean(-1)
            left_out = torch.stack([quantity(total - group).mean(-1) for group in part.unbind(1)])
            filled = (part[..., 0, :].sum(-1) > 0).movedim(1, 0)  # (H, O, E)
            low, high = jackknife_interval(value, left_out, filled)
            bounds = (1.0, float(histogram.shape[-1])) if metric == "codebook_perplexity" else (0.0, 1.0)
            numbers = (counts.sum()[None] if pooled else counts).expand(value.shape)
            figure = Figure(metric, value, numbers, pooled)
            rows += _figure_rows(subject, figure, low.clamp(*bounds), high.clamp(*bounds), kind)
    return rows
