"""The table of what a command wrote: a row is on disk before its utterance counts as done."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from emoquant.storage.csv_files import csv_cell, csv_text
from emoquant.storage.files import refuse_pointer, write_whole


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
        source: SHA-256 of the input that it was made from (:func:`~emoquant.commands.sources.source_digest`).
        settings: Digest of the settings that made it, those of settings.json.
    """

    file: str
    frames: int
    estimated_bits: float
    coded_bytes: int
    file_bytes: int
    lmbda: float
    similarity: float
    reached: str = ""
    source: str = ""
    settings: str = ""


class DecompressedRow(NamedTuple):
    """One ``.npy`` file; of several rows for a file the last one holds.

    Attributes:
        file: Path in the output folder, with forward slashes.
        source: SHA-256 of the ``.emq`` file that it was decoded from; empty while it is being written.
    """

    file: str
    source: str = ""


#: Kind of the rows of a manifest.
RowT = TypeVar("RowT", CompressedRow, DecompressedRow)


def append_rows(path: Path, rows: Sequence[RowT]) -> None:
    """Append rows to a manifest, with the header if it is new, and wait until they are on disk."""
    with path.open("a", newline="", encoding="utf-8") as file:
        file.write(_text(type(rows[0])._fields if file.tell() == 0 else None, rows) if rows else "")
        file.flush()
        os.fsync(file.fileno())


def write_rows(path: Path, rows: Iterable[RowT], kind: type[RowT]) -> None:
    """Write a manifest of one kind of rows whole, sorted by file."""
    write_whole(path, _text(kind._fields, sorted(rows)).encode())


def read_rows(path: Path, kind: type[RowT]) -> list[RowT]:
    """Return the rows of a manifest; none if there is no such file, without a last line that an interruption cut.

    Raises:
        ValueError: It is no manifest of this command.
    """
    refuse_pointer(path)
    try:
        text = path.read_text(encoding="utf-8")
        records = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the command again") from error
    if records and tuple(records[0]) != kind._fields:
        raise ValueError(f"{path} is no manifest of this command; move it away or choose another output folder")
    types = kind.__annotations__.values()
    try:
        return [
            kind(*(each(cell) for each, cell in zip(types, map(csv_text, record), strict=True)))
            for record in records[1:]
        ]
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the command again") from error


def listed_files(path: Path) -> dict[str, str]:
    """Return the files that a manifest lists, of any version, with their settings; an empty text where it says none.

    Of a manifest that another job has removed there are none.

    Raises:
        ValueError: It is no CSV file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))
    except csv.Error as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the command again") from error
    return {csv_text(row["file"]): row.get("settings") or "" for row in rows if row.get("file")}


def _text(header: Sequence[str] | None, rows: Iterable[CompressedRow | DecompressedRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    return csv_cell(value) if isinstance(value, str) else str(value)
