"""Codecs of features and of audio on one axis: what is left of the emotions from a bit a second up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emoquant.reports.base import Artifact
from emoquant.reports.captions import interval_text, sentences
from emoquant.reports.curve_figures import CurveDrawing
from emoquant.reports.panels import Panel, codec_text
from emoquant.reports.quantities import UNDEFINED, quantity, row_text
from emoquant.reports.rows import ALL, UNQUANTIZED, Results
from emoquant.reports.style import GREY
from emoquant.reports.writing import markdown_table, markdown_text
from emoquant.storage.results import Row

#: Horizontal axis of all figures here.
RATE = "bits_per_second"
#: What the decision alone costs.
DECISION = "decision_bits_per_second"
#: Rates by other ways of counting that a table shows where they are known, with their headings.
_FURTHER = {"file_bits_per_second": "with container", "entropy_coded_bits_per_second": "entropy coded"}


@dataclass
class BitrateCurves(CurveDrawing):
    """Agreement, UAR and recall of each emotion over bits a second, a line a codec, and a table of all points.

    Reference lines: the unquantized features, chance (one emotion of all), and the decision alone, transmitted as
    ``log2`` of the classifier's classes an utterance, which has the figures of the unquantized features.

    Args:
        metrics: Metrics of the first figure, a panel each; ``recall`` has a figure of its own, a panel an emotion.
        codecs: Codecs; all in the file by default.
        linear_below: Where the logarithmic axis turns linear, in bits a second.
        stratum: Part of the corpus.
        name: Stem of the files.
        title: Heading of the table.
    """

    x = RATE
    height = 2.3
    over_text = "bits a second"

    stem = "bitrate"
    metrics: Sequence[str] = ("agreement", "uar")
    codecs: list[str] | None = None
    linear_below: float | None = field(default=1.0, kw_only=True)
    title: str = "Bits a second and emotion"

    def draw(self, results: Results) -> list[Artifact]:
        """Return the figure, that of the recalls, and the table."""
        results.need(RATE, *self.metrics)
        codecs = results.codecs(RATE, self.codecs)
        panels = [self._panel(results, codecs, metric, ALL, "") for metric in self.metrics]
        found = [self._curves(results, self.name, panels, codecs, self.metrics)]
        if "recall" in results.metrics:
            emotions = results.emotions("recall")
            recalls = [self._panel(results, codecs, "recall", emotion, emotion) for emotion in emotions]
            found.append(self._curves(results, f"{self.name}_recall", recalls, codecs, ["recall"]))
        return [*found, self._table(results, codecs)]

    def _panel(self, results: Results, codecs: Sequence[str], metric: str, emotion: str, title: str) -> Panel:
        curves = []
        for curve in self.codec_curves(results, metric, codecs, emotion):
            points = sorted(zip(curve.x, curve.rows, strict=True), key=lambda point: point[0])
            curves.append(curve._replace(x=[place for place, _ in points], rows=[row for _, row in points]))
        return Panel(title, quantity(metric), curves)

    def _curves(
        self, results: Results, stem: str, panels: list[Panel], codecs: Sequence[str], metrics: Sequence[str]
    ) -> Artifact:
        names = " and ".join(quantity(metric).explained for metric in metrics)
        about = (
            f"{names} over bits a second, corpus {results.corpus}, {codec_text(codecs)}, one point for every operating "
            "point."
        )
        title = f"{quantity(metrics[0]).label} from a bit a second up"
        lines = partial(self._references, results, panels, metrics)
        return self.figure(title, about, panels, min(len(panels), 4), stem=stem, draw=lines)

    def _references(self, results: Results, panels: Sequence[Panel], metrics: Sequence[str], figure: Figure) -> str:
        """Draw the reference lines and return a sentence about them."""
        at = results.find(DECISION, UNQUANTIZED, math.nan)
        drawn: set[str] = set()
        for axes, panel in zip(figure.axes, panels, strict=False):
            metric = panel.curves[0].rows[0].metric if panel.curves else metrics[0]
            before = results.find(metric, UNQUANTIZED, math.nan, panel.title or ALL, self.stratum)
            value = 1.0 if metric == "agreement" else before.value if before else math.nan
            scale = panel.measure.scale
            if metric != "agreement" and before is not None:
                _line(axes, value * scale, (0, (5, 2)))
                drawn.add("dashed: before quantization")
            chance = self._chance(results, metric)
            if chance is not None:
                _line(axes, scale * chance, (0, (1, 2)))
                drawn.add("dotted: chance")
            if at is not None and not math.isnan(value):
                axes.plot(
                    [at.value], [value * scale], marker="*", markersize=7, color=GREY, linestyle="", clip_on=False
                )
                drawn.add(f"star: the decision alone, {at.value:.2g} bits/s")
        text = "; ".join(sorted(drawn))
        return f"{text[:1].upper()}{text[1:]}." if text else ""

    def _chance(self, results: Results, metric: str) -> float | None:
        """Return what guessing gives of a metric; None where that is not known."""
        if metric == "uar":
            return 1 / len(results.emotions("recall")) if "recall" in results.metrics else None
        kind, _, asked = metric.partition("/")
        if kind not in ("probe", "code_probe"):
            return None
        found = results.find(f"probe_chance/{asked}", UNQUANTIZED, math.nan, ALL, self.stratum)
        return None if found is None else found.value

    def _table(self, results: Results, codecs: Sequence[str]) -> Artifact:
        further = {metric: heading for metric, heading in _FURTHER.items() if metric in results.metrics}
        shown = [metric for metric in dict.fromkeys([*self.metrics, "kl"]) if metric in results.metrics]
        heads = ["codec", "point", "bits/s", *further.values(), *(quantity(metric).axis for metric in shown), "n"]
        lines, rows = [], []
        for codec, point in [(UNQUANTIZED, math.nan), *((c, p) for c in codecs for p in results.points(RATE, c))]:
            cells = [results.find(metric, codec, point, ALL, self.stratum) for metric in (RATE, *further, *shown)]
            count = next((str(cell.n) for cell in cells[::-1] if cell), "")
            texts = [_cell(cell, bool(index > len(further))) for index, cell in enumerate(cells)]
            place = UNDEFINED if math.isnan(point) else f"{point:g}"
            lines.append([codec, place, *texts, count])
            rows += [cell for cell in cells if cell is not None]
        caption = sentences(
            "Operating points: nominal bits a second of audio codecs, λ of codecs of features.",
            interval_text(rows, "In brackets"),
        )
        text = f"{markdown_table(heads, lines)}\n{markdown_text(caption)}\n"
        return Artifact(f"{self.name}_table", self.title, caption,
                        f"Table of {len(lines)} operating points.", rows, None, {".md": text})  # fmt: skip


def _line(axes: Axes, height: float, dashes: tuple[float, tuple[float, ...]]) -> None:
    axes.axhline(height, color=GREY, linewidth=0.8, linestyle=dashes, zorder=1)


def _cell(row: Row | None, interval: bool) -> str:
    if row is None or math.isnan(row.value):
        return UNDEFINED
    return row_text(row) if interval else quantity(row.metric).text(row.value)
