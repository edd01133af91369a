"""Curves over lambda, over rate, and over similarity."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from emoquant.reports.base import Artifact
from emoquant.reports.curve_figures import CurveDrawing
from emoquant.reports.panels import Panel, codec_text, curve_rows
from emoquant.reports.quantities import quantity
from emoquant.reports.reference import published_curve, read_reference, reference_text, source_name
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.style import GREY
from emoquant.storage.results import Row

#: Panels side by side for a number of panels; four for more.
_COLUMNS = {1: 1, 2: 2, 3: 3, 5: 5, 6: 3, 9: 3}


@dataclass
class SweepCurves(CurveDrawing):
    """A metric over lambda, a line with a band for every emotion and a panel for every codec.

    Where the metric is known for all emotions together only, or ``emotions`` is ``[all]``, the lines are the codecs.

    Args:
        metric: Metric on the vertical axis.
        x: ``"lmbda"``, or a metric to draw over instead (``bits_per_frame``).
        codecs: Codecs in the order of the panels; all in the file by default.
        emotions: Emotions in the order of the legend; all in the file by default.
        layout: ``"together"``: all emotions in one panel; ``"panels"``: a panel for each emotion.
        reference: CSV of published figures (a column ``lambda`` and one for each emotion, or the columns ``codec``,
            ``lambda`` and one of figures); drawn in a panel of its own, or over ours with ``layout: panels``.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files; ``<metric>_over_<x>`` by default.

    Raises:
        ValueError: The layout is neither of the two, or there is a reference that is not over lambda.
    """

    stem = "{metric}_over_{x}"
    metric: str = "recall"
    x: str = "lmbda"
    codecs: list[str] | None = None
    emotions: list[str] | None = None
    layout: str = "together"
    reference: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layout not in ("together", "panels"):
            raise ValueError(f"layout must be 'together' or 'panels', not {self.layout!r}")
        if self.reference and self.x != "lmbda":
            raise ValueError(f"published figures are over lambda: x must be 'lmbda' with a reference, not {self.x!r}")

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure with a panel for every codec, or for every emotion."""
        codecs = results.codecs(self.metric, self.codecs)
        if self.x != "lmbda":
            results.codecs(self.x, codecs if self.codecs else None)
        panels, columns = self._panels(results, codecs)
        rows = curve_rows(panels)
        if not rows:
            raise MissingRowsError(
                f"{self.name}: no operating point of stratum {self.stratum!r} has both {self.metric} and {self.x}"
            )
        measure, over = quantity(self.metric), self.over_text
        about = f"{measure.explained} over {over}, corpus {results.corpus}, {codec_text(codecs)}."
        notes = [
            "" if self.x == "lmbda" else "Each emotion's points stand at what this emotion has there.",
            "“none”: features before quantization." if any(c.before for p in panels for c in p.curves) else "",
        ]
        published = f"Hollow markers: {reference_text(self.reference)}." if self.reference else ""
        end = [self._ceiling(results, rows[0]), published]
        return [self.figure(f"{measure.label} over {over}", about, panels, columns, notes=notes, end=end)]

    def _ceiling(self, results: Results, shown: Row) -> str:
        """Return the most that the metric can be, as a sentence; empty where nothing is known of it."""
        measure = quantity(self.metric)
        most = results.find(measure.ceiling, shown.codec, shown.lmbda, ALL, self.stratum) if measure.ceiling else None
        if most is None:
            return ""
        return f"At most {measure.text(most.value)} {measure.unit}: {quantity(measure.ceiling).label.lower()}."

    def _panels(self, results: Results, codecs: Sequence[str]) -> tuple[list[Panel], int]:
        measure, zero = quantity(self.metric), quantity(self.metric).centred
        emotions = results.emotions(self.metric, self.emotions)
        if not emotions or emotions == [ALL]:
            curves = [self.curve(results, self.metric, codec, index=i) for i, codec in enumerate(codecs)]
            panels, series = [Panel("", measure, curves, zero)], [*codecs, ALL]
        elif self.layout == "panels":
            panels, series = [], emotions
            for emotion in emotions:
                curves = [self.curve(results, self.metric, codec, emotion, codec, i) for i, codec in enumerate(codecs)]
                panels.append(Panel(emotion, measure, curves, zero))
        else:
            panels, series = [], emotions
            for codec in codecs:
                curves = [self.curve(results, self.metric, codec, emotion, emotion) for emotion in emotions]
                panels.append(Panel(codec if len(codecs) > 1 else "", measure, curves, zero))
        panels = self._with_reference(panels, series)
        columns = _COLUMNS.get(len(panels), 4)
        if columns > 3:  # too narrow for a place of their own
            panels = [p._replace(curves=[c._replace(before=None) for c in p.curves]) for p in panels]
        return panels, columns

    def _with_reference(self, panels: list[Panel], series: Sequence[str]) -> list[Panel]:
        if not self.reference:
            return panels
        table = read_reference(self.reference, self.metric, series)
        published = {s: published_curve(table, s, self.metric, i) for i, s in enumerate(table)}
        if self.layout == "together" or series[-1] == ALL:
            named = [panel._replace(title=panel.title or "measured") for panel in panels]
            return [
                *named,
                Panel(source_name(self.reference or ""), panels[0].measure, list(published.values()), panels[0].zero),
            ]
        grey = {s: c._replace(label="published", style=c.style._replace(colour=GREY)) for s, c in published.items()}
        return [
            panel._replace(curves=[*panel.curves, grey[s]]) if s in grey else panel
            for panel, s in zip(panels, series, strict=True)
        ]


@dataclass
class RateCurves(SweepCurves):
    """A metric over the rate that each emotion gets, so that emotions are compared at equal bits.

    Args:
        metric: Metric on the vertical axis.
        codecs: As in :class:`SweepCurves`.
        emotions: As in :class:`SweepCurves`.
        layout: As in :class:`SweepCurves`.
        linear_below: Where the horizontal axis turns from logarithmic to linear, in bits/frame.
        stratum: Part of the corpus.
        name: Stem of the files; ``<metric>_over_rate`` by default.
    """

    x: str = field(default="bits_per_frame", init=False)
    reference: str | None = field(default=None, init=False)
