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

_TARGETS = {"neutral": "neutral", "mean": "the training mean", "skip": "the all-SKIP vector"}


class DriftCurves(Drawing):
    """What the features drift to, side by side: neutral, the training mean, the vector of all SKIP.

    Collapse to any fixed vector looks like a drift to neutral if neutral alone is looked at. Above stands the drift (a
    difference of cosines, undefined for a target that is the zero vector), below the share of the distance to the
    target that is left, where the file has it.

    Args:
        x: ``"lmbda"``, or ``"bits_per_frame"`` for the comparison at equal bits.
        targets: Targets of the panels, of ``neutral``, ``mean``, ``skip``.
        distances: Draw the lower row.
        codecs: Codecs, two rows of panels each; all in the file by default.
        emotions: Emotions; all in the file by default.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files; ``drift_over_<x>`` by default.

    Raises:
        ValueError: A target is none of the three.
    """

    def __init__(
        self,
        x: str = "lmbda",
        targets: Sequence[str] = ("neutral", "mean", "skip"),
        distances: bool = True,
        codecs: list[str] | None = None,
        emotions: list[str] | None = None,
        linear_below: float | None = None,
        stratum: str = ALL,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"drift_over_{axis_name(x)}", stratum)
        if not targets or not set(targets) <= set(_TARGETS):
            raise ValueError(f"targets must be some of {', '.join(_TARGETS)}, not {list(targets)}")
        self.x, self.targets, self.distances = x, list(targets), distances
        self.codecs, self.emotions, self.linear_below = codecs, emotions, linear_below

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, two rows of panels for every codec."""
        results.need(*(f"drift_to_{t}" for t in self.targets), *([] if self.x == "lmbda" else [self.x]))
        codecs = results.codecs(f"drift_to_{self.targets[0]}", self.codecs)
        left = self.distances and all(f"distance_to_{t}" in results.metrics for t in self.targets)
        panels = []
        for codec in codecs:
            for stem, label in (("drift", "Drift"), ("distance", "Distance left"))[: 1 + left]:
                panels += [self._panel(results, codec, f"{stem}_to_{t}", label, len(codecs) > 1) for t in self.targets]
        with paper_style():
            axis = horizontal_axis(self.x, self.linear_below)
            figure, knee = panel_figure(panels, len(self.targets), axis, height=1.6 if left else 1.9)
        rows = curve_rows(panels)
        over = "λ" if self.x == "lmbda" else quantity(self.x).label.lower()
        caption = sentences(
            f"Drift over {over}, corpus {rows[0].corpus}, {codec_text(codecs)}: gain in cosine similarity to "
            f"{', '.join(_TARGETS[t] for t in self.targets)} (left to right), minus the gain to the centroid of the "
            "utterances' own emotion; positive: drawn there.",
            "Below: the share of the distance to the same target that is left." if left else "",
            count_text(rows),
            interval_text(rows, "Bands"),
            axis_text(knee) if knee else "",
        )
        return [Artifact(self.name, f"Drift over {over}", caption, curves_text(panels, over), rows, figure, {})]

    def _panel(self, results: Results, codec: str, metric: str, label: str, several: bool) -> Panel:
        emotions = results.emotions(metric, self.emotions) or [ALL]
        curves = [curve_over(results, metric, self.x, codec, e, self.stratum, e) for e in emotions]
        curves = [curve._replace(before=None) for curve in curves if curve.rows]
        target = _TARGETS[metric.rpartition("_")[2]]
        title = f"to {target}" + (f", {codec}" if several else "")
        return Panel(title, quantity(metric)._replace(label=label), curves, zero=True)


class CentroidCurves(Drawing):
    """Similarity of each emotion's utterances to the centroids of all emotions: whom do they come to resemble?

    Args:
        x: ``"lmbda"``, or ``"bits_per_frame"`` for the comparison at equal bits.
        metric: Stem of the metrics ``<metric>/<emotion of the centroid>``.
        codecs: Codecs, a row of panels each; all in the file by default.
        emotions: Emotions of the utterances, a column each; all in the file by default.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files; ``<metric>_over_<x>`` by default.
    """

    def __init__(
        self,
        x: str = "lmbda",
        metric: str = "similarity_to",
        codecs: list[str] | None = None,
        emotions: list[str] | None = None,
        linear_below: float | None = None,
        stratum: str = ALL,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"{metric}_over_{axis_name(x)}", stratum)
        self.x, self.metric, self.codecs, self.emotions = x, metric, codecs, emotions
        self.linear_below = linear_below

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, a row of panels for every codec."""
        targets = results.targets(self.metric)
        results.need(*([] if targets else [f"{self.metric}/<emotion>"]), *([] if self.x == "lmbda" else [self.x]))
        codecs = results.codecs(f"{self.metric}/{targets[0]}", self.codecs)
        emotions = results.emotions(f"{self.metric}/{targets[0]}", self.emotions)
        panels = []
        for codec in codecs:
            for emotion in emotions:
                curves = []
                for target in targets:
                    curve = curve_over(results, f"{self.metric}/{target}", self.x, codec, emotion, self.stratum, target)
                    curves.append(curve._replace(before=None, weight=2.2 if target == emotion else 1.2))
                title = f"{emotion} utterances" + (f", {codec}" if len(codecs) > 1 else "")
                panels.append(Panel(title, quantity(self.metric), curves, zero=quantity(self.metric).centred))
        with paper_style():
            axis = horizontal_axis(self.x, self.linear_below)
            figure, knee = panel_figure(panels, len(emotions), axis, height=1.6)
        rows = curve_rows(panels)
        over = "λ" if self.x == "lmbda" else quantity(self.x).label.lower()
        caption = sentences(
            f"{quantity(self.metric).axis} of each emotion's utterances (columns) to the centroid of each emotion of "
            f"the training split (lines; thick: their own) over {over}, corpus {rows[0].corpus}, {codec_text(codecs)}.",
            count_text(rows),
            interval_text(rows, "Bands"),
            axis_text(knee) if knee else "",
        )
        title = f"{quantity(self.metric).label} to every emotion's centroid"
        return [Artifact(self.name, title, caption, curves_text(panels, over), rows, figure, {})]
