"""Tables: a metric over lambda and emotion, codebooks against emotions, true against predicted."""

import math
from collections.abc import Mapping

from emoquant.reports.base import Artifact, Drawing, file_name
from emoquant.reports.captions import count_text, interval_text, sentences, widest_text
from emoquant.reports.heat import Grid, heat_figure, latex, markdown, shown_rows
from emoquant.reports.quantities import overall, point_text, quantity
from emoquant.reports.reference import read_reference
from emoquant.reports.rows import ALL, UNQUANTIZED, MissingRowsError, Results
from emoquant.reports.style import paper_style
from emoquant.results import Row


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

    def __init__(
        self,
        metric: str = "recall",
        codecs: list[str] | None = None,
        emotions: list[str] | None = None,
        overall: bool = True,
        reference: str | None = None,
        stratum: str = ALL,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"{metric.replace('/', '_')}_table", stratum)
        self.metric, self.codecs, self.emotions = metric, codecs, emotions
        self.overall, self.reference = overall, reference

    def draw(self, results: Results) -> list[Artifact]:
        """Return one table for every codec."""
        codecs = results.codecs(self.metric, self.codecs)
        return [self._table(results, c, f"_{file_name(c)}" if len(codecs) > 1 else "") for c in codecs]

    def _table(self, results: Results, codec: str, suffix: str) -> Artifact:
        grid, measure = self._grid(results, codec), quantity(self.metric)
        rows = shown_rows([grid])
        published = self._published(grid)
        with paper_style():
            shown = [grid._replace(title="measured"), published] if published else [grid]
            figure = heat_figure(shown, len(shown), cell=(0.5, 0.19))
        base = sentences(
            f"{measure.axis} at each λ (squared feature units per bit), corpus {rows[0].corpus}, codec {codec}.",
            count_text(rows),
            "“none”: features before quantization." if "none" in grid.rows else "",
        )
        widest = sentences(interval_text(rows, "In brackets"))
        caption = sentences(base, widest_text(rows, measure), "Right: published figures." if published else "")
        texts = {
            ".md": f"{markdown(grid)}\n{base} {widest}\n",
            ".tex": latex(grid, f"{base} {widest}", f"tab:{self.name}{suffix}".replace("_", "-")),
        }
        title = f"{measure.label} over λ" + (f", {codec}" if suffix else "")
        ends = f"from λ {grid.rows[0]} to {grid.rows[-1]}: " + ", ".join(
            f"{name} {grid.text(grid.cells[0][i])} to {grid.text(grid.cells[-1][i])}"
            for i, name in enumerate(grid.columns)
        )
        return Artifact(
            self.name + suffix, title, caption, f"Heat map of {measure.axis.lower()}, {ends}.", rows, figure, texts
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
        table = read_reference(self.reference, self.metric)
        names = [ALL if name == overall(self.metric)[1] else name for name in grid.columns]
        points = sorted({at for column in table.values() for at in column})
        cells = [[_published_cell(table, name, at, self.metric) for name in names] for at in points]
        return Grid("published", grid.measure, cells, [point_text(at) for at in points], grid.columns, "λ")


class CrossMatrix(Drawing):
    """A metric for every codebook (rows) and emotion (columns) at one lambda: heat map, Markdown and LaTeX.

    Args:
        metric: Metric of the cells. One that ends in a slash (``attraction/``) is completed by the codebook's emotion.
        lmbda: Operating point, one that every codec was evaluated at; the largest common one by default.
        codecs: Rows; all in the file by default.
        codebooks: Emotion of each codec's codebook; the codec's name by default.
        stratum: Part of the corpus.
        name: Stem of the files; ``cross_<metric>`` by default.
    """

    def __init__(
        self,
        metric: str = "utterance_similarity",
        lmbda: float | None = None,
        codecs: list[str] | None = None,
        codebooks: Mapping[str, str] | None = None,
        stratum: str = ALL,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"cross_{metric.strip('/').replace('/', '_')}", stratum)
        self.metric, self.lmbda, self.codecs, self.codebooks = metric, lmbda, codecs, codebooks

    def draw(self, results: Results) -> list[Artifact]:
        """Return one matrix."""
        codecs = self._codecs(results)
        metrics = {codec: self._metric(codec) for codec in codecs}
        for codec, metric in metrics.items():
            results.codecs(metric, [codec])
        point = self._point(results, metrics)
        emotions = results.emotions(metrics[codecs[0]])
        cells = [[results.find(metrics[c], c, point, e, self.stratum) for e in emotions] for c in codecs]
        measure = quantity(self.metric.strip("/"))
        grid = Grid("", measure, cells, codecs, emotions, "codebook", "emotion of the utterances")
        rows = shown_rows([grid])
        with paper_style():
            figure = heat_figure([grid], 1, mark_diagonal=True, cell=(0.52, 0.24))
        sign = "Negative: drawn towards the codebook's emotion." if self.metric.startswith("attraction") else ""
        base = sentences(
            f"{measure.axis} of each emotion (columns) under each codebook (rows) at λ = {point_text(point)}, "
            f"corpus {rows[0].corpus}.",
            sign,
            count_text(rows),
        )
        widest = interval_text(rows, "In brackets")
        caption = sentences(base, widest_text(rows, measure), "Framed: the codebook's own emotion.")
        texts = {
            ".md": f"{markdown(grid)}\n{base} {widest}\n",
            ".tex": latex(grid, f"{base} {widest}", f"tab:{self.name}".replace("_", "-")),
        }
        alt = "Heat map. " + ". ".join(
            f"Codebook {c}: " + ", ".join(f"{e} {grid.text(cell)}" for e, cell in zip(emotions, line, strict=True))
            for c, line in zip(codecs, cells, strict=True)
        )
        return [
            Artifact(self.name, f"{measure.label}: codebooks against emotions", caption, f"{alt}.", rows, figure, texts)
        ]

    def _metric(self, codec: str) -> str:
        return self.metric + (self.codebooks or {}).get(codec, codec) if self.metric.endswith("/") else self.metric

    def _codecs(self, results: Results) -> list[str]:
        if self.codecs or not self.metric.endswith("/"):
            return results.codecs(self._metric(self.codecs[0]) if self.codecs else self.metric, self.codecs)
        having = [c for c in dict.fromkeys(row.codec for row in results.rows) if self._metric(c) in results.metrics]
        if not having:
            raise MissingRowsError(
                f"{self.name}: no codec has rows of {self.metric}<its emotion>; name emotions with `codebooks`"
            )
        return having

    def _point(self, results: Results, metrics: Mapping[str, str]) -> float:
        common = set.intersection(*(set(results.points(metric, codec)) for codec, metric in metrics.items()))
        if not common or (self.lmbda is not None and self.lmbda not in common):
            known = ", ".join(point_text(p) for p in sorted(common)) or "none"
            raise MissingRowsError(
                f"{self.name}: not every codec was evaluated at λ {self.lmbda}; common to all: {known}"
            )
        return max(common) if self.lmbda is None else self.lmbda


def _published_cell(table: Mapping[str, Mapping[float, float]], name: str, at: float, metric: str) -> Row | None:
    value = table.get(name, {}).get(at)
    return None if value is None else Row("published", "published", at, name, metric, value, math.nan, math.nan, 0)
