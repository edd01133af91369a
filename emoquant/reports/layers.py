"""Heat maps over the layers of an encoder and lambda."""

import math
from collections.abc import Sequence

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.captions import count_text, interval_text, sentences, widest_text
from emoquant.reports.heat import Grid, heat_figure, markdown, shown_rows
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.style import paper_style


class LayerMap(Drawing):
    """Agreement and UAR of every layer at every lambda, one heat map a metric; rows of ``emoquant layers``.

    Args:
        metrics: Metrics, a heat map each.
        name: Stem of the files.
    """

    def __init__(self, metrics: Sequence[str] = ("agreement", "uar"), name: str = "layers") -> None:
        super().__init__(name)
        self.metrics = list(metrics)

    def draw(self, results: Results) -> list[Artifact]:
        """Return one heat map for every metric."""
        return [self._map(results, metric) for metric in self.metrics]

    def _map(self, results: Results, metric: str) -> Artifact:
        layers = results.codecs(metric)
        points = sorted({point for layer in layers for point in results.points(metric, layer)})
        heads = [math.nan, *points]
        cells = [[results.find(metric, layer, point, ALL, self.stratum) for point in heads] for layer in layers]
        if not points:
            raise MissingRowsError(f"{self.name}: no layer has {metric} at any lambda")
        columns = [point_text(point) for point in heads]
        across = "λ / variance a dimension"
        grid = Grid("", quantity(metric), cells, layers, columns, "", across)
        rows = shown_rows([grid])
        with paper_style():
            figure = heat_figure([grid], 1, cell=(0.5, 0.22))
        base = sentences(
            f"{quantity(metric).explained} of every layer over λ, relative to the variance of the layer's features, "
            f"corpus {rows[0].corpus}; a probe and a transform codec for each layer; “none”: before coding.",
            count_text(rows),
        )
        caption = sentences(base, widest_text(rows, quantity(metric)))
        ends = ", ".join(f"{layer} {grid.text(line[0])} to {grid.text(line[-1])}" for layer, line in zip(layers, cells,
                         strict=True))  # fmt: skip
        texts = {".md": f"{markdown(grid)}\n{sentences(base, interval_text(rows, 'In brackets'))}\n"}
        title = f"{quantity(metric).label} by layer"
        return Artifact(f"{self.name}_{metric}", title, caption, f"Heat map: {ends}.", rows, figure, texts)
