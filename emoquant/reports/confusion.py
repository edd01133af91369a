"""What each emotion is taken for."""

import math
from collections.abc import Sequence

from emoquant.reports.base import Artifact, Drawing, file_name
from emoquant.reports.captions import count_text, sentences, widest_text
from emoquant.reports.heat import Grid, heat_figure, latex, markdown
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, UNQUANTIZED, MissingRowsError, Results
from emoquant.reports.style import paper_style
from emoquant.results import Row


class ConfusionMatrices(Drawing):
    """What each emotion is taken for at chosen lambdas, in percent of its utterances.

    Classes that are no emotion of the corpus are added up in the last column.

    Args:
        lambdas: Operating points; the unquantized features and five spread over the sweep by default.
        codec: Codec; the only one in the file by default.
        stratum: Part of the corpus.
        name: Stem of the files.
    """

    def __init__(
        self, lambdas: list[float] | None = None, codec: str | None = None, stratum: str = ALL, name: str = "confusion"
    ) -> None:
        super().__init__(name, stratum)
        self.lambdas, self.codec = lambdas, codec

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure of matrices for every codec."""
        classes = results.targets("predicted")
        if not classes:
            results.need("predicted/<class>")
        codecs = results.codecs(f"predicted/{classes[0]}", [self.codec] if self.codec else None)
        return [self._matrices(results, c, f"_{file_name(c)}" if len(codecs) > 1 else "") for c in codecs]

    def _matrices(self, results: Results, codec: str, suffix: str) -> Artifact:
        points = chosen_points(results, codec, self.lambdas, 5)
        grids = [self._grid(results, UNQUANTIZED if math.isnan(p) else codec, p) for p in points]
        rows = [
            row
            for p in points
            for row in confusion_rows(results, UNQUANTIZED if math.isnan(p) else codec, p, self.stratum)
        ]
        with paper_style():
            figure = heat_figure(grids, min(len(grids), 2), mark_diagonal=True, cell=(0.45, 0.2))
        caption = sentences(
            f"Share of each emotion's utterances (rows) by predicted class (columns), in %, "
            f"corpus {rows[0].corpus}, codec {codec}.",
            "“else”: classes that are no emotion of this corpus." if "else" in grids[0].columns else "",
            count_text(rows),
            widest_text(rows, grids[0].measure),
        )
        texts = {".md": "\n".join(markdown(grid) for grid in grids) + f"\n{caption}\n"}
        texts[".tex"] = "\n".join(
            latex(g, f"{g.title}. {caption}", f"tab:{self.name}{suffix}-{i}") for i, g in enumerate(grids)
        )
        alt = "Matrices. " + " ".join(_diagonal_text(grid) for grid in grids)
        return Artifact(self.name + suffix, "True and predicted emotions", caption, alt, rows, figure, texts)

    def _grid(self, results: Results, codec: str, point: float) -> Grid:
        classes = results.targets("predicted")
        emotions = results.emotions(f"predicted/{classes[0]}")
        cells = [
            [results.find(f"predicted/{c}", codec, point, e, self.stratum) for c in emotions if c in classes]
            for e in emotions
        ]
        columns = [c for c in emotions if c in classes]
        if len(columns) < len(classes):
            others = [c for c in classes if c not in columns]
            cells = [
                [*line, pooled_share(results, others, codec, point, e, self.stratum)]
                for line, e in zip(cells, emotions, strict=True)
            ]
            columns = [*columns, "else"]
        title = "before quantization" if math.isnan(point) else f"λ = {point_text(point)}"
        measure = quantity("predicted")._replace(decimals=0)
        return Grid(title, measure, cells, emotions, columns, "true", "")


def chosen_points(results: Results, codec: str, wanted: Sequence[float] | None, number: int) -> list[float]:
    """Return operating points for figures that show a few: the unquantized features and some of the sweep.

    Args:
        results: Rows of one corpus.
        codec: Codec of the sweep.
        wanted: Points to show, checked; None to choose.
        number: How many to choose from the sweep.

    Raises:
        MissingRowsError: A wanted point was not evaluated.
    """
    metric = f"predicted/{results.targets('predicted')[0]}"
    points = results.points(metric, codec)
    lacking = [p for p in wanted or () if p not in points and not math.isnan(p)]
    if lacking:
        known = ", ".join(point_text(p) for p in points)
        raise MissingRowsError(
            f"no confusions of {codec} at λ {', '.join(map(point_text, lacking))}: evaluated were {known}"
        )
    if wanted:
        return list(wanted)
    steps = {round(i * (len(points) - 1) / max(number - 1, 1)) for i in range(number)}
    before = [math.nan] if any(row.codec == UNQUANTIZED and row.metric == metric for row in results.rows) else []
    return [*before, *[points[i] for i in sorted(steps)]]


def confusion_rows(results: Results, codec: str, point: float, stratum: str) -> list[Row]:
    """Return all rows of predicted classes at one operating point, emotion by emotion, ``"all"`` left out."""
    classes = results.targets("predicted")
    emotions = results.emotions(f"predicted/{classes[0]}")
    found = [results.find(f"predicted/{c}", codec, point, e, stratum) for e in emotions for c in classes]
    return [row for row in found if row is not None]


def pooled_share(
    results: Results, classes: Sequence[str], codec: str, point: float, emotion: str, stratum: str
) -> Row | None:
    """Return the share of several classes together, without an interval; None where nothing is known of them."""
    rows = [results.find(f"predicted/{c}", codec, point, emotion, stratum) for c in classes]
    known = [row for row in rows if row is not None]
    if not known:
        return None
    total = math.fsum(row.value for row in known)
    return known[0]._replace(metric="predicted/else", value=total, low=math.nan, high=math.nan)


def _diagonal_text(grid: Grid) -> str:
    right = [
        f"{name} {grid.text(line[grid.columns.index(name)])}"
        for name, line in zip(grid.rows, grid.cells, strict=True)
        if name in grid.columns
    ]
    return f"{grid.title}: right are {', '.join(right)} percent."
