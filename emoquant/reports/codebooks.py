"""Codebooks of one emotion: what they make of every emotion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.curve_figures import CurveDrawing
from emoquant.reports.heat import Grid, heat_artifact
from emoquant.reports.panels import Panel, codec_text
from emoquant.reports.quantities import point_text, quantity
from emoquant.reports.rows import MissingRowsError, Results
from emoquant.reports.style import line_style


def trained_emotions(
    results: Results,
    codecs: Sequence[str],
    given: Mapping[str, str] | None = None,
    required: Sequence[str] | None = None,
) -> dict[str, str]:
    """Return the emotion of every codec that was trained on one.

    Args:
        results: The results, whose rows ``trained_on`` say it.
        codecs: Names of codecs.
        given: Emotion by codec, for results of earlier versions, which do not say it.
        required: Codecs that must have one.

    Raises:
        MissingRowsError: No codec, or not every required one, has an emotion.
    """
    known = {codec: (given or {}).get(codec) or results.codebook_emotion(codec) for codec in codecs}
    trained = {codec: emotion for codec, emotion in known.items() if emotion is not None}
    unknown = [codec for codec in required or () if codec not in trained]
    if unknown or not trained:
        names = ", ".join(unknown or codecs)
        raise MissingRowsError(
            f"the results name no single emotion that {names} was trained on (rows trained_on): give each codec's by "
            "`codebooks`, or evaluate again with codecs of this version"
        )
    return trained


@dataclass
class SimilarityPanel(CurveDrawing):
    """Similarity (above) and attraction (below) of every emotion under every biased codebook, over lambda.

    Attraction is the change of an utterance's angle to the centroid of the codebook's emotion; negative: drawn there.

    Args:
        columns: ``"codebook"``: a column for each codebook, lines are emotions; ``"emotion"``: the other way round.
        similarity: Metric of the upper row.
        codecs: Codecs; all in the file whose emotion is known by default.
        codebooks: Emotion of each codec's codebook, where the results do not say it.
        emotions: Emotions of the utterances; all in the file by default.
        linear_below: Where the horizontal axis turns from logarithmic to linear.
        stratum: Part of the corpus.
        name: Stem of the files.

    Raises:
        ValueError: The columns are neither of the two.
    """

    height = 1.45

    stem = "similarity_panel"
    columns: str = "codebook"
    similarity: str = "utterance_similarity"
    codecs: list[str] | None = None
    codebooks: Mapping[str, str] | None = None
    emotions: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.columns not in ("codebook", "emotion"):
            raise ValueError(f"columns must be 'codebook' or 'emotion', not {self.columns!r}")

    def draw(self, results: Results) -> list[Artifact]:
        """Return one figure of two rows."""
        results.need(self.similarity)
        emotions = results.emotions(self.similarity, self.emotions)
        trained = self._trained(results)
        heads = list(trained) if self.columns == "codebook" else emotions
        lines = emotions if self.columns == "codebook" else list(trained)
        panels = []
        for upper in (True, False):
            for head in heads:
                pairs = [(head, line) if self.columns == "codebook" else (line, head) for line in lines]
                panels.append(self._panel(results, trained, pairs, upper))
        other = "emotion of the utterances" if self.columns == "codebook" else "codebook"
        about = (
            "Similarity (above) and attraction to the centroid of the codebook's emotion (below, negative: closer) "
            f"over λ (squared feature units per bit), corpus {results.corpus}, {codec_text(list(trained))}; "
            f"columns: {self.columns}, lines: {other}; thick: both are the same."
        )
        return [self.figure("Every emotion under every codebook", about, panels, len(heads))]

    def _trained(self, results: Results) -> dict[str, str]:
        codecs = results.codecs(self.similarity, self.codecs)
        trained = trained_emotions(results, codecs, self.codebooks, required=self.codecs)
        for codec, emotion in trained.items():
            results.codecs(f"attraction/{emotion}", [codec])
        return trained

    def _panel(
        self, results: Results, trained: Mapping[str, str], pairs: Sequence[tuple[str, str]], upper: bool
    ) -> Panel:
        by_codebook = self.columns == "codebook"
        curves = []
        for index, (codec, emotion) in enumerate(pairs):
            metric = self.similarity if upper else f"attraction/{trained[codec]}"
            label = emotion if by_codebook else codec
            curve = self.curve(results, metric, codec, emotion, label)
            style = line_style(label if by_codebook else trained[codec], index)
            curves.append(curve._replace(style=style, before=None, weight=2.2 if trained[codec] == emotion else 1.2))
        title = f"{pairs[0][0]} codebook" if by_codebook else f"{pairs[0][1]} utterances"
        measure = quantity(self.similarity) if upper else quantity("attraction")
        return Panel(title if upper else "", measure, curves, zero=not upper)


@dataclass
class CrossMatrix(Drawing):
    """A metric for every codebook (rows) and emotion (columns) at one lambda: heat map, Markdown and LaTeX.

    Args:
        metric: Metric of the cells. One that ends in a slash (``attraction/``) is completed by the codebook's emotion.
        lmbda: Operating point, one that every codec was evaluated at; the largest common one by default.
        codecs: Rows; all in the file by default.
        codebooks: Emotion of each codec's codebook, where the results do not say it.
        stratum: Part of the corpus.
        name: Stem of the files; ``cross_<metric>`` by default.
    """

    stem = "cross_{metric}"
    metric: str = "utterance_similarity"
    lmbda: float | None = None
    codecs: list[str] | None = None
    codebooks: Mapping[str, str] | None = None

    def draw(self, results: Results) -> list[Artifact]:
        """Return one matrix."""
        metrics = self._metrics(results)
        codecs, point = list(metrics), self._point(results, metrics)
        emotions = results.emotions(metrics[codecs[0]])
        cells = [[results.find(metrics[c], c, point, e, self.stratum) for e in emotions] for c in codecs]
        measure = quantity(self.metric.strip("/"))
        own = [(self.codebooks or {}).get(codec) or results.codebook_emotion(codec) for codec in codecs]
        grid = Grid("", measure, cells, codecs, emotions, "codebook", "emotion of the utterances", own)
        about = (
            f"{measure.explained} of each emotion (columns) under each codebook (rows) at λ = {point_text(point)}, "
            f"corpus {results.corpus}."
        )
        alt = "Heat map. " + ". ".join(
            f"Codebook {c}: " + ", ".join(f"{e} {grid.text(cell)}" for e, cell in zip(emotions, line, strict=True))
            for c, line in zip(codecs, cells, strict=True)
        )
        title, end = f"{measure.label}: codebooks against emotions", ["Framed: the codebook's own emotion."]
        return [heat_artifact(self.name, title, about, f"{alt}.", [grid], (0.52, 0.24), end=end)]

    def _metrics(self, results: Results) -> dict[str, str]:
        if not self.metric.endswith("/"):
            return {codec: self.metric for codec in results.codecs(self.metric, self.codecs)}
        stem = self.metric.strip("/")
        emotions = results.targets(stem)
        codecs = results.codecs(f"{stem}/{emotions[0]}" if emotions else self.metric, self.codecs)
        trained = trained_emotions(results, codecs, self.codebooks, required=self.codecs)
        return {codec: self.metric + emotion for codec, emotion in trained.items()}

    def _point(self, results: Results, metrics: Mapping[str, str]) -> float:
        common = set.intersection(*(set(results.points(metric, codec)) for codec, metric in metrics.items()))
        if not common or (self.lmbda is not None and self.lmbda not in common):
            known = ", ".join(point_text(p) for p in sorted(common)) or "none"
            raise MissingRowsError(
                f"{self.name}: not every codec was evaluated at λ {self.lmbda}; common to all: {known}"
            )
        return max(common) if self.lmbda is None else self.lmbda
