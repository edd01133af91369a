"""Rules for the findings on codebooks that were trained on one emotion each."""

from statistics import median

from emoquant.reports.chance import collapse
from emoquant.reports.evidence import Estimate, answers, mean_of
from emoquant.reports.findings_sweep import in_space, where_text
from emoquant.reports.quantities import point_text, row_text
from emoquant.reports.rows import MissingRowsError, Results
from emoquant.reports.verdicts import Case, Finding

#: Least recall and precision of an emotion that is kept.
KEPT = 0.5
#: Smallest difference of recall of interest.
RECALL = 0.1
#: Smallest turn of interest, in degrees.
DEGREES = 1.0


def _biased(results: Results) -> dict[str, str]:
    """Return the emotion of every codec of a run whose codecs were trained on one emotion each."""
    found = {codec: results.codebook_emotion(codec) for codec in results.codecs("recall")}
    trained = {codec: emotion for codec, emotion in found.items() if emotion is not None}
    if len(trained) < max(3, len(found)) or not results.targets("attraction"):
        raise MissingRowsError("no codebooks of single emotions")
    return trained


def own_kept(results: Results) -> Finding | None:
    """A codebook keeps its own emotion better than others do, without calling everything by its name."""
    emotion_of = _biased(results)
    codecs = list(emotion_of)
    statement = "A codebook trained on one emotion keeps that emotion at high λ."
    points = [p for p in results.points("recall", codecs[0]) if all(p in results.points("recall", c) for c in codecs)]
    found = {p: [why for c in codecs if (why := collapse(results, c, p, recognised=False))] for p in points[1:]}
    at = max((point for point, reasons in found.items() if not reasons), default=None)
    rule = (
        f"recall and precision of its emotion are at least {KEPT:.0%}, and recall is above the other codebooks' mean "
        f"by more than {RECALL:g} (Holm's correction over codebooks), at the highest λ at which the outputs of all "
        "codebooks differ and are not the training mean" + ("" if at is None else f", {point_text(at)}")
    )
    if at is None:
        first = min(found, default=None)
        reason = f"{found[first][0]} at λ = {point_text(first)}" if first is not None else "there is one λ only"
        return Finding(statement, rule, [], "", reason)
    own = [results.row("recall", codec, at, emotion) for codec, emotion in emotion_of.items()]
    foreign = [
        mean_of([Estimate.of(results.row("recall", other, at, emotion)) for other in codecs if other != codec])
        for codec, emotion in emotion_of.items()
    ]
    gains = [Estimate.of(row).minus(others) for row, others in zip(own, foreign, strict=True)]
    cases = []
    for row, others, answer in zip(own, foreign, answers(gains, RECALL), strict=True):
        precise = results.row("precision", row.codec, at, row.emotion)
        figure = f"recall {row_text(row)} % against {100 * others.value:.1f} %, precision {row_text(precise)} %"
        kept = row.value >= KEPT and precise.value >= KEPT  # a precision that is undefined is none
        cases.append(Case(row.codec, "no" if answer == "yes" and not kept else answer, figure))
    return Finding(statement, rule, cases)


def attracted(results: Results, space: str = "") -> Finding | None:
    """A codebook turns other emotions to its own, more than the other codebooks do."""
    emotion_of = _biased(results)
    codecs = list(emotion_of)
    first, emotions = results.points("recall", codecs[0])[0], results.emotions("recall")
    stem = in_space("attraction", space)
    statement = f"It pulls every other emotion towards its own, already at λ 0{where_text(space)}."
    rule = (
        f"at λ = {point_text(first)} the angle to the centroid of the codebook's emotion falls, and by more than "
        f"{DEGREES:g}° more than through the other codebooks (Holm's correction over pairs)"
    )
    reasons = [why for codec in codecs if (why := collapse(results, codec, first))]
    if reasons:
        return Finding(statement, rule, [], "", f"{reasons[0]} at λ = {point_text(first)}")
    pairs = [(codec, emotion) for codec in codecs for emotion in emotions if emotion != emotion_of[codec]]
    rows = [results.row(f"{stem}/{emotion_of[codec]}", codec, first, emotion) for codec, emotion in pairs]
    turned = []
    for row, (codec, emotion) in zip(rows, pairs, strict=True):
        others = [results.row(row.metric, other, first, emotion) for other in codecs if other != codec]
        turned.append(mean_of([Estimate.of(other) for other in others]).minus(Estimate.of(row)))
    cases = []
    for row, (codec, emotion), answer, turn in zip(rows, pairs, answers(turned, DEGREES), turned, strict=True):
        figure = f"{row_text(row)}°, {-turn.value:.1f}° against the others"
        falls = row.high < 0
        cases.append(Case(f"{emotion} by {codec}", "no" if answer == "yes" and not falls else answer, figure))
    return Finding(statement, rule, cases, f"median {median(row.value for row in rows):.2f}°")
