"""Panels of curves: the drawing that all reports over lambda, rate or similarity share."""

import math
import textwrap
from collections.abc import Sequence
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emoquant.reports.quantities import Quantity, quantity
from emoquant.reports.rows import UNQUANTIZED, Results
from emoquant.reports.style import COLUMN, GREY, PAGE, LineStyle, line_style, new_figure, zero_log_axis
from emoquant.storage.results import Row


class Curve(NamedTuple):
    """One line with its interval band.

    Attributes:
        label: Text in the legend.
        style: How it is drawn.
        x: Places on the horizontal axis.
        rows: Row behind each place.
        before: Row of the unquantized features, drawn apart at the left, or None.
        published: A figure read from a reference: hollow markers, no band.
        weight: Width of the line in points.
        banded: Draw the interval band.
    """

    label: str
    style: LineStyle
    x: Sequence[float]
    rows: Sequence[Row]
    before: Row | None = None
    published: bool = False
    weight: float = 1.2
    banded: bool = True


class Panel(NamedTuple):
    """One pair of axes.

    Attributes:
        title: Text above it.
        measure: What the vertical axis shows.
        curves: Lines, at least one.
        zero: Draw a line at zero.
    """

    title: str
    measure: Quantity
    curves: Sequence[Curve]
    zero: bool = False

    @property
    def foreign(self) -> bool:
        """Whether all of its curves are published ones, whose unit of λ is not ours."""
        return all(curve.published for curve in self.curves)


class Horizontal(NamedTuple):
    """The horizontal axis of all panels.

    Attributes:
        label: Text with unit.
        short: Text for narrow panels.
        logarithmic: Logarithmic, with zero shown; a range of less than a decade is shown linear all the same.
        reversed: Larger values at the left.
        linear_below: Where a logarithmic axis turns linear; None to choose by the values.
    """

    label: str
    short: str
    logarithmic: bool = True
    reversed: bool = False
    linear_below: float | None = None


#: Lines of fewer utterances than this are thin, whatever they are about.
FEW = 10
_THIN = 0.8
#: Inches of a panel beside its axes.
_MARGIN = 0.35
#: Where unquantized features are drawn, in units of the linear stretch.
_BEFORE = -0.7
#: The axis that most reports share.
LAMBDA_LABEL = "λ (squared feature units per bit)"


def horizontal_axis(x: str, linear_below: float | None = None) -> Horizontal:
    """Return the axis for a quantity that curves are drawn over.

    Args:
        x: ``"lmbda"`` or the name of a metric.
        linear_below: Where a logarithmic axis turns linear.
    """
    if x == "lmbda":
        return Horizontal(LAMBDA_LABEL, "λ", linear_below=linear_below)
    similarity = "similarity" in x
    measure = quantity(x)
    return Horizontal(
        measure.axis, measure.label, logarithmic=not similarity, reversed=similarity, linear_below=linear_below
    )


def curve_over(
    results: Results, metric: str, x: str, codec: str, emotion: str, stratum: str, label: str, index: int = 0
) -> Curve:
    """Return one metric over the operating points or over another metric, joined point by point.

    Args:
        results: Rows of one corpus.
        metric: Vertical quantity.
        x: ``"lmbda"`` or the metric on the horizontal axis.
        codec: Codec whose points are drawn.
        emotion: Emotion of the utterances.
        stratum: Part of the corpus.
        label: Text in the legend; what is of the same emotion looks the same.
        index: Place of the line, which decides the look of one that is of no emotion.
    """
    rows = results.series(metric, codec, emotion, stratum)
    if x == "lmbda":
        before = results.find(metric, UNQUANTIZED, math.nan, emotion, stratum)
        return Curve(label, line_style(label, index), [row.lmbda for row in rows], rows, before)
    pairs = [(row, results.find(x, codec, row.lmbda, emotion, stratum)) for row in rows]
    known = [(row, at.value * quantity(x).scale) for row, at in pairs if at is not None and not math.isnan(at.value)]
    return Curve(label, line_style(label, index), [place for _, place in known], [row for row, _ in known])


def curve_rows(panels: Sequence[Panel]) -> list[Row]:
    """Return the rows behind panels, published ones left out."""
    curves = [curve for panel in panels for curve in panel.curves if not curve.published]
    return [row for curve in curves for row in (*((curve.before,) if curve.before else ()), *curve.rows)]


def panel_figure(
    panels: Sequence[Panel], columns: int, axis: Horizontal, *, height: float = 1.9
) -> tuple[Figure, float | None]:
    """Draw panels in a grid with one legend below; panels of one measure share their vertical axis.

    Args:
        panels: Panels, row by row.
        columns: Panels side by side; one makes a figure of a paper's column, more one of its page.
        axis: Horizontal axis.
        height: Height of a panel in inches.

    Returns:
        The figure, and where its logarithmic axis turns linear (None for a linear axis).
    """
    rows = math.ceil(len(panels) / columns)
    shared = _sharing(panels, columns)
    width = COLUMN if columns == 1 else min(PAGE, columns * 2.4)
    figure = new_figure(width, rows * height + 0.55)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=shared)
    places = [x for panel in panels for curve in panel.curves for x in curve.x]
    before = width / columns > 1.9 and any(curve.before for panel in panels for curve in panel.curves)
    if axis.linear_below is None and min(places, default=0.0) > max(places, default=0.0) / 8:
        axis = axis._replace(logarithmic=False)  # less than a decade: nothing to spread
    knee = None
    for index, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
        knee = _prepare(axes, axis, places, before, width / columns)
        _draw(axes, panel, _BEFORE * knee if knee and before else None)
        if index % columns == 0 or not shared:
            axes.set_ylabel(textwrap.fill(panel.measure.axis, int(15 * height)))
        if index + columns >= len(panels):
            axes.set_xlabel(axis.short if width / columns <= 1.9 or panel.foreign else axis.label)
            axes.tick_params(labelbottom=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    _legend(figure, panels)
    return figure, knee


def _sharing(panels: Sequence[Panel], columns: int) -> Literal["all", "row"] | bool:
    measures = [panel.measure.axis for panel in panels]
    rows = [set(measures[start : start + columns]) for start in range(0, len(measures), columns)]
    return "all" if len(set(measures)) == 1 else "row" if all(len(row) == 1 for row in rows) else False


def _prepare(axes: Axes, axis: Horizontal, places: Sequence[float], before: bool, width: float) -> float | None:
    if not axis.logarithmic:
        if axis.reversed:
            axes.xaxis.set_inverted(True)
        return None
    knee = zero_log_axis(axes, places, axis.linear_below, width - _MARGIN)
    if before:
        locator = [_BEFORE * knee, *[tick for tick in axes.get_xticks() if tick >= 0]]
        texts = ["none", *[axes.xaxis.get_major_formatter()(tick) for tick in locator[1:]]]
        axes.set_xticks(locator, texts)
        axes.set_xlim(left=-1.0 * knee)
        axes.axvline(-0.35 * knee, color="#BBBBBB", linewidth=0.6, zorder=0.5)
    return knee


def _draw(axes: Axes, panel: Panel, left: float | None) -> None:
    measure = panel.measure
    if panel.zero:
        axes.axhline(0.0, color=GREY, linewidth=0.7, zorder=1)
    for curve in panel.curves:
        _draw_curve(axes, curve, measure.scale, left)
    if all(math.isnan(row.value) for curve in panel.curves for row in curve.rows):
        axes.text(
            0.5, 0.6, "undefined:\nthe vector is zero", transform=axes.transAxes, ha="center", va="center", color=GREY
        )
    if measure.limits:
        pad = 0.03 * (measure.limits[1] - measure.limits[0])
        axes.set_ylim(measure.limits[0] - pad, measure.limits[1] + pad)
    axes.set_title(panel.title)


def _draw_curve(axes: Axes, curve: Curve, scale: float, left: float | None) -> None:
    if not curve.rows:
        return
    colour, marker, dashes, _ = curve.style
    y = [row.value * scale for row in curve.rows]
    face = "white" if curve.published else colour
    line = axes.plot(
        curve.x, y, color=colour, linestyle=dashes, marker=marker, markerfacecolor=face, markeredgewidth=0.7
    )
    few = not curve.published and any(row.n < FEW for row in curve.rows)
    weight = min(curve.weight, _THIN) if few else curve.weight
    line[0].set(clip_on=False, linewidth=weight, zorder=1.9 if curve.published else 2 + weight / 10)
    if curve.published or not curve.banded:
        return
    low, high = ([value * scale for value in ends] for ends in zip(*[(r.low, r.high) for r in curve.rows], strict=True))
    if any(not math.isnan(value) for value in low):
        axes.fill_between(curve.x, low, high, color=colour, alpha=0.16, linewidth=0)
    if curve.before and left is not None:
        row = curve.before
        spread = [[max(0.0, row.value - row.low) * scale], [max(0.0, row.high - row.value) * scale]]
        known = not math.isnan(row.low)
        axes.errorbar(
            [left], [row.value * scale], yerr=spread if known else None, color=colour, marker=marker, elinewidth=0.6
        )


def _legend(figure: Figure, panels: Sequence[Panel]) -> None:
    handles: dict[str, Line2D] = {}
    for curve in (curve for panel in panels for curve in panel.curves):
        handles.setdefault(
            curve.label,
            Line2D(
                [],
                [],
                color=curve.style.colour,
                linestyle=curve.style.dashes,
                marker=curve.style.marker,
                markerfacecolor="white" if curve.published else curve.style.colour,
            ),
        )
    if len(handles) > 1:
        longest = max(len(label) for label in handles) * 0.055 + 0.42  # inches of an entry
        columns = max(1, min(len(handles), int(figure.get_figwidth() / longest)))
        columns = math.ceil(len(handles) / math.ceil(len(handles) / columns))  # rows of equal length
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, columnspacing=1.2)


def codec_text(codecs: Sequence[str]) -> str:
    """Return codecs as a caption names them."""
    return f"codec{'s' if len(codecs) > 1 else ''} {', '.join(codecs)}"


def curves_text(panels: Sequence[Panel], over: str) -> str:
    """Return panels in words: where each line starts and ends, or, of many lines, which there are.

    Args:
        panels: What is drawn.
        over: Name of the horizontal quantity.
    """
    measures = ", ".join(dict.fromkeys(panel.measure.label.lower() for panel in panels))
    head = f"Lines of {measures} over {over}"
    curves = [curve for panel in panels for curve in panel.curves if curve.rows]
    if len(curves) > 12:
        names = ", ".join(dict.fromkeys(curve.label for curve in curves))
        titles = ", ".join(dict.fromkeys(panel.title for panel in panels if panel.title))
        return f"{head}; {len(panels)} panels{f' ({titles})' if titles else ''}; lines: {names}."
    parts = []
    for panel in panels:
        ends = [
            f"{c.label} from {panel.measure.text(c.rows[0].value)} to {panel.measure.text(c.rows[-1].value)}"
            for c in panel.curves
            if c.rows
        ]
        parts.append(f"{panel.title + ': ' if panel.title else ''}{'; '.join(ends)}")
    return f"{head}. {'. '.join(parts)}."
