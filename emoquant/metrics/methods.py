"""Comparison of methods that recognise an emotion: operating points from validation data, paired intervals.

A method (:class:`Way`) is a codec followed by the classifier, or a choice among codebooks. Decisions are counted by
speaker, so that the difference of two methods has a paired interval: a jackknife that leaves out the same speaker of
both at a time.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from emoquant.labels import canonical_emotion
from emoquant.metrics import recognition
from emoquant.metrics.intervals import jackknife_interval
from emoquant.metrics.measures import Observation
from emoquant.metrics.recognition import class_columns
from emoquant.storage.results import Row


class Way(NamedTuple):
    """Describe a method that recognises emotions: a codec followed by the classifier, or a choice among codebooks.

    Attributes:
        name: Name of the codec or the choice.
        points: Its operating points.
        labels: Classes of its logits.
    """

    name: str
    points: tuple[float, ...]
    labels: Sequence[str]


class Decided(Metric):
    """Count the decisions of one method by speaker, operating point, emotion and decision, ``(S, O, C, C)``.

    Args:
        way: The method.
        emotions: Emotions of the corpus; only their classes compete.
        speakers: Number of speakers ``S``.

    Raises:
        ValueError: The method has no class for an emotion.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, way: Way, emotions: Sequence[str], speakers: int) -> None:
        super().__init__()
        self.columns = class_columns(emotions, way.labels)
        shape = speakers, len(way.points), len(emotions), len(emotions)
        self.add_state("counts", torch.zeros(shape, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, seen: Observation, speakers: Tensor) -> None:
        """Count the decisions on a batch, with the speaker of each utterance, ``(B,)`` int64."""
        decided = seen.logits[..., self.columns.to(seen.logits.device)].argmax(-1)  # (O, B)
        point = torch.arange(len(decided), device=decided.device)[:, None].expand(decided.shape)
        index = speakers.expand(decided.shape), point, seen.emotions.expand(decided.shape), decided
        self.counts.index_put_(tuple(each.flatten() for each in index), self.counts.new_ones(()), accumulate=True)

    def compute(self) -> Tensor:
        """Return the counts, ``(S, O, C, C)`` int64."""
        return self.counts


class Methods(nn.Module):
    """Count the decisions of several methods on the same utterances.

    Args:
        ways: The methods, of different names; those without a class for every emotion are left out.
        emotions: Emotions of the corpus.
        speakers: Number of speakers.
    """

    def __init__(self, ways: Sequence[Way], emotions: Sequence[str], speakers: int) -> None:
        super().__init__()
        names = [canonical_emotion(emotion) for emotion in emotions]
        able = [way for way in ways if {*names} <= {canonical_emotion(label) for label in way.labels}]
        self.ways = able
        self.decided = nn.ModuleList(Decided(way, emotions, speakers) for way in able)

    def update(self, seen: Mapping[str, Observation], speakers: Tensor) -> None:
        """Count the decisions of all methods on a batch.

        Args:
            seen: Observation of the batch with each method, by the method's name.
            speakers: Speaker of each utterance, ``(B,)`` int64.
        """
        for way, decided in zip(self.ways, self.decided, strict=True):
            decided.update(seen[way.name], speakers)  # type: ignore[operator]  # a Decided, as a module


def macro_f1(counts: Tensor) -> Tensor:
    """Return the mean F1 over emotions, ``(...)`` float64, for counts ``(..., C, C)`` of emotion by decision.

    Emotions without utterances are left out of the mean.

    Example:
        >>> macro_f1(torch.tensor([[[2, 0], [0, 3]], [[1, 1], [0, 0]]])).tolist()
        [1.0, 0.6666666666666666]
    """
    return recognition.f1(counts, torch.arange(counts.shape[-1])).nanmean(-1)


def method_rows(
    corpus: str, ways: Sequence[Way], held: Sequence[Tensor], found: Sequence[Tensor], references: Sequence[str]
) -> list[Row]:
    """Return the rows that compare methods.

    - ``validation_f1``: macro-F1 on validation data at every point. The best one (the first of equals) is the method's
      chosen point.
    - ``chosen_f1``: macro-F1 on test data at the chosen point.
    - ``f1_gain/R``: macro-F1 on test data minus that of method R, at every point and R's point of the same index (or
      R's only point).
    - ``chosen_f1_gain/R``: the same with both methods at their chosen points.

    Args:
        corpus: Name of the corpus.
        ways: The methods.
        held: Decisions of each on validation data, ``(S, O, C, C)``.
        found: Decisions of each on test data, likewise.
        references: Names of the methods that the others are compared with; unknown names are passed over.

    Returns:
        Rows; those of test data have intervals clustered by speaker if there are two speakers or more.
    """
    f1 = [macro_f1(counts.sum(0)) for counts in held]
    chosen = {way.name: int(scores.nan_to_num(-1.0).argmax()) for way, scores in zip(ways, f1, strict=True)}
    tested = {way.name: counts for way, counts in zip(ways, found, strict=True)}
    rows = []
    for way, counts, scores in zip(ways, held, f1, strict=True):
        n = int(counts[:, 0].sum())
        rows += [
            Row.known(corpus, way.name, "validation_f1", score, point, n=n)
            for point, score in zip(way.points, scores.tolist(), strict=True)
        ]
        place, own = chosen[way.name], tested[way.name]
        rows.append(_row(corpus, way.name, way.points[place], "chosen_f1", own[:, place], None))
        for name in references:
            if name == way.name or name not in tested:
                continue
            other, best = tested[name], chosen[name]
            metric = f"chosen_f1_gain/{name}"
            rows.append(_row(corpus, way.name, way.points[place], metric, own[:, place], other[:, best]))
            if other.shape[1] in (1, own.shape[1]):
                rows += [
                    _row(corpus, way.name, point, f"f1_gain/{name}", own[:, each], other[:, each % other.shape[1]])
                    for each, point in enumerate(way.points)
                ]
    return rows


def _row(corpus: str, codec: str, point: float, metric: str, counts: Tensor, other: Tensor | None) -> Row:
    """Return a macro-F1 of counts ``(S, C, C)``, or how much it is above that of others on the same utterances."""

    def figure(first: Tensor, second: Tensor | None) -> Tensor:
        return macro_f1(first) if second is None else macro_f1(first) - macro_f1(second)

    there = counts.sum((1, 2)) > 0
    counts, other = counts[there], None if other is None else other[there]
    value = figure(counts.sum(0), None if other is None else other.sum(0))
    without = figure(counts.sum(0) - counts, None if other is None else other.sum(0) - other)
    low, high = jackknife_interval(value[None], without[:, None], without.isfinite()[:, None])
    least = 0.0 if other is None else -1.0  # an interval ends where a figure of its kind does
    ends = (math.nan, math.nan) if bool(low.isnan()) else (max(least, float(low)), min(1.0, float(high)))
    speakers = 0 if math.isnan(ends[0]) else len(counts)
    kind = "speakers" if speakers else ""
    return Row(
        corpus, codec, point, "all", metric, float(value), *ends, int(counts.sum()), "all", kind, 1, *ends, speakers
    )
