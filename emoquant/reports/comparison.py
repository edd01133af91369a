"""Methods against each other at equal similarity or rate; parts of a corpus against each other."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
from matplotlib.colors import to_hex

from emoquant.labels import canonical_emotion
from emoquant.reports.base import Artifact
from emoquant.reports.captions import count_text, sentences, span_text
from emoquant.reports.curve_figures import CurveDrawing
from emoquant.reports.curves import SweepCurves
from emoquant.reports.panels import Curve, Panel, codec_text, curve_over
from emoquant.reports.quantities import quantity
from emoquant.reports.reference import locate_reference, published_curve, reference_text
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.style import LineStyle, line_style
from emoquant.storage.documents import read_json
from emoquant.storage.results import Row


@dataclass
class GreedyComparison(SweepCurves):
    """A metric over what is left of the similarity, one panel for each method: which emotion goes first?

    Each emotion's points stand at the similarity that this emotion has there.

    Args:
        metric: Metric on the vertical axis.
        over: ``"utterance_similarity"``, or ``"bits_per_frame"`` for the comparison over rate.
        codecs: Methods in the order of the panels; all in the file by default.
        emotions: Emotions; all in the file by default.
        layout: ``"together"``: a panel for each method; ``"panels"``: a panel for each emotion.
        linear_below: Where an axis of rates turns from logarithmic to linear; one of similarities is linear.
        stratum: Part of the corpus.
        name: Stem of the files; ``greedy_<metric>_over_<over>`` by default.
    """

    stem = "greedy_{metric}_over_{x}"
    x: str = field(default="utterance_similarity", init=False)
    reference: str | None = field(default=None, init=False)
    over: str = "utterance_similarity"

    def __post_init__(self) -> None:
        self.x = self.over
        if not self.name and self.over == "utterance_similarity":
            self.name = f"greedy_{self.metric.strip('/').replace('/', '_')}_over_similarity"
        super().__post_init__()


@dataclass
class StrataCurves(CurveDrawing):
    """Metrics over lambda for parts of the corpus: a row of panels for each metric, a column for each emotion.

    Args:
        metrics: Metrics, a row each.
        parts: What the names of the strata begin with or hold: ``agreement``, ``speaker=``.
        codec: Codec; the first in the file by default.
        emotions: Emotions, a column each; all in the file by default.
        bands: Draw interval bands.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        name: Stem of the files.
    """

    height = 1.45
    weight = 0.6

    stem = "by_speaker"
    stratum: str = field(default=ALL, init=False)
    metrics: Sequence[str] = ("drift_to_neutral", "drift_to_mean")
    parts: str = "speaker="
    codec: str | None = None
    emotions: list[str] | None = None
    bands: bool = False

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure, the whole corpus as the thick line in each panel."""
        results.need(*self.metrics)
        codec = results.codecs(self.metrics[0], [self.codec] if self.codec else None)[0]
        strata = [s for s in results.strata(self.metrics[0]) if self.parts in s]
        if not strata:
            raise MissingRowsError(f"{self.name}: no stratum holds {self.parts!r}; evaluate by {self.parts.strip('=')}")
        emotions = results.emotions(self.metrics[0], self.emotions)
        labels = {stratum: self._label(stratum, _numbers(results, codec, stratum, emotions)) for stratum in strata}
        panels = [self._panel(results, m, codec, e, labels) for m in self.metrics for e in emotions]
        source = f"corpus {results.corpus}, {codec_text([codec])}; thick: the whole corpus."
        return [self._artifact(self.name, f"By {self.parts.strip('=')}", panels, len(emotions), source)]

    def _artifact(self, stem: str, title: str, panels: list[Panel], columns: int, source: str) -> Artifact:
        about = (
            f"{' and '.join(quantity(m).explained for m in self.metrics)} over λ (squared feature units per bit), "
            f"columns: true emotion, {source}"
        )
        shown = "Bands" if self.bands else "In the file of the numbers"
        return self.figure(title, about, panels, columns, stem=stem, intervals=shown)

    def counts(self, rows: Sequence[Row]) -> str:
        """Return how many utterances each part has, and all together."""
        parts = {s: [r for r in rows if r.stratum == s] for s in dict.fromkeys(row.stratum for row in rows)}
        whole = parts.pop(ALL, [])
        if len(parts) > 6:
            numbers = [row.n for found in parts.values() for row in found]
            texts = [f"In each of {len(parts)} parts n = {min(numbers)} to {max(numbers)} utterances of an emotion."]
        else:
            texts = [f"{name}: {count_text(found)}" for name, found in parts.items()]
        return sentences(*texts, f"Whole: {count_text(whole)}" if whole else "")

    def _panel(self, results: Results, metric: str, codec: str, emotion: str, labels: Mapping[str, str]) -> Panel:
        curves = []
        for index, (stratum, label) in enumerate(labels.items()):
            curve = curve_over(results, metric, "lmbda", codec, emotion, stratum, label)
            style = self._style(emotion, index, len(labels))
            curves.append(curve._replace(style=style, before=None, banded=self.bands, weight=self.weight))
        whole = curve_over(results, metric, "lmbda", codec, emotion, ALL, "all")
        curves.append(whole._replace(style=line_style(ALL), before=None, weight=2.0, banded=False))
        title = emotion if metric == self.metrics[0] else ""
        return Panel(title, quantity(metric), curves, quantity(metric).centred)

    def _label(self, stratum: str, numbers: str) -> str:
        return f"each {self.parts.strip('=')}"

    def _style(self, emotion: str, index: int, number: int) -> LineStyle:
        return line_style(emotion, index)._replace(marker="", dashes="-")


@dataclass
class AgreementCurves(StrataCurves):
    """Recall and F1 over lambda by the agreement of the annotators: does doubt go first?

    Args:
        metrics: Metrics, a row of panels each.
        parts: What the names of the strata hold.
        codec: Codec; the first in the file by default.
        emotions: Emotions, a column each; all in the file by default.
        bands: Draw interval bands.
        reference: JSON of published figures, ``{emotion: {agreement: {"lambda": [...], metric: [...]}}}``, drawn as a
            second figure; ``accuracy`` is taken for recall.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        name: Stem of the files.
    """

    weight = 1.2

    stem = "by_agreement"
    metrics: Sequence[str] = ("recall", "f1")
    parts: str = "agreement"
    reference: str | None = None

    def draw(self, results: Results) -> list[Artifact]:
        """Return our figure, and the published one if a reference is named."""
        artifacts = super().draw(results)
        if self.reference:
            artifacts.append(self._published(read_agreement(self.reference)))
        return artifacts

    def _label(self, stratum: str, numbers: str) -> str:
        readable = re.sub(r"\s*(<=?)\s*", lambda found: {"<": " < ", "<=": " ≤ "}[found[1]], stratum)
        return f"{readable} (n = {numbers})"

    def _style(self, emotion: str, index: int, number: int) -> LineStyle:
        colour = to_hex(mpl.colormaps["viridis"](0.72 * (1 - index / max(number - 1, 1))))
        return line_style("", index)._replace(colour=colour)

    def _published(self, table: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> Artifact:
        levels = sorted({level for found in table.values() for level in found}, key=float)
        panels = []
        for metric in self.metrics:
            for emotion, found in table.items():
                curves = [self._level(found.get(a, {}), metric, f"{a} %", levels.index(a), len(levels)) for a in levels]
                panels.append(Panel(emotion if metric == self.metrics[0] else "", quantity(metric), curves))
        source = f"{reference_text(str(self.reference))}; no intervals are known."
        return self._artifact(f"{self.name}_published", "By agreement, published", panels, len(table), source)

    def _level(self, found: Mapping[str, Sequence[float]], metric: str, label: str, index: int, number: int) -> Curve:
        values = found.get(metric) or (found.get("accuracy") if metric == "recall" else None) or ()
        table = {label: dict(zip(found.get("lambda", ()), values, strict=False))}
        return published_curve(table, label, metric)._replace(style=self._style("", index, number))


def _numbers(results: Results, codec: str, stratum: str, emotions: Sequence[str]) -> str:
    """Return how many utterances of an emotion a part has: ``5``, or ``1 to 5`` where emotions differ."""
    here = [row.n for row in results.rows if row.codec == codec and row.stratum == stratum and row.emotion in emotions]
    return span_text(here)


def read_agreement(path: str | Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Read published figures by emotion and agreement.

    Args:
        path: JSON file, or the name of a shipped one:
            ``{emotion: {agreement in percent: {"lambda": [...], "accuracy": [...], "f1": [...]}}}``.

    Returns:
        The same with canonical names of the emotions.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such JSON.
    """
    path = locate_reference(path)
    try:
        content = read_json(path)
        return {
            canonical_emotion(emotion): {str(a): dict(v) for a, v in found.items()}
            for emotion, found in content.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no table of figures by emotion and agreement: {error}") from error
