"""Matrices of true against predicted emotions."""

import math

from emoquant.reports.base import Artifact, Drawing, file_name
from emoquant.reports.captions import count_text, sentences, widest_text
from emoquant.reports.heat import Grid, heat_figure, latex, markdown
from emoquant.reports.outcomes import ELSE, Outcomes
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, Results
from emoquant.reports.style import paper_style
from emoquant.reports.writing import markdown_text


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

    def __init__(
        self,
        lambdas: list[float] | None = None,
        codecs: list[str] | None = None,
        outcome: str = "predicted",
        stratum: str = ALL,
        name: str = "confusion",
    ) -> None:
        super().__init__(name, stratum)
        self.lambdas, self.codecs, self.outcome = lambdas, codecs, outcome

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure of matrices for every codec."""
        outcomes = Outcomes(results, self.outcome, self.stratum)
        codecs = outcomes.codecs(self.codecs)
        return [self._matrices(outcomes, c, f"_{file_name(c)}" if len(codecs) > 1 else "") for c in codecs]

    def _matrices(self, outcomes: Outcomes, codec: str, suffix: str) -> Artifact:
        points = outcomes.chosen(codec, self.lambdas, 5)
        grids = [self._grid(outcomes, codec, point) for point in points]
        rows = [row for point in points for row in outcomes.rows(codec, point)]
        with paper_style():
            figure = heat_figure(grids, min(len(grids), 2), cell=(0.45, 0.2))
        caption = sentences(
            "Share of each emotion's utterances (rows) by predicted class (columns), in %, "
            f"corpus {rows[0].corpus}, codec {codec}.",
            f"“{ELSE}”: classes that are no emotion of this corpus." if ELSE in outcomes.columns else "",
            count_text(rows),
            widest_text(rows, grids[0].measure),
        )
        label = f"tab:{self.name}{suffix}"
        texts = {
            ".md": "\n".join(markdown(grid) for grid in grids) + f"\n{markdown_text(caption)}\n",
            ".tex": "\n".join(latex(g, f"{g.title}: {caption}", f"{label}-{i}") for i, g in enumerate(grids, 1)),
        }
        alt = "Matrices. " + " ".join(_diagonal_text(grid) for grid in grids)
        title = "True and predicted emotions" + (f", {codec}" if suffix else "")
        return Artifact(self.name + suffix, title, caption, alt, rows, figure, texts)

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
