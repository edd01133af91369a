"""Tables: a metric over lambda and emotion, codebooks against emotions, true against predicted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from emoquant.reports.base import Artifact, Drawing, file_name
from emoquant.reports.heat import Grid, heat_artifact
from emoquant.reports.quantities import overall, point_text, quantity
from emoquant.reports.reference import read_reference, reference_text, source_name
from emoquant.reports.rows import ALL, UNQUANTIZED, MissingRowsError, Results
from emoquant.storage.results import Row


@dataclass
class EmotionTable(Drawing):
    """A metric over lambda and emotion: a heat map with numbers, and Markdown and LaTeX with intervals and n.

    The row ``none`` holds the features before quantization. One table for every codec.

    Args:
        metric: Metric of the cells.
        codecs: Codecs; all in the file by default.
        emotions: Columns; all in the file by default.
        overall: Add a column for all emotions together (UAR for recall) where the file has it.
        reference: CSV of published figures (a column ``lambda``, a column for each emotion), shown beside ours.
        stratum: Part of the corpus.
        name: Stem of the files; ``<metric>_table`` by default.
    """

    stem = "{metric}_table"
    metric: str = "recall"
    codecs: list[str] | None = None
    emotions: list[str] | None = None
    overall: bool = True
    reference: str | None = None

    def draw(self, results: Results) -> list[Artifact]:
        """Return one table for every codec."""
        codecs = results.codecs(self.metric, self.codecs)
        return [self._table(results, c, f"_{file_name(c)}" if len(codecs) > 1 else "") for c in codecs]

    def _table(self, results: Results, codec: str, suffix: str) -> Artifact:
        grid, measure = self._grid(results, codec), quantity(self.metric)
        published = self._published(grid)
        over = "λ (squared feature units per bit)"
        about = f"{measure.explained} at each {over}, corpus {results.corpus}, codec {codec}."
        notes = ["“none”: features before quantization." if "none" in grid.rows else ""]
        title = f"{measure.label} over λ, as a table" + (f", {codec}" if suffix else "")
        ends = f"from λ {grid.rows[0]} to {grid.rows[-1]}: " + ", ".join(
            f"{name} {grid.text(grid.cells[0][i])} to {grid.text(grid.cells[-1][i])}"
            for i, name in enumerate(grid.columns)
        )
        alt, stem = f"Heat map of {measure.axis.lower()}, {ends}.", self.name + suffix
        shown = [grid._replace(title="measured"), published] if published else [grid]
        end = [f"Right: {reference_text(self.reference)}." if self.reference else ""]
        return heat_artifact(
            stem, title, about, alt, [grid], (0.5, 0.19), pictured=shown, columns=len(shown), notes=notes, end=end
        )

    def _grid(self, results: Results, codec: str) -> Grid:
        emotions = results.emotions(self.metric, self.emotions)
        pooled, heading = overall(self.metric)
        columns = [(self.metric, e, e) for e in emotions]
        if (self.overall or not emotions) and results.series(pooled, codec, ALL, self.stratum):
            columns.append((pooled, ALL, heading))
        points = [(codec, point) for point in results.points(self.metric, codec)]
        if any(results.find(m, UNQUANTIZED, math.nan, e, self.stratum) for m, e, _ in columns):
            points.insert(0, (UNQUANTIZED, math.nan))
        cells = [[results.find(m, c, p, e, self.stratum) for m, e, _ in columns] for c, p in points]
        if not columns or not any(cell for line in cells for cell in line):
            raise MissingRowsError(
                f"{self.name}: no rows of {self.metric} for codec {codec!r} in stratum {self.stratum!r}"
            )
        return Grid("", quantity(self.metric), cells, [point_text(p) for _, p in points], [c[2] for c in columns], "λ")

    def _published(self, grid: Grid) -> Grid | None:
        if not self.reference:
            return None
        names = [ALL if name == overall(self.metric)[1] else name for name in grid.columns]
        table = read_reference(self.reference, self.metric, names)
        points = {point_text(at): at for at in sorted({at for column in table.values() for at in column})}
        shown = grid.rows if set(points) <= set(grid.rows) else list(points)  # the same lines as ours where they fit
        cells = [[_published_cell(table, name, points.get(line), self.metric) for name in names] for line in shown]
        return Grid(source_name(self.reference), grid.measure, cells, shown, grid.columns, "λ")


def _published_cell(table: Mapping[str, Mapping[float, float]], name: str, at: float | None, metric: str) -> Row | None:
    value = None if at is None else table.get(name, {}).get(at)
    if value is None or at is None:
        return None
    return Row("published", "published", at, name, metric, value, math.nan, math.nan, 0)
