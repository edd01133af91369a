"""Rules for the findings that have to do with people: annotators who agree or not, and speech that is synthesised."""

import math

from emoquant.reports.evidence import Estimate, answers, equivalent
from emoquant.reports.findings_sweep import RECOGNISED, something_left, swept
from emoquant.reports.quantities import point_text, row_text
from emoquant.reports.rows import UNQUANTIZED, Results
from emoquant.reports.verdicts import Case, Finding

#: Two losses of recall that differ by no more than this are held to be equal.
MARGIN = 0.1
#: Least loss of UAR at which there is a loss that could differ.
TAKEN = 0.1
#: Smallest rank correlation of interest.
RHO = 0.3


def raters_agree(results: Results) -> Finding | None:
    """What lambda takes of a recall is the same, within a margin, where annotators agree least and most."""
    strata = [name for name in results.strata("recall") if "agreement" in name]
    if len(strata) < 2:
        return None
    codec, least, most = results.codecs("recall")[0], strata[0], strata[-1]
    statement = "Agreement of the annotators has no clear effect on what λ does to recall."
    rule = (
        f"at every λ that takes at least {TAKEN:g} of UAR and leaves something, the loss of recall differs by less "
        f"than {MARGIN:g} between least and most agreement: two one-sided tests"
    )
    points, reason = something_left(results, codec, results.points("recall", codec))
    if not points:
        return Finding(statement, rule, [], "", reason)
    before = results.row("uar", UNQUANTIZED, math.nan).value
    points = [p for p in points if before - results.row("uar", codec, p).value >= TAKEN]
    cases = []
    for emotion in results.emotions("recall"):
        found = [(p, d) for p in points if (d := _difference(results, codec, p, emotion, least, most)) is not None]
        if found:
            cases.append(_same(emotion, found))
    return Finding(statement, rule, cases, f"λ = {', '.join(map(point_text, points))}")


def _difference(results: Results, codec: str, point: float, emotion: str, least: str, most: str) -> Estimate | None:
    """Return how much more recall is lost where annotators agree least; None where it was not recognised before."""
    losses = []
    for stratum in (least, most):
        before = results.find("recall", UNQUANTIZED, math.nan, emotion, stratum)
        after = results.find("recall", codec, point, emotion, stratum)
        if before is None or after is None or not before.value >= RECOGNISED:
            return None
        losses.append(Estimate.of(before).minus(Estimate.of(after)))
    return losses[0].minus(losses[1])


def _same(emotion: str, found: list[tuple[float, Estimate]]) -> Case:
    differences = [difference for _, difference in found]
    sizes = [Estimate(-d.value, -d.high, -d.low) if d.value < 0 else d for d in differences]
    point, shown = max(found, key=lambda pair: abs(pair[1].value))
    figure = f"{shown.value:+.2f} [{shown.low:+.2f}, {shown.high:+.2f}] at λ = {point_text(point)}"
    if all(equivalent(difference, MARGIN) for difference in differences):
        return Case(emotion, "yes", figure)
    return Case(emotion, "no" if "yes" in answers(sizes, MARGIN) else "open", figure)


def synthesised(results: Results) -> Finding | None:
    """Clips are heard as neutral more often as lambda grows, while what is heard still depends on the emotion."""
    codec, _ = swept(results)
    strata = [name for name in results.strata("trend/predicted/neutral") if name.startswith("synthesis")]
    last, emotions = results.points("recall", codec)[-1], results.emotions("recall")
    rows, reasons = [], []
    for stratum in strata:
        heard = results.row("recall", codec, last, stratum=stratum)
        if not heard.low > 1 / len(emotions):
            name, chance = stratum.replace("synthesis/", "condition "), f"chance is {100 / len(emotions):.1f} %"
            reasons.append(f"{name}: recall is {row_text(heard)} % at λ = {point_text(last)}, {chance}")
        rows.append(results.row("trend/predicted/neutral", codec, math.nan, stratum=stratum))
    found = answers([Estimate.of(row) for row in rows], RHO)
    cases = [
        Case(row.stratum.replace("synthesis/", "condition "), answer, row_text(row))
        for row, answer in zip(rows, found, strict=True)
    ]
    return Finding(
        "Speech synthesised from a quantized reference turns neutral as λ grows.",
        f"Spearman's rank correlation of λ and being recognised as neutral is above {RHO:g} (Holm's correction over "
        f"conditions), and recall at λ = {point_text(last)} is above chance",
        cases,
        "",
        "; ".join(reasons) if strata and len(reasons) == len(strata) else "",
    )
