"""Matrices of true against predicted emotions."""

import math
from dataclasses import dataclass

from emoquant.reports.base import Artifact, Drawing, file_name
from emoquant.reports.captions import sentences
from emoquant.reports.heat import Grid, heat_artifact
from emoquant.reports.outcomes import Outcomes
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import Results


@dataclass
class ConfusionMatrices(Drawing):
    """What each emotion is taken for at chosen lambdas, in percent of its utterances.

    Classes that are no emotion of the corpus are added up in the last column.

    Args:
        lambdas: Operating points, NaN for the unquantized features; these and up to five between which much changes by
            default.
        codecs: Codecs, a figure each; all in the file by default.
        outcome: Stem of the metrics: ``<outcome>/<class>`` is the share of an emotion's utterances.
        stratum: Part of the corpus.
        name: Stem of the files.
    """

    stem = "confusion"
    lambdas: list[float] | None = None
    codecs: list[str] | None = None
    outcome: str = "predicted"

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure of matrices for every codec."""
        outcomes = Outcomes(results, self.outcome, self.stratum)
        codecs = outcomes.codecs(self.codecs)
        return [self._matrices(outcomes, c, f"_{file_name(c)}" if len(codecs) > 1 else "") for c in codecs]

    def _matrices(self, outcomes: Outcomes, codec: str, suffix: str) -> Artifact:
        points = outcomes.chosen(codec, self.lambdas, 5)
        grids = [self._grid(outcomes, codec, point) for point in points]
        rows = [row for point in points for row in outcomes.rows(codec, point)]
        about = sentences(
            "Share of each emotion's utterances (rows) by predicted class (columns), in %, "
            f"corpus {rows[0].corpus}, codec {codec}.",
            outcomes.else_note,
        )
        alt = "Matrices. " + " ".join(_diagonal_text(grid) for grid in grids)
        title = "True and predicted emotions" + (f", {codec}" if suffix else "")
        stem, columns = self.name + suffix, min(len(grids), 2)
        return heat_artifact(stem, title, about, alt, grids, (0.45, 0.2), columns=columns, rows=rows)

    def _grid(self, outcomes: Outcomes, codec: str, point: float) -> Grid:
        cells = [[outcomes.cell(codec, point, e, column) for column in outcomes.columns] for e in outcomes.emotions]
        title = "before quantization" if math.isnan(point) else f"λ = {point_text(point)}"
        measure = quantity("predicted")._replace(decimals=0)
        return Grid(
            title, measure, cells, outcomes.emotions, outcomes.columns, "true", "predicted, %", own=outcomes.emotions
        )


def _diagonal_text(grid: Grid) -> str:
    right = [
        f"{name} {grid.text(line[grid.columns.index(name)])}"
        for name, line in zip(grid.rows, grid.cells, strict=True)
        if name in grid.columns
    ]
    return f"{grid.title}: right are {', '.join(right)} percent."
