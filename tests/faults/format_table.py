"""The table of file formats that the project reads; ``*_formats.py`` fill it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Format(NamedTuple):
    """One format.

    Attributes:
        name: As the document calls it.
        kind: ``"text"``, ``"csv"``, ``"json"``, ``"yaml"``, ``"archive"`` (of torch), ``"binary"``, or ``"cache"``: a
            file of a cache, of which what is damaged is made again.
        write: Writes a sound one into an empty folder and returns the file.
        read: Reads that file.
    """

    name: str
    kind: str
    write: Callable[[Path], Path]
    read: Callable[[Path], object]


FORMATS: list[Format] = []


def reads(name, kind, read):
    def add(write):
        FORMATS.append(Format(name, kind, write, read))
        return write

    return add
