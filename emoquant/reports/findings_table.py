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
from emoquant.reports.rows import Results
from emoquant.reports.verdicts import Finding
from emoquant.reports.writing import markdown_text
from emoquant.storage.csv_files import csv_cell
from emoquant.storage.results import Row

HEAD = ("finding of the study", "verdict", "figures", "a case counts where", "corpus", "codec", "experiment")


class Found(NamedTuple):
    """A finding, and the run that it is held against."""

    experiment: str
    corpus: str
    codec: str
    finding: Finding

    def cells(self) -> tuple[str, ...]:
        """Return what a table shows, in the order of :data:`HEAD`."""
        statement, rule, cases, remark, collapse, doubt = self.finding
        verdict, proved = self.finding.verdict, sum(case.answer == "yes" for case in cases)
        if doubt:  # figures of a classifier that knows nothing would be read all the same
            return statement, verdict, f"{doubt} {ADVICE}", rule, self.corpus, self.codec, self.experiment
        if not collapse:
            verdict += f" ({proved} of {len(cases)})"
        figures = "; ".join(filter(None, [collapse, *(f"{case.name} {case.figure}" for case in cases), remark]))
        return statement, verdict, figures, rule, self.corpus, self.codec, self.experiment


def found_in(runs: Sequence[tuple[str, Sequence[Row]]]) -> list[Found]:
    """Return every finding that runs speak of, each once for a corpus and a codec.

    Args:
        runs: Name and rows of every run.
    """
    found: dict[tuple[str, str, str], Found] = {}
    for experiment, rows in runs:
        for corpus in Results(rows).corpora:
            own = [row for row in rows if row.corpus == corpus]
            for finding in findings(own):
                codec = ", ".join(name for name in Results(own).codecs("recall") if name != DIRECT)
                found.setdefault((finding.statement, corpus, codec), Found(experiment, corpus, codec, finding))
    return list(found.values())


def write_findings(folder: Path, found: Sequence[Found]) -> list[Path]:
    """Write ``findings.csv`` and ``findings.md``.

    Args:
        folder: Folder of the files.
        found: Findings, at least one.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *(map(csv_cell, one.cells()) for one in found)])
    rows = [map(markdown_text, one.cells()) for one in found]
    lines = [" | ".join(cells) for cells in [HEAD, ("---",) * len(HEAD), *rows]]
    markdown = "".join(f"| {line} |\n" for line in lines)
    return [write_file(folder / "findings.csv", text.getvalue()), write_file(folder / "findings.md", markdown)]
