"""The findings of the study, each held against results: what was measured, by which rule, and whether it holds there.

A finding is a list of cases (an emotion, a codebook, a pair). A case speaks for it where an effect is proved to be
larger than the smallest size of interest, against it where it is proved to be smaller, and is open else. Where a rule
finds no more than a constant output would give, the verdict is *collapse*; where the classifier does not know the
corpus, it is *withheld* (:data:`emoquant.reports.verdicts.VERDICTS`).
"""

from collections.abc import Callable, Sequence
from functools import partial

from emoquant.reports.chance import classifier_doubt
from emoquant.reports.findings_codebooks import attracted, own_kept
from emoquant.reports.findings_listeners import raters_agree, synthesised
from emoquant.reports.findings_sweep import direct, far_end, neutral_stays, towards_neutral
from emoquant.reports.rows import MissingRowsError, Results
from emoquant.reports.verdicts import Finding
from emoquant.storage.results import Row

RULES = (far_end, neutral_stays, towards_neutral, direct, own_kept, attracted, raters_agree, synthesised)

#: Rules on cosines, which hold in every space that was measured.
SPACE_RULES = (neutral_stays, towards_neutral, attracted)


def findings(rows: Sequence[Row], classifier: str = "") -> list[Finding]:
    """Return the findings that the rows of one run speak of; none where the run is of something else.

    Args:
        rows: Rows of a results file of one corpus.
        classifier: Classifier under which they are held against the rows; the first of the file by default.
    """
    found: list[Finding] = []
    results = Results(rows, classifier)
    doubt = classifier_doubt(results)
    in_spaces = [partial(rule, space=space) for space in results.spaces() for rule in SPACE_RULES]
    rules: list[Callable[[Results], Finding | None]] = [*RULES, *in_spaces]
    for rule in rules:
        try:
            finding = rule(results)
        except MissingRowsError:
            continue
        if finding is not None and (finding.cases or finding.collapse):
            found.append(finding._replace(doubt=doubt))
    return found
