"""Where emotions go: the predicted classes of each emotion's utterances over lambda."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path

from emoquant.reports.base import Artifact, Drawing, file_name
from emoquant.reports.captions import axis_text, count_text, sentences, widest_text
from emoquant.reports.outcomes import ELSE, Outcomes
from emoquant.reports.panels import codec_text
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import Results
from emoquant.reports.style import COLUMN, PAGE, LineStyle, line_style, new_figure, paper_style, zero_log_axis

_ELSE_STYLE = LineStyle("#B5B5B5", "", "-", "")


@dataclass
class FlowFigure(Drawing):
    """What each emotion is taken for over lambda.

    Args:
        kind: ``"areas"``: a panel for each true emotion, the shares of the predicted classes stacked over lambda, a row
            for each codec; ``"ribbons"``: ribbons from true to predicted emotion at chosen lambdas, a figure for each
            codec.
        lambdas: Operating points of the ribbons, NaN for the unquantized features; these and up to three between which
            much changes by default.
        codecs: Codecs; all in the file by default.
        outcome: Stem of the metrics: ``<outcome>/<class>`` is the share of an emotion's utterances.
        linear_below: Where the horizontal axis of the areas turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files; ``flow_<kind>`` by default.

    Raises:
        ValueError: The kind is neither of the two.
    """

    stem = "flow_{kind}"
    kind: str = "areas"
    lambdas: list[float] | None = None
    codecs: list[str] | None = None
    outcome: str = "predicted"
    linear_below: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in ("areas", "ribbons"):
            raise ValueError(f"kind must be 'areas' or 'ribbons', not {self.kind!r}")

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure of areas, or one of ribbons for every codec."""
        outcomes = Outcomes(results, self.outcome, self.stratum)
        codecs = outcomes.codecs(self.codecs)
        if self.kind == "areas":
            return [self._areas(outcomes, codecs)]
        return [self._ribbons(outcomes, c, f"_{file_name(c)}" if len(codecs) > 1 else "") for c in codecs]

    def _areas(self, outcomes: Outcomes, codecs: Sequence[str]) -> Artifact:
        with paper_style():
            figure = new_figure(PAGE, 1.3 * len(codecs) + 0.75)
            grid = figure.subplots(len(codecs), len(outcomes.emotions), squeeze=False, sharex=True, sharey=True)
            for line, codec in zip(grid, codecs, strict=True):
                points = outcomes.points(codec)
                for axes, emotion in zip(line, outcomes.emotions, strict=True):
                    _stack(axes, points, [_shares(outcomes, codec, p, emotion) for p in points])
                    knee = zero_log_axis(axes, points, self.linear_below, PAGE / len(line) - 0.2)
                    axes.set(
                        xlim=(0, max(points)), ylim=(0, 100), title=f"true {emotion}" if codec == codecs[0] else ""
                    )
                line[0].set_ylabel(f"{codec}\npredicted (%)" if len(codecs) > 1 else "Predicted (%)")
            for axes in grid[-1]:
                axes.set_xlabel("λ")
            _key(figure, outcomes.columns)
        rows = [row for codec in codecs for point in outcomes.points(codec) for row in outcomes.rows(codec, point)]
        caption = sentences(
            "Predicted classes of each true emotion (columns) over λ (squared feature units per bit), stacked in the "
            f"order of the key from below, corpus {rows[0].corpus}, {codec_text(codecs)}.",
            outcomes.else_note,
            count_text(rows),
            widest_text(rows, quantity("predicted")),
            axis_text(knee),
        )
        return Artifact(self.name, "Where emotions go", caption, _alt(outcomes, codecs), rows, figure, {})

    def _ribbons(self, outcomes: Outcomes, codec: str, suffix: str) -> Artifact:
        points = outcomes.chosen(codec, self.lambdas, 3)
        columns = min(len(points), 4)
        lines = math.ceil(len(points) / columns)
        with paper_style():
            figure = new_figure(max(COLUMN, PAGE * columns / 4), lines * 2.0 + 0.4)
            grid = figure.subplots(lines, columns, squeeze=False)
            for axes, point in zip(grid.flat, points, strict=False):
                _draw_ribbons(axes, {e: _shares(outcomes, codec, point, e) for e in outcomes.emotions})
                axes.set_title("before quantization" if math.isnan(point) else f"λ = {point_text(point)}")
            for axes in grid.flat[len(points) :]:
                axes.set_visible(False)
            _key(figure, outcomes.columns)
        rows = [row for point in points for row in outcomes.rows(codec, point)]
        caption = sentences(
            "From true (left) to predicted emotion (right) at chosen λ (squared feature units per bit), every true "
            f"emotion drawn equally high, corpus {rows[0].corpus}, codec {codec}.",
            outcomes.else_note,
            count_text(rows),
            widest_text(rows, quantity("predicted")),
        )
        title = "From true to predicted emotion" + (f", {codec}" if suffix else "")
        return Artifact(self.name + suffix, title, caption, _alt(outcomes, [codec]), rows, figure, {})


def _shares(outcomes: Outcomes, codec: str, point: float, emotion: str) -> dict[str, float]:
    cells = {column: outcomes.cell(codec, point, emotion, column) for column in outcomes.columns}
    return {column: 0.0 if cell is None or math.isnan(cell.value) else cell.value for column, cell in cells.items()}


def _alt(outcomes: Outcomes, codecs: Sequence[str]) -> str:
    parts = []
    for codec in codecs:
        last = outcomes.points(codec)[-1]
        for emotion in outcomes.emotions:
            shares = _shares(outcomes, codec, last, emotion)
            most = max(shares, key=lambda name: shares[name])
            parts.append(f"{emotion} mostly {most} ({quantity('predicted').text(shares[most])} %)")
    return f"Shares of predicted classes; at the largest λ of {', '.join(codecs)}: {'; '.join(parts)}."


def _style(name: str) -> LineStyle:
    return _ELSE_STYLE if name == ELSE else line_style(name)


def _fill(name: str) -> dict[str, Any]:
    style = _style(name)
    return {"facecolor": to_rgba(style.colour, 0.75), "hatch": style.hatch, "edgecolor": "white", "linewidth": 0.4}


def _stack(axes: Axes, points: Sequence[float], shares: Sequence[Mapping[str, float]]) -> None:
    base = np.zeros(len(points))
    for name in shares[0]:
        top = base + np.array([found[name] * 100 for found in shares])
        axes.fill_between(points, base, top, **_fill(name))
        base = top
    axes.grid(False)


def _draw_ribbons(axes: Axes, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Draw bars of equal height at the left, bars of what they became at the right, and the ribbons between."""
    gap, bar = 0.25, 0.07
    height = len(shares) * (1 + gap) - gap
    received = {name: math.fsum(found[name] for found in shares.values()) for name in next(iter(shares.values()))}
    spare = (height - math.fsum(received.values())) / max(len(received) - 1, 1)
    ends, place = {}, 0.0
    for name, total in received.items():
        ends[name] = place
        axes.add_patch(Rectangle((1 - bar, place), bar, total, **_fill(name)))
        place += total + spare
    for index, (emotion, found) in enumerate(shares.items()):
        start = index * (1 + gap)
        axes.add_patch(Rectangle((0, start), bar, 1, **_fill(emotion)))
        for name, share in found.items():
            axes.add_patch(_ribbon((bar, start), (1 - bar, ends[name]), share, _style(emotion).colour))
            start, ends[name] = start + share, ends[name] + share
    axes.set(xlim=(0, 1), ylim=(height + 0.02, -0.02), xticks=[0.06, 0.9], yticks=[])
    axes.set_xticklabels(["true", "predicted"])
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _ribbon(start: tuple[float, float], end: tuple[float, float], height: float, colour: str) -> PathPatch:
    (x0, y0), (x1, y1), middle = start, end, (start[0] + end[0]) / 2
    corners = [
        (x0, y0), (middle, y0), (middle, y1), (x1, y1),
        (x1, y1 + height), (middle, y1 + height), (middle, y0 + height), (x0, y0 + height), (x0, y0),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return PathPatch(Path(corners, codes), facecolor=to_rgba(colour, 0.45), edgecolor="none")


def _key(figure: Figure, names: Sequence[str]) -> None:
    handles = [Patch(label=name, **_fill(name)) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), handlelength=1.8)
