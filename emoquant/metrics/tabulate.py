"""Rows of ``results.csv`` from sums: figures, their 95 % intervals and the number of utterances."""

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import cycle, repeat
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.metrics.distinct import count_distinct, pool_distinct
from emoquant.metrics.intervals import (
    certain_share_interval,
    jackknife_interval,
    resampling_weights,
    sorted_interval,
)
from emoquant.metrics.measures import Measure
from emoquant.metrics.rate import perplexity, usage
from emoquant.metrics.ratios import Figure
from emoquant.storage.results import Row


class Subject(NamedTuple):
    """Hold corpus, codec, operating points and emotions of rows.

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
    """Hold the settings of the bootstrap.

    Attributes:
        kind: Units that are resampled, as in the ``interval`` column: ``speakers`` or ``utterances``.
        replicates: Bootstrap replicates.
        seed: Seed of the bootstrap.
    """

    kind: str
    replicates: int
    seed: int


class Part(NamedTuple):
    """Hold the part of the corpus that rows are about.

    Attributes:
        stratum: Name of the part; ``"all"`` for the whole.
        metrics: Names of the metrics that are reported of it; all if None.
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
    """Return the rows of measures with bootstrap or jackknife intervals, from their sums per block.

    Args:
        subject: Corpus, codec, points and emotions.
        measures: The measures, in the order of their sums on the last axis.
        sums: Sums of each block and emotion, ``(G, C, O, M)`` float64.
        counts: Utterances of each block and emotion, ``(G, C)`` int64.
        sampling: Settings of the bootstrap.
        about: Part of the corpus that is counted.
    """
    filled = counts > 0
    held = filled.any(-1)
    weights = resampling_weights(held, sampling.replicates, sampling.seed)[:, held]
    blocks = filled.sum(0), held.sum()[None]  # per emotion, pooled
    widths = [measure.width for measure in measures]
    rows: list[Row] = []
    parts = zip(*(each.split(widths, dim=-1) for each in (sums, sums[held])), strict=True)
    for measure, (part, of_held) in zip(measures, parts, strict=True):
        estimates = measure.figures(part.sum(0).movedim(0, 1), about.metrics)  # (O, C, M)
        jackknifed = {figure.metric for figure in estimates if figure.jackknife}
        left_out: Iterator[Figure] = iter(())
        if jackknifed:
            left_out = iter(measure.figures((part.sum(0) - part).movedim(1, 2), jackknifed))  # (G, O, C, M)
        resampled = {figure.metric for figure in estimates} - jackknifed
        drawn = _percentiles(measure, of_held, weights, resampled, blocks)
        for figure in estimates:
            if figure.jackknife:
                ends = jackknife_interval(figure.values, next(left_out).values, held[:, None, None])
            else:
                ends = next(drawn[figure.pooled])
            found = _figure_rows(subject, figure, *ends, sampling.kind, blocks[figure.pooled], about.stratum)
            rows += found if not measure.classifier else (row._replace(classifier=measure.classifier) for row in found)
    return rows


def _percentiles(
    measure: Measure, part: Tensor, weights: Tensor, metrics: Collection[str], blocks: tuple[Tensor, Tensor]
) -> tuple[Iterator[tuple[Tensor, Tensor]], Iterator[tuple[Tensor, Tensor]]]:
    """Return the ends of bootstrap intervals of a measure's figures in their order: per emotion, and pooled.

    Args:
        measure: The measure.
        part: Its sums, ``(G, C, O, M)``.
        weights: How often each replicate draws each block, ``(R, G)``.
        metrics: The metrics that are wanted.
        blocks: Non-empty blocks per emotion, ``(C,)``, and of all utterances, ``(1,)``.
    """
    if not metrics:
        return iter(()), iter(())
    figures, ends = measure.figures(_replicates(measure, part, weights, metrics), metrics), []
    for pooled in (False, True):
        values = [figure.values.movedim(0, -1) for figure in figures if figure.pooled is pooled]
        found = sorted_interval(torch.stack(values), blocks[pooled]) if values else ((), ())
        ends.append(zip(*found, strict=True))
    return ends[0], ends[1]


def _replicates(measure: Measure, part: Tensor, weights: Tensor, metrics: Collection[str]) -> Tensor:
    """Return the sums of each replicate, ``(R, O, C, M)``; those that the metrics do not read are anything.

    The replicates of a sum lie side by side, as they are added, divided and sorted by themselves.
    """
    _, emotions, points, width = part.shape
    columns = measure.reads(metrics)
    chosen = part[..., columns].permute(3, 2, 1, 0)  # (columns, O, C, G)
    rows = (chosen.reshape(-1, weights.shape[1]) @ weights.T).view(*chosen.shape[:3], -1)
    drawn = rows if len(columns) == width else rows.new_empty(width, points, emotions, len(weights))
    if drawn is not rows:
        drawn[columns] = rows
    return drawn.permute(3, 1, 2, 0)


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
    values, counts, lows, highs = ([x for row in column.tolist() for x in row[: len(emotions)]] for column in columns)
    numbers = [round(count) for count in counts]
    if figure.share:
        drawn = blocks.tolist() if blocks is not None and kind == "speakers" else None
        for place, (value, n) in enumerate(zip(values, numbers, strict=True)):
            if value in (0.0, 1.0) and n:
                # Utterances of one speaker are no independent draws: where speakers are resampled, they are counted.
                number = n if drawn is None else int(drawn[place % len(emotions)])
                lows[place], highs[place] = certain_share_interval(value, number)
    names = ["" if math.isnan(end) else kind for end in lows]
    points = [point for point in subject.points for _ in emotions]
    return map(Row, repeat(subject.corpus), repeat(subject.codec), points, cycle(emotions), repeat(figure.metric),
               values, lows, highs, numbers, repeat(stratum), names)  # fmt: skip


def distinct_rows(subject: Subject, kept: Tensor, counts: Tensor) -> list[Row]:
    """Return the rows of the number of different outputs, per emotion and of all utterances.

    They have no interval, as the number is no estimate for other utterances and grows with those that are counted.

    Args:
        subject: Corpus, codec, points and emotions.
        kept: Hashes kept by :class:`~emoquant.metrics.distinct.DistinctOutputs`, ``(O * C, bound)`` int64.
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
    """Return the rows of codebook perplexity, codebook usage and token entropy, with jackknife intervals.

    Perplexity and usage are means over the code positions. ``token_entropy`` is the sum of the entropies of the
    positions' histograms, in bits a frame.

    Args:
        subject: Corpus, codec, points and emotions.
        histogram: Counts of codes, ``(O, H, C, P, V)`` int64 for ``H`` groups of utterances.
        counts: Utterances of each emotion, ``(C,)`` int64.
        kind: Units that a group consists of, as in the ``interval`` column.
    """
    rows: list[Row] = []
    positions, codes = histogram.shape[-2:]
    most = positions * math.log2(codes)
    bounds = {"codebook_perplexity": (1.0, float(codes)), "token_entropy": (0.0, most), "codebook_usage": (0.0, 1.0)}
    for pooled in (False, True):
        part = histogram.sum(2, keepdim=True) if pooled else histogram
        total = part.sum(1)  # (O, E, P, V)
        values = _code_figures(total)
        without = [_code_figures(total - group) for group in part.unbind(1)]
        filled = (part[..., 0, :].sum(-1) > 0).movedim(1, 0)  # (H, O, E)
        for metric, value in values.items():
            low, high = jackknife_interval(value, torch.stack([each[metric] for each in without]), filled)
            numbers = (counts.sum()[None] if pooled else counts).expand(value.shape)
            ends = low.clamp(*bounds[metric]), high.clamp(*bounds[metric])
            rows += _figure_rows(subject, Figure(metric, value, numbers, pooled), *ends, kind)
    return rows


def _code_figures(histogram: Tensor) -> dict[str, Tensor]:
    """Return figures ``(O, E)`` of code histograms ``(O, E, P, V)``."""
    spread = perplexity(histogram)
    return {
        "codebook_perplexity": spread.mean(-1),
        "token_entropy": spread.log2().sum(-1),
        "codebook_usage": usage(histogram).mean(-1),
    }
