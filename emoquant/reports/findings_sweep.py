"""Rules for the findings on a sweep over lambda: what is left at its end, and what moves before."""

import math
from collections.abc import Callable, Sequence

from emoquant.reports.chance import DISTINCT, SPREAD, collapse, most_predicted
from emoquant.reports.evidence import Estimate, answers, holm
from emoquant.reports.quantities import point_text, row_text
from emoquant.reports.rows import UNQUANTIZED, MissingRowsError, Results
from emoquant.reports.verdicts import Case, Finding

NEUTRAL = "neutral"
#: Name of the codec that lowers similarity directly (:class:`emoquant.codecs.Greedy`).
DIRECT = "greedy"
#: Share of an emotion's utterances that are "all".
NEARLY_ALL = 0.95
#: Smallest difference of cosines of interest.
COSINE = 0.05
#: A recall below this share of the unquantized one is a lost emotion.
LOST = 0.5
#: An emotion that is recognised less often than this before coding cannot be lost.
RECOGNISED = 0.2


def swept(results: Results) -> tuple[str, list[str]]:
    """Return the codec of a sweep over lambda and the emotions beside neutral.

    Raises:
        MissingRowsError: The rows are of several codecs, or none of neutral.
    """
    codecs = [codec for codec in results.codecs("recall") if codec != DIRECT]
    emotions = results.emotions("recall")
    if len(codecs) != 1 or NEUTRAL not in emotions:
        raise MissingRowsError("no sweep of one codec with a neutral emotion")
    return codecs[0], [emotion for emotion in emotions if emotion != NEUTRAL]


def something_left(results: Results, codec: str, points: Sequence[float]) -> tuple[list[float], str]:
    """Return the operating points where something is left, and why nothing is at the others (of the first of them)."""
    found = {point: collapse(results, codec, point) for point in points}
    reasons = [f"{why} at λ = {point_text(point)}" for point, why in found.items() if why]
    return [point for point, why in found.items() if not why], reasons[0] if reasons else ""


def far_end(results: Results) -> Finding | None:
    """Everything turns neutral: emotions are taken for it, by outputs that differ and went there, not to the mean."""
    codec, others = swept(results)
    last = results.points("recall", codec)[-1]
    rows = [results.row(f"predicted/{NEUTRAL}", codec, last, emotion) for emotion in others]
    cases = [
        Case(row.emotion, "yes" if row.value >= NEARLY_ALL else "open" if row.high >= NEARLY_ALL else "no", figure)
        for row, figure in ((row, f"{row_text(row)} %") for row in rows)
    ]
    neutral, mean = (results.row(f"distance_to_{to}", codec, last) for to in (NEUTRAL, "mean"))
    reason = collapse(results, codec, last, recognised=False)
    if not reason and any(case.answer == "yes" for case in cases) and not neutral.high < mean.low:
        reason = (
            f"the outputs went to the training mean ({row_text(mean)} % of the distance left) rather than to neutral "
            f"({row_text(neutral)} %)"
        )
    return Finding(
        "At the far end everything is classified neutral.",
        f"at λ = {point_text(last)} at least {NEARLY_ALL:.0%} of an emotion are classified neutral, while at least "
        f"{DISTINCT:.0%} of the outputs differ, {SPREAD:.0%} of the distance to the training mean is left, and less of "
        "that to neutral",
        cases,
        _name_of_the_end(results, codec, last),
        reason,
    )


def _name_of_the_end(results: Results, codec: str, point: float) -> str:
    """Return a sentence: the class that most outputs are given, their share, and its mean probability."""
    name, share = most_predicted(results, codec, point)
    likely = []
    for each in results.targets("probability"):
        row = results.find(f"probability/{each}", codec, point)
        if row is not None:
            likely.append((row.value, each))
    likely.sort(reverse=True)
    margin = results.find("margin", codec, point)
    parts = [f"{share:.0%} are classified {name}"]
    if likely and margin is not None:
        probabilities = ", ".join(f"{each} {value:.2f}" for value, each in likely[:3])
        parts.append(f"mean probabilities {probabilities}; margin of the first over the second {margin.value:.2f}")
    return "; ".join(parts)


def neutral_stays(results: Results, space: str = "") -> Finding | None:
    """Emotions lose more similarity than neutral, and more than shrinking to the mean would take from them."""
    similarity, excess = (in_space(metric, space) for metric in ("utterance_similarity", "excess_similarity"))

    def advantage(metric: str, codec: str, point: float, emotion: str) -> Estimate:
        rows = [results.row(metric, codec, point, each) for each in (NEUTRAL, emotion)]
        return Estimate.of(rows[0]).minus(Estimate.of(rows[1]))

    def effect(codec: str, point: float, emotion: str) -> tuple[Estimate, Estimate]:
        return advantage(similarity, codec, point, emotion), advantage(excess, codec, point, emotion)

    return _at_some_lambda(
        results,
        f"The emotions lose their similarity, neutral hardly does{where_text(space)}.",
        f"at some λ the similarity of neutral is higher by more than {COSINE:g}, and by more than if all were shrunk "
        "to the training mean",
        effect,
    )


def towards_neutral(results: Results, space: str = "") -> Finding | None:
    """Emotions prefer neutral to other emotions that are not theirs, beyond what shrinking to the mean would give."""
    metrics = [in_space(each, space) for each in ("preference_for_neutral", "excess_preference_for_neutral")]

    def effect(codec: str, point: float, emotion: str) -> tuple[Estimate, Estimate]:
        found = [Estimate.of(results.row(metric, codec, point, emotion)) for metric in metrics]
        return found[0], found[1]

    return _at_some_lambda(
        results,
        f"The emotions do not just get lost: they move towards neutral{where_text(space)}.",
        f"at some λ the preference for neutral is more than {COSINE:g}, and more than if all were shrunk to the "
        "training mean",
        effect,
    )


def in_space(metric: str, space: str) -> str:
    """Return a metric as it is named in a space; that of the features has no name."""
    return f"{metric}@{space}" if space else metric


def where_text(space: str) -> str:
    """Return the space of a finding in brackets; empty for that of the features."""
    return f" (in the space {space})" if space else ""


def _at_some_lambda(
    results: Results, statement: str, rule: str, effect: Callable[[str, float, str], tuple[Estimate, Estimate]]
) -> Finding:
    """Return a finding on every lambda where something is left; no lambda is chosen, all tests are corrected together.

    Args:
        results: Rows of one corpus.
        statement: What the study found.
        rule: When a case counts for it.
        effect: Of codec, operating point and emotion: the effect, and what of it is more than shrinking.
    """
    codec, others = swept(results)
    points, reason = something_left(results, codec, results.points("recall", codec))
    rule += "; all λ with something left, Holm's correction over λ and emotions"
    if not points:
        return Finding(statement, rule, [], "", reason)
    tested = [(emotion, point) for emotion in others for point in points]
    effects = [effect(codec, point, emotion) for emotion, point in tested]
    found = answers([main for main, _ in effects], COSINE)
    more = holm([excess.p_above(0.0) for _, excess in effects])
    cases = []
    for emotion in others:
        places = [place for place, (name, _) in enumerate(tested) if name == emotion]
        proved = [place for place in places if found[place] == "yes" and more[place]]
        is_open = any(found[place] == "open" for place in places)
        shown = max(proved or places, key=lambda place: effects[place][0].value)
        value, low, high = effects[shown][0]
        figure = f"{value:.3f} [{low:.3f}, {high:.3f}] at λ = {point_text(tested[shown][1])}"
        cases.append(Case(emotion, "yes" if proved else "open" if is_open else "no", figure))
    return Finding(statement, rule, cases, f"largest of λ = {', '.join(map(point_text, points))}")


def direct(results: Results) -> Finding | None:
    """Neutral is lost while other emotions are not, where similarity is lowered directly."""
    _, others = swept(results)
    if DIRECT not in results.codecs("recall"):
        return None
    before = {e: results.row("recall", UNQUANTIZED, math.nan, e).value for e in (NEUTRAL, *others)}
    if not before[NEUTRAL] >= RECOGNISED:
        return None
    statement = "Lowering similarity directly, without an entropy model, takes neutral away first."
    rule = (
        f"at the highest target of similarity at which the recall of neutral is below {LOST:g} of the unquantized one, "
        "that of the emotion is above it; both with their intervals, Holm's correction over emotions, and outputs of "
        "which something is left"
    )
    points, reason = something_left(results, DIRECT, results.points("recall", DIRECT))
    if not points:
        return Finding(statement, rule, [], "", reason)
    lost = [p for p in points if results.row("recall", DIRECT, p, NEUTRAL).high < LOST * before[NEUTRAL]]
    compared = [emotion for emotion in others if before[emotion] >= RECOGNISED]
    if not lost:
        return Finding(statement, rule, [Case(e, "no", "neutral is never lost") for e in compared])
    at = max(lost)
    rows = [results.row("recall", DIRECT, at, emotion) for emotion in compared]
    left = [Estimate(*(figure / before[row.emotion] for figure in row[5:8])) for row in rows]
    cases = [
        Case(row.emotion, answer, f"{row_text(row)} %") for row, answer in zip(rows, answers(left, LOST), strict=True)
    ]
    return Finding(statement, rule, cases, f"neutral at target {point_text(at)}")
