"""Tables of text as spreadsheets write them: separators, byte order marks, capitals, values that YAML has read."""

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from emoquant.storage.documents import parse_yaml

#: What may stand between the cells; the first that fits is taken.
SEPARATORS = ",;\t|"


def encoding_of(path: Path) -> str:
    """Return the encoding of a table: UTF-8 unless a mark at the beginning says UTF-16."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def separator_of(path: Path, wanted: Collection[str]) -> str:
    """Return what stands between the cells: what gives most of the wanted columns, or else most columns.

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
    """Return the column of a name: the one that is written so, else the only one that has other capitals.

    Raises:
        ValueError: Several columns have the name in other capitals.

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
    """Return whether a value of a configuration means a cell: YAML reads ``0``, ``05``, ``1.5`` and ``yes`` as no text.

    Args:
        value: Text, number or truth value of a configuration.
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
    """The cells that one value or several of a configuration stand for; ``cell in Choice([1, "x"])``."""

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
