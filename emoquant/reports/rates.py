"""Rate against distortion, and the use of the codebooks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emoquant.reports.base import Artifact
from emoquant.reports.curve_figures import CurveDrawing
from emoquant.reports.panels import Curve, Panel, codec_text
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.style import GREY


@dataclass
class RDCurve(CurveDrawing):
    """Distortion, or another measure of quality, over the rate: one line for every codec.

    Args:
        quality: Metric on the vertical axis.
        codecs: Codecs; all in the file by default.
        emotion: Emotion of the utterances, or ``"all"``.
        linear_below: Where the horizontal axis turns from logarithmic to linear, in bits/frame.
        stratum: Part of the corpus.
        name: Stem of the files; ``rd_<quality>`` by default.
    """

    x = "bits_per_frame"
    height = 2.1

    stem = "rd_{quality}"
    quality: str = "distortion"
    codecs: list[str] | None = None
    emotion: str = ALL

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure with a line for every codec, its lambdas written beside it."""
        results.need(self.quality, "bits_per_frame")
        codecs = results.codecs(self.quality, self.codecs)
        measure = quantity(self.quality)
        curves = self.codec_curves(results, self.quality, codecs, self.emotion)
        if not curves:
            raise MissingRowsError(
                f"{self.name}: no codec has both {self.quality} and bits_per_frame for {self.emotion!r}"
            )
        alone = len(curves) == 1
        about = (
            f"{measure.axis} over rate, corpus {results.corpus}, {codec_text(codecs)}, one point for every λ"
            f"{' (numbers)' if alone else ''}."
        )

        def label(figure: Figure) -> str:
            _label_points(figure.axes[0], curves[0], measure.scale)
            return ""

        panels, title = [Panel("", measure, curves)], f"{measure.label} over rate"
        return [self.figure(title, about, panels, 1, notes=[_savings(curves)], draw=label if alone else None)]


def _savings(curves: Sequence[Curve]) -> str:
    """Return how much rate each codec saves against the first, as a sentence; empty where nothing can be said."""
    savings = [
        f"{c.label} {saved:+.1f} %"
        for c in curves[1:]
        if (saved := bd_rate(_points(curves[0]), _points(c))) is not None
    ]
    against = f"Mean rate at equal quality (BD-rate) against {curves[0].label}"
    return f"{against}: {', '.join(savings)}." if savings else ""


def bd_rate(anchor: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float | None:
    """Return how much more rate one codec takes than another at equal quality, in percent; negative saves.

    The mean difference of log rate over the range of quality that both reach, with log rate linear in quality between
    points (after Bjontegaard 2001, Calculation of average PSNR differences between RD-curves, VCEG-M33, with cubics).

    Args:
        anchor: Quality or distortion, and rate in bits/frame, of each point of the codec compared with.
        other: The same of the codec compared.

    Returns:
        Percent; None where the ranges of quality do not overlap. Points without rate are left out.

    Example:
        >>> bd_rate([(1.0, 100.0), (2.0, 50.0)], [(1.0, 50.0), (2.0, 25.0)])
        -50.0
    """
    curves = [sorted({quality: rate for quality, rate in points if rate > 0}.items()) for points in (anchor, other)]
    if any(len(curve) < 2 for curve in curves):
        return None
    low, high = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    if low >= high:
        return None
    grid = np.unique([low, high, *[q for curve in curves for q, _ in curve if low < q < high]])
    logs = [np.interp(grid, *np.array([(q, math.log(rate)) for q, rate in curve]).T) for curve in curves]
    mean = float(np.trapezoid(logs[1] - logs[0], grid)) / (high - low)
    return round(100.0 * math.expm1(mean), 6)


def _points(curve: Curve) -> list[tuple[float, float]]:
    return [(row.value, rate) for row, rate in zip(curve.rows, curve.x, strict=True) if not math.isnan(row.value)]


@dataclass
class CodebookUsage(CurveDrawing):
    """How much of the codebooks is in use, over lambda: perplexity, usage, skipped codes side by side.

    Args:
        metrics: Metrics of the panels; those that the file lacks raise an error.
        codecs: Codecs, a line each; all in the file by default.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files.
    """

    stem = "codebook_usage"
    metrics: Sequence[str] = ("codebook_perplexity", "codebook_usage", "skip_rate")
    codecs: list[str] | None = None

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, a panel for every metric."""
        results.need(*self.metrics)
        panels = []
        for metric in self.metrics:
            found = self.codec_curves(results, metric, results.codecs(metric, self.codecs))
            curves = [curve._replace(before=None) for curve in found]
            if not curves:
                raise MissingRowsError(
                    f"{self.name}: {metric} has no rows of emotion 'all'; it is pooled over the split"
                )
            panels.append(Panel(quantity(metric).label, quantity(metric), curves))
        shown = ", ".join(quantity(metric).axis.lower() for metric in self.metrics)
        about = f"Use of the codebooks over λ, corpus {results.corpus}: {shown}."
        return [self.figure("Use of the codebooks", about, panels, len(panels))]


def _label_points(axes: Axes, curve: Curve, scale: float) -> None:
    last = (math.inf, math.inf)
    for place, row in reversed(list(zip(curve.x, curve.rows, strict=True))):
        x, y = axes.transData.transform((place, row.value * scale))
        if math.hypot(x - last[0], y - last[1]) < 20:  # pixels: the numbers would overlap
            continue
        last = (x, y)
        axes.annotate(
            point_text(row.lmbda),
            (place, row.value * scale),
            (3, 3),
            textcoords="offset points",
            fontsize=5.5,
            color=GREY,
        )
