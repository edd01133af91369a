"""Reading of tables (CSV with any separator, JSON lines), locations of rows, comparison of cells with YAML values."""

import csv
import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.storage.documents import parse_yaml
from emoquant.storage.files import read_text, refuse_pointer

#: What may stand between the cells; the first that fits is taken.
SEPARATORS = ",;\t|"


class Sheet(NamedTuple):
    """Hold a table that is read from a file.

    Attributes:
        file: The file.
        header: Names of its columns.
        lines: Line number and cells of each further line; empty lines are left out.
    """

    file: Path
    header: list[str]
    lines: Iterator[tuple[int, list[str]]]


class Places:
    """Keep file and line of the rows of a table, for error messages."""

    def __init__(self) -> None:
        self._begins, self._files, self._lines = list[int](), list[Path](), array("i")

    def begin(self, file: Path) -> None:
        """Set the file of the rows that are added from now on."""
        self._begins.append(len(self._lines))
        self._files.append(file)

    def add(self, line: int) -> None:
        """Add a row by the number of its line."""
        self._lines.append(line)

    def __len__(self) -> int:
        return len(self._lines)

    def of(self, row: int) -> str:
        """Return file and line of a row, for messages."""
        return f"{self._file(row)}, line {self._lines[row]}"

    def beside(self, row: int, other: int) -> str:
        """Return the line of a row, and its file if that differs from the file of another row."""
        return f"line {self._lines[row]}" if self._file(row) == self._file(other) else self.of(row)

    def _file(self, row: int) -> Path:
        return self._files[bisect_right(self._begins, row) - 1]


def csv_sheet(path: Path, wanted: Collection[str]) -> Sheet:
    """Return the table of a CSV file; its lines are read lazily.

    Args:
        path: The file: UTF-8, or UTF-16 with byte order mark.
        wanted: Names of columns by which the separator is recognised.

    Raises:
        ValueError: The file is not CSV or not text; this may be raised while lines are read.
    """
    refuse_pointer(path)
    lines = _csv_lines(path, wanted)
    _, header = next(lines, (0, list[str]()))
    return Sheet(path, [name.strip() for name in header], ((line, cells) for line, cells in lines if any(cells)))


def _csv_lines(path: Path, wanted: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    reader: Any = None
    try:
        with path.open(newline="", encoding=encoding_of(path)) as file:
            reader = csv.reader(file, strict=True, delimiter=separator_of(path, wanted))
            for cells in reader:
                yield reader.line_num, cells
    except UnicodeError as error:
        raise ValueError(f"{path}: not UTF-8: {error}; save it as UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not CSV: {error}") from None


def json_sheet(path: Path, columns: Sequence[str] = ()) -> Sheet:
    """Return the table of a file with an object of JSON in each line; numbers become text, null an empty cell.

    Args:
        path: The file.
        columns: Columns that the table always has; further columns are those of the first line.

    Raises:
        ValueError: A line is no object of JSON, or the file is not text.
    """
    records = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{path}, line {number}: {line[:40]!r} is no object of JSON")
        records.append((number, record))
    header = list(dict.fromkeys([*(records[0][1] if records else ()), *columns]))
    return Sheet(path, header, ((number, [_cell(record.get(name)) for name in header]) for number, record in records))


def with_column(sheet: Sheet, name: str, cell: str) -> Sheet:
    """Return the table with one more column, which has the same cell in every line."""
    return Sheet(sheet.file, [*sheet.header, name], ((number, [*cells, cell]) for number, cells in sheet.lines))


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def encoding_of(path: Path) -> str:
    """Return the encoding of a table: UTF-16 if it begins with that byte order mark, else UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def separator_of(path: Path, wanted: Collection[str]) -> str:
    """Return the separator of a CSV file: the one that yields most of the wanted columns, or else most columns.

    Args:
        path: The file.
        wanted: Names that are looked for in its first line, in any capitals.

    Raises:
        UnicodeDecodeError: The file is not text.
    """

    def found(separator: str) -> tuple[int, int]:
        with path.open(newline="", encoding=encoding_of(path)) as file:
            try:
                header = next(csv.reader(file, delimiter=separator), [])
            except csv.Error:  # with what is not the separator a cell can be too long
                header = []
        names = {name.strip().casefold() for name in header}
        return len(names & {name.casefold() for name in wanted}), len(header)

    return max(SEPARATORS, key=found)


def column_named(header: Sequence[str], name: str) -> str | None:
    """Return the column with a name: the one in the same spelling, else the only one that differs in capitals.

    Raises:
        ValueError: Several columns have the name with other capitals.

    Example:
        >>> column_named(["Path", "Emotion"], "emotion")
        'Emotion'
    """
    if name in header:
        return name
    alike = [column for column in header if column.casefold() == name.casefold()]
    if len(alike) > 1:
        raise ValueError(f"columns {alike} differ in capitals only and none is {name!r}: rename all but one")
    return alike[0] if alike else None


def stands_for(value: object, cell: str) -> bool:
    """Return whether a YAML value equals a cell's text, allowing for YAML's reading of ``05`` or ``yes`` as non-text.

    Args:
        value: Text, number or boolean of a configuration.
        cell: Text of a cell.

    Example:
        >>> stands_for("yes", "yes"), stands_for(True, "yes"), stands_for(8, "08"), stands_for(1, "yes")
        (True, True, True, False)
    """
    if isinstance(value, str) or not cell:
        return value == cell
    if type(value) is int and re.fullmatch("[0-9]{1,18}", cell) and int(cell) == value:
        return True
    try:
        read = parse_yaml(cell, "a cell")
    except ValueError:
        return False
    return type(read) is type(value) and read == value


class Choice:
    """Test whether a cell equals one of a configuration's values: ``cell in Choice([1, "x"])``."""

    def __init__(self, values: object) -> None:
        several = isinstance(values, Iterable) and not isinstance(values, str)
        self._values = list(values) if several else [values]  # type: ignore[call-overload]
        self._known: dict[str, bool] = {}

    def __contains__(self, cell: str) -> bool:
        if cell not in self._known:
            self._known[cell] = any(stands_for(value, cell) for value in self._values)
        return self._known[cell]

    def __repr__(self) -> str:
        return " or ".join(map(repr, self._values))
