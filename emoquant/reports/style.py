"""The look of the figures: sizes, colours that colour-blind readers can tell apart, and axes that show zero."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import matplotlib as mpl
from matplotlib import RcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from emoquant.labels import SPELLINGS, canonical_emotion
from emoquant.reports.quantities import point_text

#: Widths of a paper's column and of its page, in inches.
COLUMN, PAGE = 3.4, 7.0
GREY = "#5E5E5E"
#: Background of the linear stretch of a logarithmic axis.
_LINEAR = "#F3F3F3"
#: Room of a tick label in inches.
_LABEL = 0.3

_SHEET = Path(__file__).parent / "paper.mplstyle"


#: A line style of matplotlib.
Dashes: TypeAlias = Literal["-"] | tuple[float, tuple[float, ...]]


class LineStyle(NamedTuple):
    """How a series is drawn; colour, marker and dashes each tell it apart.

    Attributes:
        colour: Colour as ``#RRGGBB``, at least 3:1 against white.
        marker: Marker of matplotlib.
        dashes: Line style of matplotlib.
        hatch: Hatching of areas.
    """

    colour: str
    marker: str
    dashes: Dashes
    hatch: str


_SOLID: Dashes = "-"
_DASHED: Dashes = (0, (4.0, 1.5))
_DOTTED: Dashes = (0, (1.0, 1.2))
_DASHDOT: Dashes = (0, (4.0, 1.2, 1.0, 1.2))
_LONG: Dashes = (0, (7.0, 2.0))

_EMOTIONS = {
    "angry": LineStyle("#9A1414", "o", _SOLID, ""),
    "happy": LineStyle("#B87A0C", "^", _DASHED, "//"),
    "neutral": LineStyle(GREY, "s", _LONG, ".."),
    "sad": LineStyle("#2C86D8", "v", _DASHDOT, "\\\\"),
    "surprise": LineStyle("#5A0C84", "D", _DOTTED, "xx"),
    "fear": LineStyle("#12795A", "P", _DASHED, "++"),
    "disgust": LineStyle("#6B6A12", "X", _DASHDOT, "oo"),
    "calm": LineStyle("#2A9A96", "<", _LONG, "--"),
    "boredom": LineStyle("#8A6A4A", ">", _DOTTED, "||"),
    "excited": LineStyle("#D5508A", "p", _SOLID, "**"),
    "frustrated": LineStyle("#C04A1A", "h", _LONG, "OO"),
    "all": LineStyle("#000000", "*", _SOLID, ""),
}
_OTHERS = (
    LineStyle("#1F5FA8", "o", _SOLID, ""),
    LineStyle("#C0560A", "^", _DASHED, "//"),
    LineStyle("#12795A", "s", _DASHDOT, ".."),
    LineStyle("#7A2E8E", "v", _LONG, "\\\\"),
    LineStyle(GREY, "D", _DOTTED, "xx"),
    LineStyle("#A3195B", "P", _SOLID, "++"),
    LineStyle("#6B6A12", "X", _DASHED, "oo"),
    LineStyle("#2A9A96", "<", _DASHDOT, "--"),
)


def line_style(name: str, index: int = 0) -> LineStyle:
    """Return how a series is drawn: an emotion always the same, anything else by its place in the list.

    Args:
        name: Emotion in any listed spelling, ``"all"``, or the name of a codec or stratum.
        index: Place of the series, for names that are no emotion.

    Example:
        >>> line_style("surprised") == line_style("surprise")
        True
    """
    if name in _EMOTIONS:
        return _EMOTIONS[name]
    known = any(name.lower() in (key, *others) for key, others in SPELLINGS.items())
    return _EMOTIONS.get(canonical_emotion(name) if known else "", _OTHERS[index % len(_OTHERS)])


@cache
def _sheet() -> RcParams:
    return mpl.rc_params_from_file(_SHEET, use_default_template=False)


@contextmanager
def paper_style() -> Iterator[None]:
    """Set matplotlib's defaults to the figures' look for the length of a block, whatever the user's own are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_sheet())
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, with room kept for labels and legends."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03))


def linear_until(values: Sequence[float]) -> float:
    """Return where a logarithmic axis that shows zero turns linear: three decades below the largest value.

    It is the decade of the smallest value if that is higher.

    Args:
        values: Values on the axis, none negative.

    Example:
        >>> linear_until([0, 1e-4, 0.1, 500]), linear_until([0, 20, 500])
        (0.1, 10.0)
    """
    positive = [value for value in values if value > 0]
    if not positive:
        return 1.0
    highest, lowest = (math.floor(math.log10(pick(positive)) + 1e-9) for pick in (max, min))
    return 10.0 ** max(highest - 3, lowest)


def zero_log_axis(
    axes: Axes, values: Sequence[float], linear_below: float | None = None, width: float = COLUMN
) -> float:
    """Make the horizontal axis logarithmic with a linear stretch to zero, shaded, of a decade's length, and tick it.

    Args:
        axes: Axes to change.
        values: Values that will be drawn, none negative.
        linear_below: Where the linear stretch ends; :func:`linear_until` by default.
        width: Width of the axes in inches: where it is too narrow for a label at every decade, some stay without.

    Returns:
        Where the linear stretch ends, for the caption.
    """
    knee = linear_below or linear_until(values)
    top = max([*values, knee])
    axes.set_xscale("symlog", linthresh=knee, linscale=0.9)
    first, last = math.ceil(math.log10(knee) - 1e-9), math.floor(math.log10(top) + 1e-9)
    decades = [10.0**e for e in range(first, last + 1)]
    axes.xaxis.set_major_locator(FixedLocator([0.0, *decades]))
    axes.xaxis.set_minor_locator(FixedLocator([m * d for d in decades for m in (2, 5) if m * d <= top * 1.001]))
    every = math.ceil((len(decades) + 1) * _LABEL / width)
    named = [0.0, *decades[::-every]] if every > 1 else [0.0, *decades]
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: point_text(value) if value in named else ""))
    few = len(decades) <= 2  # decades: their parts need names, too
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: point_text(value)) if few else NullFormatter())
    axes.tick_params(axis="x", which="minor", labelsize=7)
    axes.set_xlim(-0.12 * knee, top * 1.25)
    axes.axvspan(0.0, knee, color=_LINEAR, linewidth=0, zorder=0)
    return knee
