"""A corpus that a CSV file describes: one utterance a line."""

import csv
import errno
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from emoquant.data.base import Corpus, Utterance
from emoquant.data.cutting import cut_to_speech
from emoquant.data.records import FIELDS, RecordReader
from emoquant.data.splits import Policy, split_by_policy
from emoquant.data.table import Builder, UtteranceTable
from emoquant.trimming import require_threshold


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
        trim: How many dB below its loudest 20 ms an utterance begins and ends, such as 30, within ``start`` and ``end``
            where the file has them; by default nothing is cut. Alignments are of the uncut utterance: leave it out
            for voices that have some.

    Raises:
        ValueError: The policy is unknown or ``trim`` is not positive.
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
        trim: float | None = None,
    ) -> None:
        if split not in (None, "column", "speaker", "text", "both"):
            raise ValueError(f"split is {split!r}, expected 'column', 'speaker', 'text' or 'both'")
        if unknown := set(columns or {}) - set(FIELDS):
            raise ValueError(f"columns maps {sorted(unknown)}, expected fields of {list(FIELDS)}")
        require_threshold(trim)
        self.manifest = Path(manifest)
        self.root = Path(root) if root is not None else self.manifest.parent
        self.name = name or self.manifest.stem
        self.where = {
            column: {wanted} if isinstance(wanted, str) else set(wanted) for column, wanted in (where or {}).items()
        }
        self.columns = {field: (columns or {}).get(field, field) for field in FIELDS}
        self.split, self.test, self.validation, self.seed = split, test, validation, seed
        self.emotions = emotions or {}
        self.allow_outside, self.trim = allow_outside, trim

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances in the order of the file; see the base class."""
        if not self.manifest.is_file():
            raise FileNotFoundError(
                f"{self.manifest}: no such manifest; expected a CSV file with the columns path, emotion, "
                "speaker, text, split"
            )
        builder, lines = Builder(), array("i")
        for line in self._read(builder):
            lines.append(line)
        found = builder.table()
        if not lines:
            raise ValueError(f"{self.manifest}: no utterance{f' where {self.where}' if self.where else ''}")
        self._check_ids(found, lines)
        self._check_files(found, lines)
        return cut_to_speech(self._divided(found, lines), self.trim)

    def _divided(self, found: UtteranceTable, lines: Sequence[int]) -> UtteranceTable:
        """Return the utterances with the splits of the file or, where it has none, of the policy."""
        splits = found.names("split")
        undecided = np.array([not split for split in splits.kinds])[splits.codes]
        if not undecided.any():
            return found
        if not undecided.all():
            line = lines[int(undecided.argmax())]
            raise ValueError(f"{self.manifest}, line {line}: no split, but other lines have one")
        # mypy does not narrow a string by "in".
        policy: Policy = self.split if self.split in ("speaker", "text", "both") else "speaker"  # type: ignore[assignment]
        speakers, texts = list(found.names("speaker")), list(found.strings("text"))
        try:
            return found.with_splits(split_by_policy(policy, speakers, texts, self.test, self.validation, self.seed))
        except ValueError as error:
            raise ValueError(f"{self.manifest}: split by {policy}: {error}") from None

    def _read(self, builder: Builder) -> Iterator[int]:
        """Read the utterances into a table and yield their lines."""
        with self.manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            try:
                header = next(reader, [])
                self._check_header(header)
                split = {None: None, "column": True}.get(self.split, False)
                records = RecordReader(header, self.columns, str(self.root), self.emotions, split, self.allow_outside)
                filters = [(header.index(column), wanted) for column, wanted in self.where.items()]
                for cells in reader:
                    if not cells:
                        continue
                    if len(cells) != len(header):
                        raise ValueError(f"not as many cells as the header: {len(cells)} instead of {len(header)}")
                    if all(cells[place] in wanted for place, wanted in filters):
                        records.read(cells, builder)
                        yield reader.line_num
            except UnicodeDecodeError as error:
                raise ValueError(f"{self.manifest}: not UTF-8: {error}; save it as UTF-8") from None
            except csv.Error as error:
                raise ValueError(f"{self.manifest}, line {reader.line_num}: not CSV: {error}") from None
            except ValueError as error:
                raise ValueError(f"{self.manifest}, line {reader.line_num}: {error}") from None

    def _check_header(self, header: Sequence[str]) -> None:
        needed = {self.columns[field] for field in ("path", "emotion")} | set(self.where)
        mapped = {column for field, column in self.columns.items() if column != field}
        if self.split in ("column", "speaker", "text", "both"):
            fields = {"column": ["split"], "both": ["speaker", "text"]}.get(self.split, [self.split])
            needed |= {self.columns[field] for field in fields}
        if missing := sorted((needed | mapped) - set(header)):
            raise ValueError(f"no column {missing}; the file has {list(header)}")
        if len(set(header)) < len(header):
            raise ValueError(f"a column is there twice: {list(header)}")

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
