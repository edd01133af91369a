"""The findings of the study, each held against results: what was measured, by which rule, and whether it holds there.

Each finding is a list of cases (an emotion, a codebook, a pair) that speak for it or do not. It *holds* where all of
them do, *in part* where some do, and *does not hold* where none does.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, UNQUANTIZED, MissingRowsError, Results
from emoquant.results import Row

NEUTRAL = "neutral"
#: Name of the codec that lowers similarity directly (:class:`emoquant.codecs.Greedy`).
DIRECT = "greedy"
#: Similarity at which a move is looked at: enough is lost to have gone somewhere, enough is left to be no collapse.
MOVED = 0.8
#: A recall below this share of the unquantized one is a lost emotion.
LOST = 0.5
#: An emotion that is recognised less often than this before coding cannot be lost.
RECOGNISED = 0.2


class Case(NamedTuple):
    """One observation: what it is of, whether it speaks for the finding, and its figure."""

    name: str
    holds: bool
    figure: str


class Finding(NamedTuple):
    """A statement of the study and what results say of it.

    Attributes:
        statement: What the study found.
        rule: When a case counts for it.
        cases: The cases.
        remark: A figure beside them; may be empty.
    """

    statement: str
    rule: str
    cases: Sequence[Case]
    remark: str = ""

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"in part"`` or ``"does not hold"``."""
        held = sum(case.holds for case in self.cases)
        return "holds" if held == len(self.cases) else "in part" if held else "does not hold"


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Return the findings that the rows of one run speak of; none where the run is of something else.

    Args:
        rows: Rows of a results file of one corpus.
    """
    found: list[Finding] = []
    results = Results(rows)
    for rule in (_far_end, _neutral_stays, _towards_neutral, _direct, _own_kept, _attracted, _agreement, _synthesised):
        try:
            finding = rule(results)
        except MissingRowsError:
            continue
        if finding is not None and finding.cases:
            found.append(finding)
    return found


def _swept(results: Results) -> tuple[str, list[str]]:
    """Return the codec of a sweep over lambda and the emotions beside neutral."""
    codecs = [codec for codec in results.codecs("recall") if codec != DIRECT]
    emotions = results.emotions("recall")
    if len(codecs) != 1 or NEUTRAL not in emotions:
        raise MissingRowsError("no sweep of one codec with a neutral emotion")
    return codecs[0], [emotion for emotion in emotions if emotion != NEUTRAL]


def _row(results: Results, metric: str, codec: str, point: float, emotion: str = ALL, stratum: str = ALL) -> Row:
    row = results.find(metric, codec, point, emotion, stratum)
    if row is None:
        raise MissingRowsError(f"no {metric} of {emotion} by {codec} at {point:g}")
    return row


def _last(results: Results, metric: str, codec: str) -> float:
    points = results.points(metric, codec)
    if not points:
        raise MissingRowsError(f"no {metric} by {codec}")
    return points[-1]


def _text(row: Row) -> str:
    measure = quantity(row.metric)
    interval = "" if math.isnan(row.low) else f" [{measure.text(row.low)}, {measure.text(row.high)}]"
    return f"{measure.text(row.value)}{interval}"


def _far_end(results: Results) -> Finding | None:
    codec, others = _swept(results)
    last = _last(results, "recall", codec)
    cases = []
    for emotion in (NEUTRAL, *others):
        row = _row(results, "recall", codec, last, emotion)
        cases.append(Case(emotion, row.value >= 0.95 if emotion == NEUTRAL else row.value <= 0.05, f"{_text(row)} %"))
    outputs = _row(results, "distinct_outputs", codec, last)
    remark = f"{outputs.value:.0f} distinct outputs of {outputs.n} utterances are left"
    return Finding(
        "At the far end everything is classified neutral.",
        f"recall at λ = {point_text(last)} is at least 95 % for neutral, at most 5 % for an emotion",
        cases,
        remark,
    )


def _neutral_stays(results: Results) -> Finding | None:
    codec, others = _swept(results)
    last = _last(results, "utterance_similarity", codec)
    stays = _row(results, "utterance_similarity", codec, last, NEUTRAL)
    rows = [_row(results, "utterance_similarity", codec, last, emotion) for emotion in others]
    return Finding(
        "The emotions lose their similarity, neutral hardly does.",
        f"the interval of similarity at λ = {point_text(last)} lies below that of neutral",
        [Case(row.emotion, row.high < stays.low, _text(row)) for row in rows],
        f"neutral {_text(stays)}",
    )


def _towards_neutral(results: Results) -> Finding | None:
    codec, others = _swept(results)
    pooled = [row for row in results.series("utterance_similarity", codec) if not math.isnan(row.value)]
    if not pooled:
        return None
    at = min(pooled, key=lambda row: abs(row.value - MOVED)).lmbda
    rows = [_row(results, "preference_for_neutral", codec, at, emotion) for emotion in others]
    return Finding(
        "The emotions do not just get lost: they move towards neutral.",
        f"the preference for neutral at λ = {point_text(at)} (similarity nearest to {MOVED:g}) has an interval above 0",
        [Case(row.emotion, row.low > 0, _text(row)) for row in rows],
    )


def _direct(results: Results) -> Finding | None:
    _, others = _swept(results)
    if DIRECT not in results.codecs("recall"):
        return None
    lost = {emotion: _lost_at(results, emotion) for emotion in (NEUTRAL, *others)}
    first = lost[NEUTRAL]
    if first is None:
        return None
    return Finding(
        "Lowering similarity directly, without an entropy model, takes neutral away first.",
        f"recall falls below {LOST:g} of the unquantized one at a lower target of similarity than that of neutral",
        [
            Case(e, at < first, "never" if at < 0 else point_text(at))
            for e, at in lost.items()
            if e != NEUTRAL and at is not None
        ],
        f"neutral at {'never' if first < 0 else point_text(first)}",
    )


def _lost_at(results: Results, emotion: str) -> float | None:
    """Return the highest target at which an emotion is lost; -1 for never, None where it was not recognised before."""
    before = _row(results, "recall", UNQUANTIZED, math.nan, emotion).value
    if not before >= RECOGNISED:
        return None
    return max((r.lmbda for r in results.series("recall", DIRECT, emotion) if r.value < LOST * before), default=-1.0)


def _biased(results: Results) -> dict[str, str]:
    """Return the emotion of every codec of a run whose codecs were trained on one emotion each."""
    codecs = {codec: results.codebook_emotion(codec) for codec in results.codecs("recall")}
    trained = {codec: emotion for codec, emotion in codecs.items() if emotion is not None}
    if len(trained) < 3 or len(trained) < len(codecs) or not results.targets("attraction"):
        raise MissingRowsError("no codebooks of single emotions")
    return trained


def _own_kept(results: Results) -> Finding | None:
    codecs = _biased(results)
    last = results.points("recall", next(iter(codecs)))[-1]
    cases = []
    for codec, emotion in codecs.items():
        own = _row(results, "recall", codec, last, emotion)
        foreign = [_row(results, "recall", other, last, emotion).value for other in codecs if other != codec]
        average = sum(foreign) / len(foreign)
        figure = f"{_text(own)} % against {100 * average:.1f} % by the others"
        cases.append(Case(codec, own.value >= 0.5 and own.low > average, figure))
    return Finding(
        "A codebook trained on one emotion keeps that emotion at high λ.",
        f"recall of its emotion at λ = {point_text(last)} is at least 50 % and above the other codebooks' mean",
        cases,
    )


def _attracted(results: Results) -> Finding | None:
    codecs = _biased(results)
    first, emotions = results.points("recall", next(iter(codecs)))[0], results.emotions("recall")
    pairs = [(codec, emotion) for codec in codecs for emotion in emotions if emotion != codecs[codec]]
    rows = [(codec, _row(results, f"attraction/{codecs[codec]}", codec, first, e)) for codec, e in pairs]
    return Finding(
        "It pulls every other emotion towards its own, already at λ 0.",
        f"the angle to the centroid of the codebook's emotion falls at λ = {point_text(first)}, with its interval",
        [Case(f"{row.emotion} by {codec}", row.high < 0, f"{_text(row)}°") for codec, row in rows],
        f"median {median(row.value for _, row in rows):.2f}°",
    )


def _agreement(results: Results) -> Finding | None:
    strata = [name for name in results.strata("recall") if "agreement" in name]
    codec = results.codecs("recall")[0]
    if len(strata) < 2:
        return None
    cases = []
    for emotion in results.emotions("recall"):
        found = [s for s in (strata[0], strata[-1]) if results.find("recall", UNQUANTIZED, math.nan, emotion, s)]
        if len(found) == 2:
            cases += _unclear(results, codec, emotion, found[0], found[1])
    return Finding(
        "Agreement of the annotators has no clear effect on what λ does to recall.",
        "at every λ the intervals of the recall that is left overlap between least and most agreement",
        cases,
    )


def _unclear(results: Results, codec: str, emotion: str, least: str, most: str) -> list[Case]:
    losses: list[tuple[Row, Row]] = []
    before = [_row(results, "recall", UNQUANTIZED, math.nan, emotion, s).value for s in (least, most)]
    for row in results.series("recall", codec, emotion, least):
        other = results.find("recall", codec, row.lmbda, emotion, most)
        if other is not None and not any(math.isnan(v) for v in (*row[5:8], *other[5:8])):
            losses.append((row, other))
    if not losses or not all(value >= RECOGNISED for value in before):
        return []
    scaled = [[(r.low / b, r.high / b) for r, b in zip(pair, before, strict=True)] for pair in losses]
    apart = [pair[0].lmbda for pair, (a, b) in zip(losses, scaled, strict=True) if a[1] < b[0] or b[1] < a[0]]
    visible = min((a[1] - a[0] + b[1] - b[0]) / 2 for a, b in scaled)
    overlap = f"overlap; a difference below {visible:.2f} of the recall would not show"
    return [Case(emotion, not apart, f"apart at λ = {', '.join(map(point_text, apart))}" if apart else overlap)]


def _synthesised(results: Results) -> Finding | None:
    codec, _ = _swept(results)
    strata = [name for name in results.strata("trend/predicted/neutral") if name.startswith("synthesis")]
    rows = [_row(results, "trend/predicted/neutral", codec, math.nan, stratum=name) for name in strata]
    return Finding(
        "Speech synthesised from a quantized reference turns neutral as λ grows.",
        "Spearman's rank correlation of λ and being recognised as neutral has an interval above 0",
        [Case(row.stratum.replace("synthesis/", "condition "), row.low > 0, _text(row)) for row in rows],
    )
