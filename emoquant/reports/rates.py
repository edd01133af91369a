"""Rate against distortion, and the use of the codebooks."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.captions import axis_text, count_text, interval_text, sentences
from emoquant.reports.panels import (
    Curve,
    Panel,
    codec_text,
    curve_over,
    curve_rows,
    curves_text,
    horizontal_axis,
    panel_figure,
)
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.style import GREY, line_style, paper_style
from emoquant.storage.results import Row


class RDCurve(Drawing):
    """Distortion, or another measure of quality, over the rate: one line for every codec.

    Args:
        quality: Metric on the vertical axis.
        codecs: Codecs; all in the file by default.
        emotion: Emotion of the utterances, or ``"all"``.
        linear_below: Where the horizontal axis turns from logarithmic to linear, in bits/frame.
        stratum: Part of the corpus.
        name: Stem of the files; ``rd_<quality>`` by default.
    """

    def __init__(
        self,
        quality: str = "distortion",
        codecs: list[str] | None = None,
        emotion: str = ALL,
        linear_below: float | None = None,
        stratum: str = ALL,
        name: str | None = None,
    ) -> None:
        super().__init__(name or f"rd_{quality}", stratum)
        self.quality, self.codecs, self.emotion, self.linear_below = quality, codecs, emotion, linear_below

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure with a line for every codec, its lambdas written beside it."""
        results.need(self.quality, "bits_per_frame")
        codecs = results.codecs(self.quality, self.codecs)
        curves = []
        for index, codec in enumerate(codecs):
            curve = curve_over(results, self.quality, "bits_per_frame", codec, self.emotion, self.stratum, codec)
            curves.append(curve._replace(style=line_style(codec, index)))
        curves = [curve for curve in curves if curve.rows]
        if not curves:
            raise MissingRowsError(
                f"{self.name}: no codec has both {self.quality} and bits_per_frame for {self.emotion!r}"
            )
        panel = Panel("", quantity(self.quality), curves)
        with paper_style():
            axis = horizontal_axis("bits_per_frame", self.linear_below)
            figure, knee = panel_figure([panel], 1, axis, height=2.1)
            if len(curves) == 1:
                _label_points(figure.axes[0], curves[0], quantity(self.quality).scale)
        rows, title = curve_rows([panel]), f"{quantity(self.quality).label} over rate"
        caption = self._caption(curves, rows, codecs, knee)
        return [Artifact(self.name, title, caption, curves_text([panel], "rate"), rows, figure, {})]

    def _caption(self, curves: Sequence[Curve], rows: Sequence[Row], codecs: Sequence[str], knee: float | None) -> str:
        savings = [
            f"{c.label} {saved:+.1f} %"
            for c in curves[1:]
            if (saved := bd_rate(_points(curves[0]), _points(c))) is not None
        ]
        return sentences(
            f"{quantity(self.quality).axis} over rate, corpus {rows[0].corpus}, {codec_text(codecs)}, one point "
            f"for every λ{' (numbers)' if len(curves) == 1 else ''}.",
            count_text(rows),
            interval_text(rows, "Bands"),
            f"Mean rate at equal quality (BD-rate) against {curves[0].label}: {', '.join(savings)}." if savings else "",
            axis_text(knee) if knee else "",
        )


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


class CodebookUsage(Drawing):
    """How much of the codebooks is in use, over lambda: perplexity, usage, skipped codes side by side.

    Args:
        metrics: Metrics of the panels; those that the file lacks raise an error.
        codecs: Codecs, a line each; all in the file by default.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files.
    """

    def __init__(
        self,
        metrics: Sequence[str] = ("codebook_perplexity", "codebook_usage", "skip_rate"),
        codecs: list[str] | None = None,
        linear_below: float | None = None,
        stratum: str = ALL,
        name: str = "codebook_usage",
    ) -> None:
        super().__init__(name, stratum)
        self.metrics, self.codecs, self.linear_below = list(metrics), codecs, linear_below

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, a panel for every metric."""
        results.need(*self.metrics)
        panels = []
        for metric in self.metrics:
            codecs = results.codecs(metric, self.codecs)
            curves = [curve_over(results, metric, "lmbda", codec, ALL, self.stratum, codec) for codec in codecs]
            styled = [c._replace(style=line_style(c.label, i), before=None) for i, c in enumerate(curves) if c.rows]
            if not styled:
                raise MissingRowsError(
                    f"{self.name}: {metric} has no rows of emotion 'all'; it is pooled over the split"
                )
            panels.append(Panel(quantity(metric).label, quantity(metric), styled))
        with paper_style():
            axis = horizontal_axis("lmbda", self.linear_below)
            figure, knee = panel_figure(panels, len(panels), axis)
        rows = curve_rows(panels)
        caption = sentences(
            f"Use of the codebooks over λ, corpus {rows[0].corpus}: "
            f"{', '.join(quantity(m).axis.lower() for m in self.metrics)}.",
            count_text(rows),
            interval_text(rows, "Bands"),
            axis_text(knee) if knee else "",
        )
        return [Artifact(self.name, "Use of the codebooks", caption, curves_text(panels, "λ"), rows, figure, {})]


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
