"""Curves of what the features drift to."""

from collections.abc import Sequence

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.captions import axis_text, count_text, interval_text, sentences
from emoquant.reports.panels import (
    Panel,
    axis_name,
    codec_text,
    curve_over,
    curve_rows,
    curves_text,
    horizontal_axis,
    panel_figure,
)
from emoquant.reports.quantities import quantity
from emoquant.reports.rows import ALL, Results
from emoquant.reports.style import paper_style


class DriftCurves(Drawing):
    """What the features drift to, side by side: neutral, the training mean, the vector of all SKIP.

    Collapse to any fixed vector looks like a drift to neutral if neutral alone is looked at.

    Args:
        x: ``"lmbda"``, or ``"bits_per_frame"`` for the comparison at equal bits.
        metrics: Metrics of the panels.
        codecs: Codecs, a row of panels each; all in the file by default.
        emotions: Emotions; all in the file by default.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files; ``drift_over_<x>`` by default.
    """

    def __init__(
        self,
        x: str = "lmbda",
        metrics: Sequence[str] = ("drift_to_neutral", "drift_to_mean", "drift_to_skip"),
        codecs: list[str] | None = None,
        emotions: list[str] | None = None,
        linear_below: float | None = None,
        stratum: str = ALL,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"drift_over_{axis_name(x)}", stratum)
        self.x, self.metrics, self.codecs, self.emotions = x, list(metrics), codecs, emotions
        self.linear_below = linear_below

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, a row of panels for every codec."""
        results.need(*self.metrics, *([] if self.x == "lmbda" else [self.x]))
        codecs = results.codecs(self.metrics[0], self.codecs)
        panels = []
        for codec in codecs:
            for metric in self.metrics:
                emotions = results.emotions(metric, self.emotions) or [ALL]
                curves = [curve_over(results, metric, self.x, codec, e, self.stratum, e) for e in emotions]
                curves = [curve._replace(before=None) for curve in curves]
                title = quantity(metric).label + (f", {codec}" if len(codecs) > 1 else "")
                panels.append(Panel(title, quantity(metric)._replace(label="Drift"), curves, zero=True))
        with paper_style():
            figure, knee = panel_figure(panels, len(self.metrics), horizontal_axis(self.x, self.linear_below))
        rows = curve_rows(panels)
        over = "λ" if self.x == "lmbda" else quantity(self.x).label.lower()
        caption = sentences(
            f"Drift over {over}, corpus {rows[0].corpus}, {codec_text(codecs)}: gain in cosine similarity to "
            "neutral's centroid, to the mean of the training frames, and to the vector that all-SKIP decodes to, "
            "each minus the gain to the centroid of the utterances' own emotion. Positive: drawn there.",
            count_text(rows),
            interval_text(rows, "Bands"),
            axis_text(knee) if knee else "",
        )
        return [Artifact(self.name, f"Drift over {over}", caption, curves_text(panels, over), rows, figure, {})]
