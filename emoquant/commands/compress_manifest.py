"""The table of what a command wrote: a row is on disk before its utterance counts as done."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from emoquant.storage import csv_files
from emoquant.storage.csv_files import read_csv, write_csv


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
#: Significant digits of a manifest's floats.
DIGITS = 9


def write_rows(path: Path, rows: Iterable[RowT], kind: type[RowT]) -> None:
    """Write a manifest of one kind of rows whole, sorted by file."""
    write_csv(path, kind._fields, sorted(rows), DIGITS)


def read_rows(path: Path, kind: type[RowT]) -> list[RowT]:
    """Return the rows of a manifest; none if there is no such file, without a last line that an interruption cut.

    Raises:
        ValueError: It is no manifest of this command.
    """
    with _advised(path), suppress(FileNotFoundError):
        return csv_files.read_rows(path, kind, "manifest of this command", appended=True, others=False)
    return []


def listed_files(path: Path) -> dict[str, str]:
    """Return the files that a manifest lists, of any version, with their settings; an empty text where it says none.

    Of a manifest that another job has removed there are none.

    Raises:
        ValueError: It is no CSV file.
    """
    rows = []
    with _advised(path), suppress(FileNotFoundError):
        rows = [row for _, row in read_csv(path, appended=True)]
    return {row["file"]: row.get("settings", "") for row in rows if row.get("file")}


@contextmanager
def _advised(path: Path) -> Iterator[None]:
    """Say what to do about a manifest that cannot be read."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{error}; move {path.name} away, or choose another output folder") from error
