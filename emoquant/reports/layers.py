"""Heat maps over the layers of an encoder and lambda."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.heat import Grid, heat_artifact
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, MissingRowsError, Results


@dataclass
class LayerMap(Drawing):
    """Agreement and UAR of every layer at every lambda, one heat map a metric; rows of ``emoquant layers``.

    Args:
        metrics: Metrics, a heat map each.
        stratum: Part of the corpus.
        name: Stem of the files.
    """

    stem = "layers"
    metrics: Sequence[str] = ("agreement", "uar")

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
        measure = quantity(metric)
        about = (
            f"{measure.explained} of every layer over λ, relative to the variance of the layer's features, corpus "
            f"{results.corpus}; a probe and a transform codec for each layer; “none”: before coding."
        )
        ends = ", ".join(
            f"{layer} {grid.text(line[0])} to {grid.text(line[-1])}" for layer, line in zip(layers, cells, strict=True)
        )
        stem, title = f"{self.name}_{metric}", f"{measure.label} by layer"
        return heat_artifact(stem, title, about, f"Heat map: {ends}.", [grid], (0.5, 0.22))
