"""CSV files: read with one error for all that can be wrong with one, written so that no cell is a formula."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from emoquant.storage.files import read_text

#: Characters of the longest cell that is read.
_LONGEST = 100_000
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "'")


def csv_cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs as a formula: with an apostrophe before it where one might.

    Example:
        >>> csv_cell("=1+2"), csv_cell("angry")
        ("'=1+2", 'angry')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_text(cell: str) -> str:
    """Return the text of a cell of :func:`csv_cell`.

    Example:
        >>> csv_text("'=1+2")
        '=1+2'
    """
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


def read_csv(path: Path, columns: Sequence[str] = (), what: str = "the file") -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the lines of a CSV file with a header: number of the line, and text of each column.

    Args:
        path: The file, UTF-8.
        columns: Columns that it must have.
        what: What it must be, for the message.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8, a pointer to a file that was not fetched, no CSV, lacks a column or has one twice,
            or a line has not as many cells as the header or one that is too long; the message names file and line.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = next(reader, [])
        if missing := [name for name in columns if name not in header]:
            raise ValueError(f"{path} is no {what}: it lacks the columns {', '.join(missing)}")
        if len(set(header)) < len(header):
            raise ValueError(f"{path}: a column is there twice: {', '.join(header)[:500]}")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ValueError(f"{path}, line {reader.line_num}: {len(cells)} cells, the header has {len(header)}")
            if longest := max((len(cell) for cell in cells if len(cell) > _LONGEST), default=0):
                raise ValueError(f"{path}, line {reader.line_num}: a cell of {longest} characters")
            yield reader.line_num, {name: csv_text(cell) for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
