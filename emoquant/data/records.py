"""Reading of the lines of a manifest into a table of utterances, with errors that name what is wrong."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from operator import itemgetter

from emoquant.data.base import SPLITS
from emoquant.data.sheet import column_named, stands_for
from emoquant.data.table import Builder
from emoquant.labels import DIMENSIONS, SPELLINGS, canonical_emotion

#: Fields of a manifest; columns of the same names unless they are mapped.
FIELDS = ("path", "emotion", "speaker", "text", "split", "id", "language", "start", "end", *DIMENSIONS)

#: Beginning of the names of columns with annotators' votes.
VOTES = "votes_"

#: Spellings of the splits that manifests and folders use.
SPLIT_NAMES = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev", "development"), "validation"
)


def option(name: str, value: str, key: str = "") -> str:
    """Return how an option of :class:`~emoquant.data.ManifestCorpus` is given: in a YAML and on a command line."""
    flag = f"--data.corpora.{name}"
    if key:
        return f"{name}: {{{key}: {value}}} ({flag}.{key} {value})"
    return f"{name}: {value} ({flag} {value})"


class RecordReader:
    """Convert the cells of a line to an utterance of a table.

    Args:
        header: Names of the columns.
        columns: Column of each field of :data:`FIELDS`; one that the header lacks is read as empty.
        root: Folder that paths are relative to.
        emotions: Canonical emotion of each name that :mod:`emoquant.labels` does not know.
        split: Whether the split is read: True, False, or None to read it in lines that have one.
        allow_outside: Whether paths may lead out of the root.
        splits: Split of each name in the file; the spellings of :data:`SPLIT_NAMES` by default.

    Attributes:
        unknown: Unknown names of emotions that were read, each with its first line.

    Raises:
        ValueError: A name is mapped to no known emotion, or a column of votes is of no known emotion.
    """

    def __init__(
        self,
        header: Sequence[str],
        columns: Mapping[str, str],
        root: str,
        emotions: Mapping[object, str],
        split: bool | None,
        allow_outside: bool,
        splits: Mapping[object, str] | None = None,
    ) -> None:
        position = {column: index for index, column in enumerate(header)}
        found = {field: column_named(header, columns[field]) for field in FIELDS}
        empty = len(header)  # the place of an empty cell that every line gets
        self._fields = itemgetter(*(empty if (name := found[field]) is None else position[name] for field in FIELDS))
        self._root, self._split, self._outside, self._parts = root, split, allow_outside, splits or {}
        self._roots = [os.path.abspath(root), os.path.realpath(root)]
        self._spellings = {name: _meaning(name, meant) for name, meant in emotions.items()}
        # The same few folders, emotions and votes come again and again.
        self._folders: dict[str, tuple[str, str]] = {}
        self._emotions: dict[str, str] = {}
        self._named_parts: dict[str, str] = {}
        self.unknown: dict[str, int] = {}
        votes = [(index, name) for index, name in enumerate(header) if name.casefold().startswith(VOTES)]
        self._votes = [(index, name, self._canonical(name[len(VOTES) :])) for index, name in votes]

    def read(self, cells: Sequence[str], builder: Builder, line: int = 0) -> None:
        """Add the utterance of a line to a table; an emotion that is not known is noted in :attr:`unknown`.

        Raises:
            ValueError: A cell is wrong; the message names neither file nor line.
        """
        stripped = [*map(str.strip, cells), ""]
        path, emotion, speaker, text, split, name, language, start, end, *rated = self._fields(stripped)
        folder, file, prefix = self._path(path)
        begins = _seconds(start, "start") if start else 0.0
        ends = _seconds(end, "end") if end else math.nan
        if ends <= begins:
            raise ValueError(f"end {ends} s is not after start {begins} s")
        if not name:
            name = (prefix + os.path.splitext(file)[0]).lstrip(".~")
            name = f"{name}@{begins:g}" if begins or ends == ends else name
        if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
            raise ValueError(f"id {name!r} has a path separator")
        label = self._emotions.get(emotion) or self._emotion(emotion, line)
        part = self._part(split)
        votes = self._read_votes(stripped) if self._votes else ()
        ratings = tuple(map(_rating, rated, DIMENSIONS)) if any(rated) else ()
        builder.add(name, folder, file, label, speaker, part, text, language, begins, ends, votes, ratings)

    def _path(self, cell: str) -> tuple[str, str, str]:
        """Return folder and name of a file, and what the folder adds to the names of its utterances."""
        folder, _, file = cell.replace("\\", "/").rpartition("/")
        if not file or file in (".", "..") or "\0" in cell:
            raise ValueError(f"path {cell!r}: expected the path of an audio file")
        if cell.startswith(("/", "\\")):
            folder = folder or "/"
        if folder not in self._folders:
            self._folders[folder] = self._folder(folder, cell)
        place, prefix = self._folders[folder]
        return place, file, prefix

    def _folder(self, folder: str, cell: str) -> tuple[str, str]:
        """Return a folder as it is opened, and what it adds to the names of its utterances."""
        if re.match("[A-Za-z]:(/|$)", folder):
            raise ValueError(
                f"path {cell!r} is of a Windows drive; write paths relative to root, which is {self._root}"
            )
        whole = os.path.normpath(folder) if folder else ""
        if os.path.isabs(folder):
            inside = [base for base in self._roots if f"{whole}/".startswith(f"{base.rstrip('/')}/")]
            whole = os.path.relpath(whole, inside[0]) if inside else whole
        if not self._outside and (os.path.isabs(whole) or whole == ".." or whole.startswith("../")):
            raise ValueError(
                f"path {cell!r} leads out of root, which is {self._root}; name the folder of the files, "
                f"{option('root', 'FOLDER')}, or if that is meant set {option('allow_outside', 'true')}"
            )
        prefix = f"{whole}/".replace("/", "~") if folder else ""
        return os.path.normpath(os.path.join(self._root, whole)), prefix

    def _canonical(self, cell: str) -> str:
        for name, meant in self._spellings.items():
            if stands_for(name, cell):
                return meant
        return canonical_emotion(cell)

    def _emotion(self, cell: str, line: int) -> str:
        try:
            self._emotions[cell] = self._canonical(cell)
        except ValueError:
            self.unknown.setdefault(cell, line)
            self._emotions[cell] = "unknown"
        return self._emotions[cell]

    def unknown_emotions(self) -> str:
        """Return the error message about unknown names of emotions."""
        first, *others = self.unknown
        more = f" (and {', '.join(map(repr, others))})" if others else ""
        return (
            f"unknown emotion {first!r}{more}: expected one of {', '.join(SPELLINGS)} or a listed spelling; fix the "
            f"label or say what it means, {option('emotions', 'angry', key=first)}; utterances of emotions that the "
            "data module does not name, other for one, are left out"
        )

    def _part(self, cell: str) -> str:
        if self._split is False or (self._split is None and not cell):
            return ""
        if cell not in self._named_parts:
            meant = next((meant for name, meant in self._parts.items() if stands_for(name, cell)), None)
            if (split := meant or SPLIT_NAMES.get(cell.lower())) is None:
                raise ValueError(
                    f"split {cell!r}, expected one of {list(SPLITS)}; say what it means, "
                    f"{option('splits', 'test', key=cell)}, or take other lines, where: {{COLUMN: VALUE}}"
                )
            self._named_parts[cell] = split
        return self._named_parts[cell]

    def _read_votes(self, cells: Sequence[str]) -> tuple[tuple[str, float], ...]:
        votes: dict[str, float] = {}
        for place, column, emotion in self._votes:
            if cell := cells[place]:
                share = _number(cell, column)
                if share < 0:
                    raise ValueError(f"{column} is {cell!r}, expected a count or a share")
                if share:
                    votes[emotion] = votes.get(emotion, 0.0) + share
        return tuple(votes.items())


def _meaning(name: object, meant: str) -> str:
    try:
        return canonical_emotion(meant)
    except ValueError as error:
        raise ValueError(f"emotions: {{{name}: {meant}}}: {error}") from None


def split_meanings(splits: Mapping[object, str]) -> dict[object, str]:
    """Return the mapping of names in a file to splits, after checking the splits.

    Raises:
        ValueError: A name is mapped to something that is no split.
    """
    for name, meant in splits.items():
        if meant not in SPLITS:
            raise ValueError(f"splits: {{{name}: {meant}}}: expected one of {list(SPLITS)}")
    return dict(splits)


def _number(cell: str, column: str) -> float:
    try:
        value = float(cell.replace(",", ".", 1))  # spreadsheets of many languages write 0,5
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is {cell!r}, expected a number")
    return value


def _rating(cell: str, column: str) -> float:
    return _number(cell, column) if cell else math.nan


def _seconds(cell: str, column: str) -> float:
    seconds = _number(cell, column)
    if seconds < 0:
        raise ValueError(f"{column} is {cell!r}, expected seconds from the beginning of the file")
    return seconds
