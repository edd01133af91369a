"""The findings of a study as a table: for its page, and as CSV and Markdown beside it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from emoquant.reports.chance import ADVICE
from emoquant.reports.findings import findings
from emoquant.reports.findings_sweep import DIRECT
from emoquant.reports.output import write_file
from emoquant.reports.rows import Results, classifiers_in
from emoquant.reports.verdicts import Finding
from emoquant.reports.writing import markdown_table
from emoquant.storage.csv_files import csv_cell
from emoquant.storage.results import Row

HEAD = (
    "finding of the study", "verdict", "figures", "a case counts where", "corpus", "codec", "experiment", "classifier",
    "under all classifiers",
)  # fmt: skip


class Found(NamedTuple):
    """A finding, the run that it is held against, and the classifier under which.

    Attributes:
        experiment: Name of the run.
        corpus: Its corpus.
        codec: Its codecs.
        finding: The finding.
        classifier: Name of the classifier; empty where the results name none.
        everywhere: The verdicts under all classifiers of the run, ``holds under head, probe; open under lda``; empty
            where there is but one.
    """

    experiment: str
    corpus: str
    codec: str
    finding: Finding
    classifier: str = ""
    everywhere: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return what a table shows, in the order of :data:`HEAD`."""
        statement, rule, cases, remark, collapse, doubt = self.finding
        verdict, proved = self.finding.verdict, sum(case.answer == "yes" for case in cases)
        run = rule, self.corpus, self.codec, self.experiment, self.classifier, self.everywhere
        if doubt:  # figures of a classifier that knows nothing would be read all the same
            return statement, verdict, f"{doubt} {ADVICE}", *run
        if not collapse:
            verdict += f" ({proved} of {len(cases)})"
        figures = "; ".join(filter(None, [collapse, *(f"{case.name} {case.figure}" for case in cases), remark]))
        return statement, verdict, figures, *run


def found_in(runs: Sequence[tuple[str, Sequence[Row]]]) -> list[Found]:
    """Return every finding that runs speak of, each once for a corpus, a codec and a classifier.

    Args:
        runs: Name and rows of every run.
    """
    found: dict[tuple[str, str, str, str], Found] = {}
    for experiment, rows in runs:
        for corpus in Results(rows).corpora:
            own = [row for row in rows if row.corpus == corpus]
            for classifier in classifiers_in(own) or [""]:
                for finding in findings(own, classifier):
                    codec = ", ".join(name for name in Results(own).codecs("recall") if name != DIRECT)
                    key = finding.statement, corpus, codec, classifier
                    found.setdefault(key, Found(experiment, corpus, codec, finding, classifier))
    return _compared(list(found.values()))


def _compared(found: Sequence[Found]) -> list[Found]:
    """Return findings side by side with their verdicts under the other classifiers, those of a statement together."""
    groups: dict[tuple[str, str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.finding.statement, one.corpus, one.codec), []).append(one)
    compared = []
    for group in groups.values():
        verdicts: dict[str, list[str]] = {}
        for one in group:
            verdicts.setdefault(one.finding.verdict, []).append(one.classifier)
        said = "; ".join(f"{verdict} under {', '.join(names)}" for verdict, names in verdicts.items())
        compared += [one._replace(everywhere=said if len(group) > 1 else "") for one in group]
    return compared


def write_findings(folder: Path, found: Sequence[Found]) -> list[Path]:
    """Write ``findings.csv`` and ``findings.md``.

    Args:
        folder: Folder of the files.
        found: Findings, at least one.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *(map(csv_cell, one.cells()) for one in found)])
    table = markdown_table(HEAD, [one.cells() for one in found])
    return [write_file(folder / "findings.csv", text.getvalue()), write_file(folder / "findings.md", table)]
