"""Rows of ``results.csv``: the only format between an evaluation and its reports."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from emoquant.storage.csv_files import read_rows, write_csv

#: Characters of the longest name of a corpus, codec, emotion, metric or stratum.
_LONGEST_NAME = 200


class Row(NamedTuple):
    """One figure of a table.

    Attributes:
        corpus: Name of the corpus measured.
        codec: Name of the codec; ``"none"`` for features that were not quantized.
        lmbda: Operating point: the Lagrange multiplier in squared feature units per bit (or the target of a codec
            that has another kind of point); NaN, an empty cell, where there is none.
        emotion: Emotion of the utterances counted, or ``"all"``.
        metric: Name of the measure, ``snake_case``; a class it refers to follows a slash (``predicted/happy``).
        value: The figure; NaN where it is undefined (n = 0).
        low: Lower end of the 95 % interval; NaN where there is none.
        high: Upper end of the 95 % interval; NaN where there is none.
        n: Utterances counted.
        stratum: Part of the corpus that is counted (an agreement level, a speaker), or ``"all"``.
        interval: What the interval resamples: ``"speakers"``, ``"utterances"`` or ``""``.
        seeds: Trainings with different seeds that the figure is the mean of.
        speaker_low: Lower end of the 95 % interval that is clustered by speaker; NaN where there is none.
        speaker_high: Upper end of it; NaN where there is none.
        speakers: Speakers behind it, 0 without one.
        classifier: Name of the classifier that was asked; empty where none was.
    """

    corpus: str
    codec: str
    lmbda: float
    emotion: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    stratum: str = "all"
    interval: str = ""
    seeds: int = 1
    speaker_low: float = math.nan
    speaker_high: float = math.nan
    speakers: int = 0
    classifier: str = ""

    @classmethod
    def known(
        cls,
        corpus: str,
        codec: str,
        metric: str,
        value: float,
        point: float = math.nan,
        emotion: str = "all",
        n: int = 0,
    ) -> "Row":
        """Return a figure that is known, not estimated: without an interval."""
        return cls(corpus, codec, point, emotion, metric, value, math.nan, math.nan, n)


#: Columns that files of earlier versions lack.
_LATER = ("seeds", "speaker_low", "speaker_high", "speakers", "classifier")


def write_results(path: Path, rows: Iterable[Row]) -> None:
    """Write rows to a CSV file, whole or not at all (a temporary name, then a rename).

    Args:
        path: File to write; its folder is made if needed.
        rows: Rows in the order of the file. Floats are written with all their digits, NaN as an empty cell.

    Raises:
        OSError: The folder cannot be written; the file that was there before is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, Row._fields, rows)


def read_results(path: Path) -> list[Row]:
    """Read the rows of a ``results.csv``.

    Args:
        path: A file that :func:`write_results` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing or a cell is not of its type; the message names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no results at {path}: expected the results.csv that an evaluation writes")
    return read_rows(path, Row, "results file", _LATER, longest=_LONGEST_NAME)
