"""Reads the lines of a manifest into the columns of a table, and says what is wrong with a line."""

import math
import os
from collections.abc import Mapping, Sequence
from operator import itemgetter

from emoquant.data.base import SPLITS
from emoquant.data.table import Builder
from emoquant.labels import canonical_emotion

#: Fields of a manifest; columns of the same names unless they are mapped.
FIELDS = ("path", "emotion", "speaker", "text", "split", "id", "language", "start", "end")

#: Beginning of the names of columns with annotators' votes.
VOTES = "votes_"

#: Spellings of the splits that manifests use.
_SPLITS = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev", "development"), "validation"
)


class RecordReader:
    """Turns the cells of a line into an utterance of a table.

    Args:
        header: Names of the columns.
        columns: Column of each field of :data:`FIELDS`; one that the header lacks is read as empty.
        root: Folder that paths are relative to.
        emotions: Names of emotions that :mod:`emoquant.labels` does not know, with what they mean.
        split: Whether the split is read: True, False, or None for lines that have one.
        allow_outside: Whether paths may lead out of the root.
    """

    def __init__(
        self,
        header: Sequence[str],
        columns: Mapping[str, str],
        root: str,
        emotions: Mapping[str, str],
        split: bool | None,
        allow_outside: bool,
    ) -> None:
        position = {column: index for index, column in enumerate(header)}
        self._fields = itemgetter(*(position.get(columns[field], len(header)) for field in FIELDS))
        self._votes = [(index, column) for index, column in enumerate(header) if column.startswith(VOTES)]
        self._root, self._spellings, self._split, self._outside = root, emotions, split, allow_outside
        # The same few folders, emotions and votes come again and again.
        self._folders: dict[str, tuple[str, str]] = {}
        self._emotions: dict[str, str] = {}
        self._named = {column: self._emotion(column.removeprefix(VOTES)) for _, column in self._votes}

    def read(self, cells: Sequence[str], builder: Builder) -> None:
        """Add the utterance of a line to a table.

        Raises:
            ValueError: A cell is wrong; the message names neither file nor line.
        """
        stripped = [*map(str.strip, cells), ""]
        path, emotion, speaker, text, split, name, language, start, end = self._fields(stripped)
        folder, file, prefix = self._path(path)
        begins = _seconds(start, "start") if start else 0.0
        ends = _seconds(end, "end") if end else math.nan
        if ends <= begins:
            raise ValueError(f"end {ends} s is not after start {begins} s")
        if not name:
            name = (prefix + _stem(file)).lstrip(".~")
            name = f"{name}@{begins:g}" if begins or ends == ends else name
        if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
            raise ValueError(f"id {name!r} has a path separator")
        label = self._emotions.get(emotion) or self._emotion(emotion)
        part = self._part(split)
        votes = self._read_votes(stripped) if self._votes else ()
        builder.add(name, folder, file, label, speaker, part, text, language, begins, ends, votes)

    def _path(self, cell: str) -> tuple[str, str, str]:
        """Return folder and name of a file, and what the folder adds to the names of its utterances."""
        folder, _, file = cell.rpartition("/")
        if not file or file in (".", "..") or "\0" in cell:
            raise ValueError(f"path {cell!r}: expected the path of an audio file")
        if cell.startswith("/"):
            folder = folder or "/"
        if folder not in self._folders:
            whole = os.path.normpath(folder) if folder else ""
            if not self._outside and (os.path.isabs(folder) or whole == ".." or whole.startswith("../")):
                raise ValueError(f"path {cell!r} leads out of {self._root}; set allow_outside if that is meant")
            prefix = f"{whole}/".replace("/", "~").replace("\\", "~") if folder else ""
            self._folders[folder] = os.path.normpath(os.path.join(self._root, whole)), prefix
        place, prefix = self._folders[folder]
        return place, file, prefix

    def _emotion(self, cell: str) -> str:
        self._emotions[cell] = canonical_emotion(self._spellings.get(cell, cell))
        return self._emotions[cell]

    def _part(self, cell: str) -> str:
        if self._split is False or (self._split is None and not cell):
            return ""
        if (split := _SPLITS.get(cell) or _SPLITS.get(cell.lower())) is None:
            raise ValueError(f"split {cell!r}, expected one of {list(SPLITS)}")
        return split

    def _read_votes(self, cells: Sequence[str]) -> tuple[tuple[str, float], ...]:
        votes: dict[str, float] = {}
        for place, column in self._votes:
            if cell := cells[place]:
                share = _number(cell, column)
                if share < 0:
                    raise ValueError(f"{column} is {cell!r}, expected a count or a share")
                if share:
                    votes[self._named[column]] = votes.get(self._named[column], 0.0) + share
        return tuple(votes.items())


def _stem(file: str) -> str:
    """Return a file's name without its suffix; a leading dot begins none."""
    dot = file.rfind(".")
    stem = file[:dot] if file[: max(dot, 0)].strip(".") else file
    return stem.replace("\\", "~")


def _number(cell: str, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is {cell!r}, expected a number")
    return value


def _seconds(cell: str, column: str) -> float:
    seconds = _number(cell, column)
    if seconds < 0:
        raise ValueError(f"{column} is {cell!r}, expected seconds from the beginning of the file")
    return seconds
