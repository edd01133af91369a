"""The table of what a command wrote: a row is on disk before its utterance counts as done."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from emoquant.files import write_whole


class CompressedRow(NamedTuple):
    """One ``.emq`` file.

    Attributes:
        file: Path in the output folder, with forward slashes.
        frames: Frames ``T``.
        estimated_bits: Bits by the entropy model's probabilities.
        coded_bytes: Size of the coded codes.
        file_bytes: Size of the file, header included.
        lmbda: Lambda of the search.
        similarity: Cosine similarity of the time means of features and reconstruction.
        reached: 1 where the target was met, 0 where not; empty without a target of its own.
    """

    file: str
    frames: int
    estimated_bits: float
    coded_bytes: int
    file_bytes: int
    lmbda: float
    similarity: float
    reached: str = ""


def append_rows(path: Path, rows: Sequence[CompressedRow]) -> None:
    """Append rows to a manifest, with the header if it is new, and wait until they are on disk."""
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(_text(rows, header=file.tell() == 0))
        file.flush()
        os.fsync(file.fileno())


def write_rows(path: Path, rows: Iterable[CompressedRow]) -> None:
    """Write a manifest whole, sorted by file."""
    write_whole(path, _text(sorted(rows), header=True).encode())


def read_rows(path: Path) -> list[CompressedRow]:
    """Return the rows of a manifest; none if there is no such file, without a last line that an interruption cut.

    Raises:
        ValueError: It is no manifest of this command.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    records = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    if records and tuple(records[0]) != CompressedRow._fields:
        raise ValueError(f"{path} is no manifest of compress; move it away or choose another output folder")
    kinds = CompressedRow.__annotations__.values()
    try:
        return [
            CompressedRow(*(kind(cell) for kind, cell in zip(kinds, record, strict=True))) for record in records[1:]
        ]
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the command again") from error


def _text(rows: Iterable[CompressedRow], header: bool) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(CompressedRow._fields)
    writer.writerows([f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return text.getvalue()
