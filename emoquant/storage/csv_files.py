"""CSV files: read with one error for all that can be wrong with one, written so that no cell is a formula."""

import csv
import io
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from emoquant.storage.files import read_text, whole_file

#: Characters of the longest cell that is read.
_LONGEST = 100_000
#: Bytes of the largest table that is read, and of the largest manifest, which grows with its corpus.
_MOST, _MOST_APPENDED = 256 * 2**20, 2**32
#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "'")
#: A kind of typed rows: a ``NamedTuple`` of texts and numbers.
RowT = TypeVar("RowT", bound=tuple[Any, ...])


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


def write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Iterable[str | float | int]], digits: int | None = None
) -> None:
    """Write typed rows, whole or not at all; NaN as an empty cell.

    Args:
        path: The file; its folder must be there.
        header: Names of the columns.
        rows: Values in their order.
        digits: Significant digits of floats, without zeros at the end; all of them by default.
    """
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(value, digits) for value in row] for row in rows)


def _cell(value: str | float | int, digits: int | None) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{digits}g}" if digits else repr(value)
    return csv_cell(value) if isinstance(value, str) else str(int(value) if isinstance(value, bool) else value)


def append_csv(path: Path, rows: Sequence[RowT], digits: int | None = None) -> None:
    """Append typed rows to a file of :func:`write_csv`, with a header if it is new; wait until they are on disk."""
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if rows and file.tell() == 0:
            writer.writerow(type(rows[0]).__annotations__)
        writer.writerows([_cell(value, digits) for value in row] for row in rows)
        file.flush()
        os.fsync(file.fileno())


def read_rows(
    path: Path,
    kind: type[RowT],
    what: str,
    later: Sequence[str] = (),
    appended: bool = False,
    longest: int | None = None,
    others: bool = True,
) -> list[RowT]:
    """Read typed rows of :func:`write_csv`.

    Args:
        path: The file.
        kind: Class of the rows.
        what: What the file must be, for the message.
        later: Fields that files of earlier versions lack.
        appended: Whether rows are appended to the file: a last line that was cut is left out.
        others: Whether columns beside those of the kind may be there; they are not read.
        longest: Characters of the longest text, all of them printable; None where any text is one, such as a path.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing or a cell is not of its type; the message names the line.
    """
    kinds, rows = kind.__annotations__, []
    fields = tuple(kinds)
    for line, record in read_csv(path, [name for name in fields if name not in later], what, appended):
        if not others and (strange := sorted(record.keys() - set(fields))):
            raise ValueError(f"{path} is no {what}: it has the columns {', '.join(strange)}")
        try:
            cells = {name: _value(record[name], kinds[name], longest) for name in fields if name in record}
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
        rows.append(kind(**cells))
    return rows


def _value(cell: str, kind: type, longest: int | None) -> Any:  # noqa: ANN401 - of the kind
    if kind is float:
        return float(cell) if cell else math.nan
    if kind is str and longest is not None and (len(cell) > longest or not cell.isprintable()):
        raise ValueError(f"{cell[:40]!r}, of {len(cell)} characters, is no name: expected at most {longest}, in a line")
    return kind(cell)


def read_csv(
    path: Path, columns: Sequence[str] = (), what: str = "the file", appended: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the lines of a CSV file with a header: number of the line, and text of each column.

    Args:
        path: The file, UTF-8.
        columns: Columns that it must have.
        what: What it must be, for the message.
        appended: Whether lines are appended to the file: one without its end is left out, and none may be there yet.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8, a pointer to a file that was not fetched, no CSV, lacks a column or has one twice,
            or a line has not as many cells as the header or one that is too long; the message names file and line.
    """
    text = read_text(path, _MOST_APPENDED if appended else _MOST, whole_lines=appended)
    if appended and not text:
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
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
