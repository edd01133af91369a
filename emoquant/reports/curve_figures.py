"""Figures of curves with what belongs to them: caption, alternative text and the rows behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.captions import axis_text, count_text, interval_text, sentences
from emoquant.reports.panels import Curve, Panel, curve_over, curve_rows, curves_text, horizontal_axis, panel_figure
from emoquant.reports.quantities import quantity
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.style import paper_style
from emoquant.storage.results import Row


@dataclass(kw_only=True)
class CurveDrawing(Drawing):
    """A report whose figures are panels of curves over one horizontal axis.

    Args:
        linear_below: Where a logarithmic axis turns linear; None to choose by the values.
        stratum: Part of the corpus that is shown.
        name: Stem of the file names.

    Attributes:
        x: ``"lmbda"`` or the metric on the horizontal axis; an option of some classes, fixed for the others.
        height: Height of a panel in inches.
    """

    x = "lmbda"
    height: ClassVar[float] = 1.9
    linear_below: float | None = None

    @property
    def over_text(self) -> str:
        """Name of the horizontal quantity in captions and titles."""
        return "λ" if self.x == "lmbda" else quantity(self.x).label.lower()

    def curve(
        self, results: Results, metric: str, codec: str, emotion: str = ALL, label: str = "", index: int = 0
    ) -> Curve:
        """Return a metric of a codec over the horizontal axis; see :func:`~emoquant.reports.panels.curve_over`."""
        return curve_over(results, metric, self.x, codec, emotion, self.stratum, label or codec, index)

    def codec_curves(self, results: Results, metric: str, codecs: Sequence[str], emotion: str = ALL) -> list[Curve]:
        """Return a line for every codec that has the metric somewhere."""
        curves = [self.curve(results, metric, codec, emotion, index=index) for index, codec in enumerate(codecs)]
        return [curve for curve in curves if curve.rows]

    def counts(self, rows: Sequence[Row]) -> str:
        """Return how many utterances stand behind rows, as a sentence."""
        return count_text(rows)

    def figure(
        self,
        title: str,
        about: str,
        panels: Sequence[Panel],
        columns: int,
        *,
        stem: str = "",
        height: float | None = None,
        intervals: str = "Bands",
        notes: Sequence[str] = (),
        end: Sequence[str] = (),
        draw: Callable[[Figure], str] | None = None,
    ) -> Artifact:
        """Return a figure of panels; its caption says what is shown, n, the intervals, notes, and how the axis runs.

        Args:
            title: Heading.
            about: First sentences of the caption: what is shown, of which corpus and codecs.
            panels: Panels, row by row.
            columns: Panels side by side.
            stem: File name without suffix; the report's name by default.
            height: Height of a panel in inches; that of the class by default.
            intervals: How intervals are shown.
            notes: Sentences before that on the axis; empty ones are left out.
            end: Sentences behind it.
            draw: Draws what else belongs into the figure, and returns a sentence about it.

        Raises:
            MissingRowsError: There is no point in any panel.
        """
        if not any(curve.rows for panel in panels for curve in panel.curves):
            raise MissingRowsError(f"{self.name}: nothing over {self.x} in stratum {self.stratum!r}")
        with paper_style():
            axis = horizontal_axis(self.x, self.linear_below)
            figure, knee = panel_figure(panels, columns, axis, height=height or self.height)
            drawn = draw(figure) if draw is not None else ""
        rows = curve_rows(panels)
        spread = interval_text(rows, intervals) if rows else ""
        caption = sentences(about, self.counts(rows), spread, *notes, drawn, axis_text(knee) if knee else "", *end)
        return Artifact(stem or self.name, title, caption, curves_text(panels, self.over_text), rows, figure, {})
