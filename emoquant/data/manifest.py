"""A corpus that a CSV file describes: one utterance a line."""

import csv
import errno
import math
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from emoquant.data.base import SPLITS, Corpus, Utterance
from emoquant.data.splits import Policy, split_by_policy
from emoquant.data.table import Builder, UtteranceTable
from emoquant.labels import canonical_emotion

#: Spellings of the splits that manifests use.
_SPLITS = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev", "development"), "validation"
)

_FIELDS = ("path", "emotion", "speaker", "text", "split", "id", "language", "start", "end")

_VOTES = "votes_"


class ManifestCorpus(Corpus):
    """A CSV file of utterances.

    Columns: ``path``, ``emotion`` and optionally ``speaker``, ``text``, ``split``, ``id``, ``language``, ``start`` and
    ``end`` (seconds) and ``votes_<emotion>`` (annotators' votes, counts or shares); others are left alone.

    Without a column ``id`` the id is the path without its suffix, ``/`` written as ``~``, followed by
    the start of a part. Without a split column the policy divides the utterances (:mod:`emoquant.data.splits`).

    Args:
        manifest: The CSV file (UTF-8, with a header).
        root: Folder that paths are relative to; the manifest's own folder by default.
        name: Name of the corpus; the manifest's stem by default.
        where: Columns and the value or values that a line must have to be taken, ``{"corpus": "nemo"}``.
        columns: Fields that have another name in the file, ``{"start": "speech_start"}``.
        split: ``"column"``, ``"speaker"``, ``"text"`` or ``"both"``; by default the column if there is one, else
            ``"speaker"``.
        test: Share of the speakers or sentences that the policy puts into the test split.
        validation: Share of the remaining ones that it puts into the validation split.
        seed: Chooses them.
        emotions: Names in the file that :mod:`emoquant.labels` does not know, with what they mean.
        allow_outside: Whether paths may lead out of ``root``.

    Raises:
        ValueError: The policy is unknown.
    """

    def __init__(
        self,
        manifest: str,
        root: str | None = None,
        name: str | None = None,
        where: dict[str, str | list[str]] | None = None,
        columns: dict[str, str] | None = None,
        split: str | None = None,
        test: float = 0.2,
        validation: float = 0.1,
        seed: int = 0,
        emotions: dict[str, str] | None = None,
        allow_outside: bool = False,
    ) -> None:
        if split not in (None, "column", "speaker", "text", "both"):
            raise ValueError(f"split is {split!r}, expected 'column', 'speaker', 'text' or 'both'")
        if unknown := set(columns or {}) - set(_FIELDS):
            raise ValueError(f"columns maps {sorted(unknown)}, expected fields of {list(_FIELDS)}")
        self.manifest = Path(manifest)
        self.root = Path(root) if root is not None else self.manifest.parent
        self.name = name or self.manifest.stem
        self.where = {
            column: {wanted} if isinstance(wanted, str) else set(wanted) for column, wanted in (where or {}).items()
        }
        self.columns = {field: (columns or {}).get(field, field) for field in _FIELDS}
        self.split, self.test, self.validation, self.seed = split, test, validation, seed
        self.emotions = emotions or {}
        self.allow_outside = allow_outside

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances in the order of the file; see the base class."""
        if not self.manifest.is_file():
            raise FileNotFoundError(
                f"{self.manifest}: no such manifest; expected a CSV file with the columns path, emotion, "
                "speaker, text, split"
            )
        builder, lines = Builder(), array("i")
        for line, utterance in self._rows():
            builder.append(utterance)
            lines.append(line)
        found = builder.table()
        if not lines:
            raise ValueError(f"{self.manifest}: no utterance{f' where {self.where}' if self.where else ''}")
        self._check_ids(found, lines)
        self._check_files(found, lines)
        return self._divided(found, lines)

    def _divided(self, found: UtteranceTable, lines: Sequence[int]) -> UtteranceTable:
        """Return the utterances with the splits of the file or, where it has none, of the policy."""
        splits = found.names("split")
        undecided = np.array([not split for split in splits.kinds])[splits.codes]
        if not undecided.any():
            return found
        if not undecided.all():
            line = lines[int(undecided.argmax())]
            raise ValueError(f"{self.manifest}, line {line}: no split, but other lines have one")
        policy: Policy = self.split if self.split in ("speaker", "text", "both") else "speaker"  # type: ignore[assignment]
        speakers, texts = list(found.names("speaker")), list(found.strings("text"))
        try:
            return found.with_splits(split_by_policy(policy, speakers, texts, self.test, self.validation, self.seed))
        except ValueError as error:
            raise ValueError(f"{self.manifest}: split by {policy}: {error}") from None

    def _rows(self) -> Iterator[tuple[int, Utterance]]:
        with self.manifest.open(newline="", encoding="utf-8-sig") as file:
            try:
                reader = csv.DictReader(file, strict=True)
                self._check_header(reader.fieldnames or [])
                for record in reader:
                    if None in record or None in record.values():
                        raise ValueError(f"{self.manifest}, line {reader.line_num}: not as many cells as the header")
                    if all(record[column] in wanted for column, wanted in self.where.items()):
                        yield reader.line_num, self._utterance(reader.line_num, record)
            except csv.Error as error:
                raise ValueError(f"{self.manifest}, line {reader.line_num}: not CSV: {error}") from None
            except UnicodeDecodeError as error:
                raise ValueError(f"{self.manifest}: not UTF-8: {error}; save it as UTF-8") from None

    def _check_header(self, header: Sequence[str]) -> None:
        needed = {self.columns[field] for field in ("path", "emotion")} | set(self.where)
        mapped = {column for field, column in self.columns.items() if column != field}
        if self.split in ("column", "speaker", "text", "both"):
            fields = {"column": ["split"], "both": ["speaker", "text"]}.get(self.split, [self.split])
            needed |= {self.columns[field] for field in fields}
        if missing := sorted((needed | mapped) - set(header)):
            raise ValueError(f"{self.manifest}: no column {missing}; the file has {list(header)}")
        if len(set(header)) < len(header):
            raise ValueError(f"{self.manifest}: a column is there twice: {list(header)}")

    def _utterance(self, line: int, record: Mapping[str, str]) -> Utterance:
        def cell(field: str) -> str:
            return record.get(self.columns[field], "").strip()

        try:
            path = self._path(cell("path"))
            start, end = _seconds(cell("start"), "start") or 0.0, _seconds(cell("end"), "end")
            if end is not None and end <= start:
                raise ValueError(f"end {end} s is not after start {start} s")
            name = cell("id") or self._name(cell("path"), start, cut=start > 0 or end is not None)
            if "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
                raise ValueError(f"id {name!r} has a path separator")
            emotion = cell("emotion")
            emotion = canonical_emotion(self.emotions.get(emotion, emotion))
            split = self._split(cell("split"))
            votes = self._votes(record)
        except ValueError as error:
            raise ValueError(f"{self.manifest}, line {line}: {error}") from None
        return Utterance(name, path, emotion, cell("speaker"), split, cell("text"), cell("language"), start, end, votes)

    def _path(self, cell: str) -> Path:
        if not cell or "\0" in cell:
            raise ValueError(f"path {cell!r}: expected the path of an audio file")
        inside = os.path.normpath(os.path.join("/", cell)) == os.path.join("/", os.path.normpath(cell))
        if not self.allow_outside and (os.path.isabs(cell) or not inside):
            raise ValueError(f"path {cell!r} leads out of {self.root}; set allow_outside if that is meant")
        return self.root / cell

    @staticmethod
    def _name(path: str, start: float, cut: bool) -> str:
        name = os.path.splitext(os.path.normpath(path))[0].replace("/", "~").replace("\\", "~").lstrip(".~")
        return f"{name}@{start:g}" if cut else name

    def _split(self, cell: str) -> str:
        if self.split in ("speaker", "text", "both") or (self.split is None and not cell):
            return ""
        if cell.lower() not in _SPLITS:
            raise ValueError(f"split {cell!r}, expected one of {list(SPLITS)}")
        return _SPLITS[cell.lower()]

    def _votes(self, record: Mapping[str, str]) -> dict[str, float]:
        votes: dict[str, float] = {}
        for column, cell in record.items():
            if column.startswith(_VOTES) and cell.strip():
                emotion = column.removeprefix(_VOTES)
                share = _number(cell, column)
                if share < 0:
                    raise ValueError(f"{column} is {cell!r}, expected a count or a share")
                if share:
                    name = canonical_emotion(self.emotions.get(emotion, emotion))
                    votes[name] = votes.get(name, 0.0) + share
        return votes

    def _check_ids(self, found: UtteranceTable, lines: Sequence[int]) -> None:
        hashes = np.fromiter((hash(name) for name in found.strings("id")), np.int64, len(found))
        order = np.argsort(hashes, kind="stable")
        alike = np.flatnonzero(np.diff(hashes[order]) == 0)
        same = [(order[row], order[row + 1]) for row in alike.tolist()]
        ids = found.strings("id")
        for first, second in sorted(same, key=lambda pair: pair[1]):
            if ids[first] == ids[second]:
                raise ValueError(
                    f"{self.manifest}, line {lines[second]}: id {ids[second]!r} is that of line {lines[first]} too; "
                    "give every utterance its own in a column id"
                )

    def _check_files(self, found: UtteranceTable, lines: Sequence[int]) -> None:
        folders, names = found.names("folder"), found.strings("name")
        resolved = Path(os.path.realpath(self.root))
        present, listed = set[str](), -1
        missing: list[int] = []
        for row in np.argsort(folders.codes, kind="stable").tolist():
            if folders.codes[row] != listed:
                listed = int(folders.codes[row])
                present = self._listing(Path(folders.kinds[listed]), resolved)
            if names[row] not in present:
                missing.append(row)
        if missing:
            first = min(missing)
            raise FileNotFoundError(
                f"{self.manifest}, line {lines[first]}: no file {found[first].path} "
                f"({len(missing)} of {len(found)} files are missing); check root, which is {self.root}"
            )

    def _listing(self, folder: Path, root: Path) -> set[str]:
        real = Path(os.path.realpath(folder))
        if not self.allow_outside and not real.is_relative_to(root):
            raise ValueError(
                f"{self.manifest}: {folder} leads out of {self.root} by a link; set allow_outside if meant"
            )
        try:
            with os.scandir(real) as entries:
                return {entry.name for entry in entries}
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return set()
            raise


def _number(cell: str, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is {cell!r}, expected a number")
    return value


def _seconds(cell: str, column: str) -> float | None:
    if not cell:
        return None
    seconds = _number(cell, column)
    if seconds < 0:
        raise ValueError(f"{column} is {cell!r}, expected seconds from the beginning of the file")
    return seconds
