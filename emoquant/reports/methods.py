"""Ways to recognise an emotion side by side: what each reaches where validation chose its point, and what it gains."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.captions import sentences
from emoquant.reports.quantities import point_text
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.writing import markdown_table, markdown_text
from emoquant.storage.results import Row

#: Stems of the metrics of :class:`emoquant.tasks.MethodComparisonTask`.
CHOSEN, HELD, GAIN, SAME = "chosen_f1", "validation_f1", "chosen_f1_gain", "f1_gain"


@dataclass
class MethodTable(Drawing):
    """Macro-F1 of codecs and choices at the points that validation data chose, and at each point what they gain.

    Args:
        name: Stem of the files.
    """

    stem = "methods"
    stratum: str = field(default=ALL, init=False)

    def draw(self, results: Results) -> list[Artifact]:
        """Return the table of chosen points, and one of all points for every reference."""
        results.need(CHOSEN)
        rows = [row for row in results.rows if row.metric == CHOSEN]
        references = results.targets(GAIN)
        return [self._chosen(results, rows, references), *(self._points(results, each) for each in references)]

    def _chosen(self, results: Results, rows: list[Row], references: list[str]) -> Artifact:
        beside = {each for _, held, gains in chosen(results, references) for each in (held, *gains)}
        shown = [*rows, *(row for row in results.rows if row in beside)]
        caption = sentences(
            f"Macro-F1 among the emotions of {rows[0].corpus}, at the operating point that is best on validation data, "
            f"n = {rows[0].n} test utterances of {max(row.speakers for row in shown)} speakers.",
            "In brackets: 95 % intervals, which leave out one speaker at a time; gains are paired by utterance.",
        )
        title, lines = "Methods at the points that validation chose", chosen_lines(results, references)
        return self._table(self.name, title, caption, shown, lines)

    def _points(self, results: Results, reference: str) -> Artifact:
        metric = f"{SAME}/{reference}"
        rows = [row for row in results.rows if row.metric == metric]
        if not rows:
            raise MissingRowsError(f"{self.name}: no rows of {metric}")
        lines = []
        for row in rows:
            rate = results.find("target_bits_per_frame", row.codec, row.lmbda)
            bits = rate or results.find("bits_per_frame", row.codec, row.lmbda)
            lines.append(
                [row.codec, point_text(row.lmbda), "" if bits is None else f"{bits.value:g}", _text(row, True)]
            )
        caption = sentences(
            f"Macro-F1 minus that of {reference} at the operating point of the same place, corpus {rows[0].corpus}.",
            "In brackets: 95 % intervals, which leave out one speaker at a time of both.",
        )
        head = ["method", "point", "bits/frame", f"over {reference}"]
        return self._table(f"{self.name}_over_{reference}", f"Gain over {reference}", caption, rows, [head, *lines])

    def _table(self, stem: str, title: str, caption: str, rows: list[Row], cells: list[list[str]]) -> Artifact:
        table = markdown_table(cells[0], cells[1:], left=2)
        return Artifact(stem, title, caption, f"{title}.", rows, None, {".md": f"{table}\n{markdown_text(caption)}\n"})


def chosen(results: Results, references: Sequence[str]) -> Iterator[tuple[Row, Row | None, list[Row | None]]]:
    """Yield the figure of each way at its chosen point, that on validation data, and the gain over each reference."""
    for row in results.rows:
        if row.metric == CHOSEN:
            gains = [results.find(f"{GAIN}/{each}", row.codec, row.lmbda) for each in references]
            yield row, results.find(HELD, row.codec, row.lmbda), gains


def chosen_lines(results: Results, references: Sequence[str]) -> list[list[str]]:
    """Return the head and the lines of a table of ways at the points that validation data chose.

    Args:
        results: The results; without rows of a comparison of methods there is no line but the head.
        references: What the gains are over, in the order of their columns.
    """
    lines = [["method", "point", "F1, validation", "F1, test", *(f"over {each}" for each in references)]]
    for row, held, gains in chosen(results, references):
        cells = [row.codec, point_text(row.lmbda), _text(held), _text(row), *(_text(gain, True) for gain in gains)]
        lines.append(cells)
    return lines


def _text(row: Row | None, signed: bool = False) -> str:
    """Return a figure with its interval over speakers."""
    if row is None or math.isnan(row.value):
        return ""
    form = "+.3f" if signed else ".3f"
    ends = "" if math.isnan(row.speaker_low) else f" [{row.speaker_low:{form}}, {row.speaker_high:{form}}]"
    return f"{row.value:{form}}{ends}"
