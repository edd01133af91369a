"""Tables of synthesised speech: what is measured on clips, beside the clips that calibrate the measures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from emoquant.reports.base import Artifact, Drawing
from emoquant.reports.captions import interval_text
from emoquant.reports.quantities import point_text
from emoquant.reports.rows import ALL, MissingRowsError, Results
from emoquant.reports.writing import markdown_table
from emoquant.storage.results import Row


class _Column(NamedTuple):
    """A column: metric and emotion of the rows, heading, and digits behind the point."""

    metric: str
    emotion: str
    heading: str
    digits: int


#: Metric, heading and digits of the columns behind the recall of each emotion.
_MEASURES = (
    ("recall_second", "recall, second classifier", 2),
    ("predicted/neutral", "heard as neutral", 2),
    ("predicted/partner", "as the partner's emotion", 2),
    ("presence_accuracy", "both heard", 2),
    ("salience_accuracy", "in proportion", 2),
    ("similarity_own", "cosine to own emotion", 2),
    ("similarity_neutral", "to neutral", 2),
    ("similarity_partner", "to the partner's", 2),
    ("bits_per_frame", "bits/frame", 1),
    ("f0_mean", "mean F0, Hz", 0),
    ("duration_ratio", "length ratio", 2),
    ("duration_error", "phone durations off, ms", 0),
    ("distortion", "MCD, dB", 1),
    ("f0_error", "melody off, cents", 0),
    ("voicing_error", "voicing off", 2),
    ("character_error_rate", "character errors", 2),
    ("word_error_rate", "word errors", 2),
    ("quality", "DNSMOS", 2),
    ("speaker_similarity", "same voice", 2),
    ("equal_error_rate", "equal error rate of speakers", 2),
)

_KINDS = {
    "ground_truth": "recordings",
    "copy_synthesis": "their copies through the vocoder",
    "synthesis": "synthesis",
    "random_vector": "random emotion vector",
}


@dataclass
class SpeechTable(Drawing):
    """Every figure of a listening run: a line for each kind of clip, condition, codec and operating point.

    Beside it the trends: Spearman's rho of each figure over lambda, with its interval.

    Args:
        name: Stem of the files.
    """

    stem = "speech_table"
    stratum: str = field(default=ALL, init=False)

    def draw(self, results: Results) -> list[Artifact]:
        """Return the table, and that of the trends where there are operating points enough."""
        lines = _lines(results.rows)
        if not lines:
            raise MissingRowsError(f"{self.name}: no rows of clips; make them with emoquant predict")
        shown = [row for row in results.rows if not row.metric.startswith("trend/")]
        table = Artifact(
            self.name,
            "Speech over λ",
            "Means over clips; emotions as the classifier hears them.",
            f"Table of {len(lines)} kinds of clips.",
            shown,
            None,
            {".md": _figures(results, lines)},
        )
        trends = [row for row in results.rows if row.metric.startswith("trend/") and row.emotion == ALL]
        if not trends:
            return [table]
        caption = "Spearman's rho of the mean over clips with λ. " + interval_text(trends, "Intervals")
        alt = f"Table of {len(trends)} trends."
        return [table, Artifact(f"{self.name}_trends", "Trends over λ", caption, alt, trends, None,
                                {".md": _trends(trends)})]  # fmt: skip


def _lines(rows: Sequence[Row]) -> list[tuple[str, str, float]]:
    """Return stratum, codec and operating point of the lines, calibration around synthesis."""
    found = {
        (row.stratum, row.codec, None if math.isnan(row.lmbda) else row.lmbda): None
        for row in rows
        if row.stratum.partition("/")[0] in _KINDS and not row.metric.startswith("trend/")
    }
    places, codecs = list(_KINDS), list(dict.fromkeys(codec for _, codec, _ in found))

    def place(line: tuple[str, str, float | None]) -> tuple[int, str, int, float]:
        kind, _, condition = line[0].partition("/")
        return places.index(kind), condition, codecs.index(line[1]), -1.0 if line[2] is None else line[2]

    codecs.sort(key=lambda codec: codec != "none")
    return [(stratum, codec, math.nan if at is None else at) for stratum, codec, at in sorted(found, key=place)]


def _columns(results: Results) -> list[_Column]:
    known = {(row.metric, row.emotion) for row in results.rows}
    emotions = sorted({row.emotion for row in results.rows if row.metric == "recall"} - {ALL})
    columns = [_Column("recall", ALL, "recall", 2), *(_Column("recall", name, name, 2) for name in emotions)]
    columns += [_Column(metric, ALL, heading, digits) for metric, heading, digits in _MEASURES]
    return [column for column in columns if (column.metric, column.emotion) in known]


def _figures(results: Results, lines: Sequence[tuple[str, str, float]]) -> str:
    columns = _columns(results)
    heads = ["clips", "codec", "λ", "n", *(column.heading for column in columns)]
    text = []
    for stratum, codec, point in lines:
        kind, _, condition = stratum.partition("/")
        found = [results.find(column.metric, codec, point, column.emotion, stratum) for column in columns]
        count = max((row.n for row in found if row), default=0)
        name = f"{_KINDS[kind]}, {condition}" if condition else _KINDS[kind]
        values = [f"{row.value:.{column.digits}f}" if row else "" for column, row in zip(columns, found, strict=True)]
        where = ["" if codec == "none" else codec, "" if math.isnan(point) else point_text(point)]
        text.append([name, *where, str(count), *values])
    return markdown_table(heads, text)


def _trends(rows: Sequence[Row]) -> str:
    heads = ["condition", "codec", "figure", "n", "rho", "95 % interval"]
    text = []
    for row in rows:
        span = "" if math.isnan(row.low) else f"{row.low:.2f} to {row.high:.2f}"
        figure = row.metric.removeprefix("trend/").replace("_", " ")
        text.append([row.stratum.partition("/")[2], row.codec, figure, str(row.n), f"{row.value:.2f}", span])
    return markdown_table(heads, text)
