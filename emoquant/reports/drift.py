"""Curves of what the features drift to."""

from collections.abc import Sequence
from dataclasses import dataclass

from emoquant.reports.base import Artifact
from emoquant.reports.curve_figures import CurveDrawing
from emoquant.reports.panels import Panel, codec_text
from emoquant.reports.quantities import quantity
from emoquant.reports.rows import ALL, Results

_TARGETS = {"neutral": "neutral", "mean": "the training mean", "skip": "the all-SKIP vector"}


@dataclass
class DriftCurves(CurveDrawing):
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

    stem = "drift_over_{x}"
    x: str = "lmbda"
    targets: Sequence[str] = ("neutral", "mean", "skip")
    distances: bool = True
    codecs: list[str] | None = None
    emotions: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.targets or not set(self.targets) <= set(_TARGETS):
            raise ValueError(f"targets must be some of {', '.join(_TARGETS)}, not {list(self.targets)}")

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, two rows of panels for every codec."""
        results.need(*(f"drift_to_{t}" for t in self.targets), *([] if self.x == "lmbda" else [self.x]))
        codecs = results.codecs(f"drift_to_{self.targets[0]}", self.codecs)
        left = self.distances and all(f"distance_to_{t}" in results.metrics for t in self.targets)
        panels = []
        for codec in codecs:
            for stem, label in (("drift", "Drift"), ("distance", "Distance left"))[: 1 + left]:
                panels += [self._panel(results, codec, f"{stem}_to_{t}", label, len(codecs) > 1) for t in self.targets]
        about = (
            f"Drift over {self.over_text}, corpus {results.corpus}, {codec_text(codecs)}: gain in cosine similarity to "
            f"{', '.join(_TARGETS[t] for t in self.targets)} (left to right), minus the gain to the centroid of the "
            "utterances' own emotion; positive: drawn there."
        )
        if left:
            about += " Below: the share of the distance to the same target that is left."
        height = 1.6 if left else None
        return [self.figure(f"Drift over {self.over_text}", about, panels, len(self.targets), height=height)]

    def _panel(self, results: Results, codec: str, metric: str, label: str, several: bool) -> Panel:
        emotions = results.emotions(metric, self.emotions) or [ALL]
        curves = [self.curve(results, metric, codec, e, e) for e in emotions]
        curves = [curve._replace(before=None) for curve in curves if curve.rows]
        target = _TARGETS[metric.rpartition("_")[2]]
        title = f"to {target}" + (f", {codec}" if several else "")
        return Panel(title, quantity(metric)._replace(label=label), curves, zero=True)


@dataclass
class CentroidCurves(CurveDrawing):
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

    height = 1.6

    stem = "{metric}_over_{x}"
    x: str = "lmbda"
    metric: str = "similarity_to"
    codecs: list[str] | None = None
    emotions: list[str] | None = None

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
                    curve = self.curve(results, f"{self.metric}/{target}", codec, emotion, target)
                    curves.append(curve._replace(before=None, weight=2.2 if target == emotion else 1.2))
                title = f"{emotion} utterances" + (f", {codec}" if len(codecs) > 1 else "")
                panels.append(Panel(title, quantity(self.metric), curves, zero=quantity(self.metric).centred))
        measure = quantity(self.metric)
        about = (
            f"{measure.axis} of each emotion's utterances (columns) to the centroid of each emotion of the training "
            f"split (lines; thick: their own) over {self.over_text}, corpus {results.corpus}, {codec_text(codecs)}."
        )
        return [self.figure(f"{measure.label} to every emotion's centroid", about, panels, len(emotions))]
