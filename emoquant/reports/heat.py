"""Heat maps with numbers, and the same numbers as Markdown and LaTeX."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from emoquant.reports.base import Artifact
from emoquant.reports.captions import count_text, interval_text, sentences, widest_text
from emoquant.reports.quantities import UNDEFINED, Quantity
from emoquant.reports.rows import MissingRowsError
from emoquant.reports.style import GREY, new_figure, paper_style
from emoquant.reports.writing import label_text, latex_text, markdown_table, markdown_text
from emoquant.storage.results import Row

#: Light to dark, one hue: order is kept in grey and for all kinds of colour vision.
_SEQUENTIAL = ["#FFFFFF", "#DDEAF4", "#A9CCE4", "#5F9CC7", "#22659C", "#08325C"]


class Grid(NamedTuple):
    """Cells of a table; None where the results have no row.

    Attributes:
        title: Text above it.
        measure: How the values are shown.
        cells: Rows of cells.
        rows: Heading of each row.
        columns: Heading of each column.
        corner: What the row headings are.
        across: What the column headings are; empty to leave it out.
        own: Column heading that belongs to each row; that cell is framed.
    """

    title: str
    measure: Quantity
    cells: Sequence[Sequence[Row | None]]
    rows: Sequence[str]
    columns: Sequence[str]
    corner: str
    across: str = ""
    own: Sequence[str | None] = ()

    def text(self, cell: Row | None) -> str:
        """Return a cell as the table shows it."""
        return "" if cell is None else self.measure.text(cell.value)

    def text_with_interval(self, cell: Row | None, form: str = "%s [%s, %s]") -> str:
        """Return a cell with its interval (see :meth:`~emoquant.reports.quantities.Quantity.figure`)."""
        return "" if cell is None else self.measure.figure(cell.value, cell.low, cell.high, form)


def shown_rows(grids: Sequence[Grid]) -> list[Row]:
    """Return the rows behind grids, published figures left out."""
    cells = [cell for grid in grids for line in grid.cells for cell in line]
    return [cell for cell in cells if cell is not None and cell.corpus != "published"]


def heat_artifact(
    stem: str,
    title: str,
    about: str,
    alt: str,
    grids: Sequence[Grid],
    cell: tuple[float, float],
    *,
    pictured: Sequence[Grid] = (),
    columns: int = 1,
    rows: Sequence[Row] = (),
    notes: Sequence[str] = (),
    end: Sequence[str] = (),
) -> Artifact:
    """Return heat maps with their captions, and the same numbers with intervals and n as Markdown and LaTeX.

    Args:
        stem: File name without suffix.
        title: Heading.
        about: First sentences of the captions.
        alt: The picture in words.
        grids: Tables of the same measure.
        cell: Width and height of a cell in inches.
        pictured: What the picture shows, where it differs.
        columns: Tables side by side.
        rows: Rows behind the grids, where these add some up; those that are shown by default.
        notes: Sentences behind n in all captions; empty ones are left out.
        end: Sentences at the end of the picture's caption.

    Raises:
        MissingRowsError: There is no row behind any cell.
    """
    rows = rows or shown_rows(grids)
    if not rows:
        raise MissingRowsError(f"{stem}: no rows behind any cell; is the stratum one of the results?")
    with paper_style():
        figure = heat_figure(pictured or grids, columns, cell)
    base = sentences(about, count_text(rows), *notes)
    below = sentences(base, interval_text(rows, "In brackets"))
    tables = [
        latex(grid, f"{grid.title}: {below}", f"tab:{stem}-{number}")
        if grid.title
        else latex(grid, below, f"tab:{stem}")
        for number, grid in enumerate(grids, 1)
    ]
    text = "\n".join(markdown(grid) for grid in grids)
    texts = {".md": f"{text}\n{markdown_text(below)}\n", ".tex": "\n".join(tables)}
    caption = sentences(base, widest_text(rows, grids[0].measure), *end)
    return Artifact(stem, title, caption, alt, rows, figure, texts)


def heat_figure(grids: Sequence[Grid], columns: int, cell: tuple[float, float]) -> Figure:
    """Draw grids as heat maps with one colour scale.

    Args:
        grids: Tables of the same measure.
        columns: Tables side by side.
        cell: Width and height of a cell in inches.
    """
    lines = math.ceil(len(grids) / columns)
    headings = max(len(text) for grid in grids for text in grid.rows) * 0.058 + 0.3
    width = columns * (max(len(grid.columns) for grid in grids) * cell[0] + headings) + 0.15
    figure = new_figure(width, lines * (max(len(grid.rows) for grid in grids) * cell[1] + 0.62))
    colours, norm = _colours(grids)
    axes = figure.subplots(lines, columns, squeeze=False)
    for place, grid in zip(axes.flat, grids, strict=False):
        _draw(place, grid, colours, norm)
    for place in axes.flat[len(grids) :]:
        place.set_visible(False)
    return figure


def _colours(grids: Sequence[Grid]) -> tuple[Colormap, Normalize]:
    measure = grids[0].measure
    cells = [cell for grid in grids for line in grid.cells for cell in line]
    values = [cell.value * measure.scale for cell in cells if cell is not None and not math.isnan(cell.value)]
    if measure.centred:
        reach = max([abs(value) for value in values], default=1.0) or 1.0
        return mpl.colormaps["PuOr_r"], TwoSlopeNorm(0.0, -reach, reach)
    low, high = measure.limits or (min(values, default=0.0), max(values, default=1.0))
    return LinearSegmentedColormap.from_list("steps", _SEQUENTIAL), Normalize(low, high if high > low else low + 1.0)


def _draw(axes: Axes, grid: Grid, colours: Colormap, norm: Normalize) -> None:
    scale = grid.measure.scale
    values = np.array([[math.nan if c is None else c.value * scale for c in line] for line in grid.cells])
    axes.pcolormesh(np.ma.masked_invalid(values), cmap=colours, norm=norm, edgecolors="white", linewidth=0.8)
    for y, line in enumerate(grid.cells):
        for x, cell in enumerate(line):
            empty = cell is None or math.isnan(cell.value)
            back = (1.0, 1.0, 1.0, 1.0) if empty else colours(norm(values[y, x]))
            own = bool(grid.own) and grid.own[y] == grid.columns[x]
            axes.text(
                x + 0.5,
                y + 0.5,
                grid.text(cell),
                ha="center",
                va="center_baseline",
                color=ink(back),
                weight="bold" if own else "normal",
            )
            if own:
                left, right, top, bottom = x + 0.03, x + 0.97, y + 0.05, y + 0.95
                axes.plot(
                    [left, right, right, left, left], [top, top, bottom, bottom, top], color="black", linewidth=1.0
                )
    axes.set_xticks([x + 0.5 for x in range(len(grid.columns))], grid.columns)
    axes.set_yticks([y + 0.5 for y in range(len(grid.rows))], grid.rows)
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(grid.across)
    axes.annotate(grid.corner, (0, 1), (-3, 3), "axes fraction", "offset points", ha="right", va="bottom", fontsize=7)
    _rule(axes, grid)
    axes.set_title(grid.title, pad=6)
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _rule(axes: Axes, grid: Grid) -> None:
    """Set what is not one of the table's kind apart: all emotions together, other classes, no quantization."""
    if grid.columns[-1] in ("UAR", "macro-F1", "all", "else"):
        axes.axvline(len(grid.columns) - 1, color=GREY, linewidth=0.8)
    if grid.rows[0] == "none":
        axes.axhline(1, color=GREY, linewidth=0.8)


def ink(back: tuple[float, float, float, float]) -> str:
    """Return black or white, whichever has more contrast on a background.

    Args:
        back: Red, green, blue and alpha in [0, 1].

    Example:
        >>> ink((0.0, 0.0, 0.4, 1.0)), ink((1.0, 1.0, 0.8, 1.0))
        ('white', 'black')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in back[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"


def markdown(grid: Grid) -> str:
    """Return a grid as a Markdown table: value and interval in a cell, n under the headings.

    Args:
        grid: The table.
    """
    body = [
        [name, *(grid.text_with_interval(cell) for cell in line)]
        for name, line in zip(grid.rows, grid.cells, strict=True)
    ]
    table = markdown_table([grid.corner, *grid.columns], [*body, ["n", *_counts(grid)]], left=1)
    return f"{'**' + markdown_text(grid.title) + '**' + chr(10) * 2 if grid.title else ''}{table}"


def latex(grid: Grid, caption: str, label: str) -> str:
    """Return a grid as a LaTeX table that needs the package ``booktabs``.

    Args:
        grid: The table.
        caption: Caption, plain text.
        label: Label to refer to.
    """
    head = " & ".join(latex_text(text) for text in (grid.corner, *grid.columns))
    body = []
    for name, line in zip(grid.rows, grid.cells, strict=True):
        cells = [grid.text_with_interval(cell, r"%s {\scriptsize[%s, %s]}") for cell in line]
        body.append(
            " & ".join(
                [latex_text(name), *[re.sub(r"-(?=\d)", "$-$", cell).replace(UNDEFINED, "--") for cell in cells]]
            )
            + r" \\"
        )
    counts = " & ".join(["$n$", *_counts(grid)]) + r" \\"
    return "\n".join([
        r"\begin{table}", r"\centering", rf"\caption{{{latex_text(caption)}}}", rf"\label{{{label_text(label)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}", r"\toprule", head + r" \\", r"\midrule",
        *body, r"\midrule", counts, r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def _counts(grid: Grid) -> list[str]:
    texts = []
    for column in zip(*grid.cells, strict=True):
        counts = sorted({cell.n for cell in column if cell is not None})
        texts.append("" if not counts else f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}")
    return texts
