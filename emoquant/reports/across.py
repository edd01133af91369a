"""Codecs of every corpus on every corpus, as tables: rows are the corpus of the training, columns that of the test."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from emoquant.reports.output import write_file
from emoquant.reports.quantities import quantity, row_text
from emoquant.reports.rows import Results
from emoquant.reports.writing import markdown_table, markdown_text
from emoquant.storage.csv_files import write_csv
from emoquant.storage.results import Row

#: Metric that says which point validation data of the training's corpus chose.
_CHOSEN = "chosen_f1"


class Cell(NamedTuple):
    """One figure: a codec of one corpus on another.

    Attributes:
        trained: Corpus of the codec.
        tested: Corpus that it is tested on.
        codec: Name of the codec or the choice.
        where: Operating point in words: ``"10 bits a frame"``, ``"chosen"``.
        metric: Name of the measure.
        row: The figure, with its operating point.
    """

    trained: str
    tested: str
    codec: str
    where: str
    metric: str
    row: Row


def cells(found: Mapping[tuple[str, str], Sequence[Row]], metrics: Sequence[str], rates: Sequence[float]) -> list[Cell]:
    """Return the figures of all pairs of corpora, at points that data of the training's corpus alone decided.

    These are the point that validation chose where the codec's own corpus was evaluated with
    :class:`emoquant.tasks.MethodComparisonTask`, and the lambdas of wanted rates on its validation data; a pair whose
    evaluation placed points on its own validation data is read at the lambda nearest to these.

    Args:
        found: Rows by corpora of training and test; pairs of a corpus with itself among them.
        metrics: Metrics of the tables, of all emotions together.
        rates: Bits a frame.
    """
    made = []
    for (trained, tested), rows in found.items():
        own, here = Results(found.get((trained, trained), rows)), Results(rows)
        for codec, where, point in _points(own, rates):
            for metric in metrics:
                row = _nearest(here, metric, codec, point)
                if row is not None:
                    made.append(Cell(trained, tested, codec, where, metric, row))
    return made


def _points(own: Results, rates: Sequence[float]) -> list[tuple[str, str, float]]:
    chosen = [(row.codec, "chosen", row.lmbda) for row in own.rows if row.metric == _CHOSEN]
    placed = [
        (row.codec, f"{row.value:g} bits a frame", row.lmbda)
        for row in own.rows
        if row.metric == "target_bits_per_frame" and row.value in rates
    ]
    return [*(chosen or [("none", "before coding", math.nan)]), *placed]


def _nearest(here: Results, metric: str, codec: str, point: float) -> Row | None:
    """Return the row at the operating point nearest to one, by the logarithm."""
    if math.isnan(point):
        return here.find(metric, codec, point)
    points = here.points(metric, codec)
    if not points:
        return None
    return here.find(metric, codec, min(points, key=lambda at: abs(math.log(max(at, 1e-9) / max(point, 1e-9)))))


def write_across(folder: Path, made: Sequence[Cell]) -> list[Path]:
    """Write ``across.csv`` and ``across.md``: a table for every metric, codec and operating point.

    Args:
        folder: Folder of the files.
        made: The figures.

    Raises:
        ValueError: There is none.
    """
    if not made:
        raise ValueError("no figure is there at the points that are asked for: name other rates or metrics")
    head = ["trained", "tested", "codec", "where", *Row._fields[2:]]
    lines: list[list[str | float | int]] = [[c.trained, c.tested, c.codec, c.where, *c.row[2:]] for c in made]
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "across.csv", head, lines)
    trained, tested = ([*dict.fromkeys(each)] for each in zip(*((c.trained, c.tested) for c in made), strict=True))
    text = ["# Codecs of one corpus on another\n"]
    text.append(
        "Rows: corpus of the codec's training; columns: corpus of the test, heard by one classifier a column. "
        "In brackets: 95 % intervals, clustered by speaker where there are two or more. Operating points come from the "
        "training's corpus.\n"
    )
    for metric, codec, where in dict.fromkeys((c.metric, c.codec, c.where) for c in made):
        values = {(c.trained, c.tested): c.row for c in made if (c.metric, c.codec, c.where) == (metric, codec, where)}
        title = f"{quantity(metric).explained}: {codec}, {where}"
        cells = [[each, *(_text(values.get((each, other))) for other in tested)] for each in trained]
        text.append(f"**{markdown_text(title)}**\n\n{markdown_table(['codec of', *tested], cells, left=1)}")
    return [folder / "across.csv", write_file(folder / "across.md", "\n".join(text))]


def _text(row: Row | None) -> str:
    return "" if row is None else row_text(row, by_speaker=True)
