"""A corpus that a CSV file describes: one utterance a line."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_warn

from emoquant.audio.trimming import require_threshold
from emoquant.data.base import Corpus, Utterance
from emoquant.data.cutting import cut_to_speech
from emoquant.data.records import FIELDS, RecordReader, option, split_meanings
from emoquant.data.sheet import Choice, Places, Sheet, column_named, csv_sheet
from emoquant.data.splits import split_at_random, split_by_policy
from emoquant.data.table import Builder, UtteranceTable

#: Ways to divide a corpus, and what of a line each needs.
_POLICIES = {
    "column": ("split",),
    "speaker": ("speaker",),
    "text": ("text",),
    "both": ("speaker", "text"),
    "random": (),
}


class ManifestCorpus(Corpus):
    """A CSV file of utterances.

    Columns: ``path``, ``emotion`` and optionally ``speaker``, ``text``, ``split``, ``id``, ``language``, ``start`` and
    ``end`` (seconds), ``arousal``, ``valence``, ``dominance`` (annotators' means) and ``votes_<emotion>`` (annotators'
    votes, counts or shares); others are left alone.
    :func:`~emoquant.data.manifest_writer.write_manifest` makes one of a folder.

    Commas, semicolons, tabs or ``|`` stand between the cells, names of columns are in any capitals, and paths have
    slashes or backslashes. Without a column ``id`` the id is the path without its suffix, ``/`` written as ``~``,
    followed by the start of a part. Without a split column the policy divides the utterances
    (:mod:`emoquant.data.splits`).

    Args:
        manifest: The CSV file (UTF-8, or UTF-16 with its mark; with a header).
        root: Folder that paths are relative to; the manifest's own folder by default.
        name: Name of the corpus; that of the root by default.
        where: Columns and the value or values that a line must have to be taken, ``{"corpus": "nemo"}``.
        columns: Fields that have another name in the file, ``{"start": "speech_start"}``.
        split: ``"column"``, ``"speaker"``, ``"text"``, ``"both"`` or ``"random"`` (speakers and sentences are then in
            several splits); by default the column if there is one, else the speaker, or random where no line has one.
        test: Share of the speakers, sentences or utterances that the policy puts into the test split.
        validation: Share of the remaining ones that it puts into the validation split.
        seed: Chooses them.
        emotions: Names in the file that :mod:`emoquant.labels` does not know, with what they mean.
        splits: Names of splits in the file with what they mean, ``{"Test1": "test"}``.
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
        where: dict[str, str | int | float | bool | list[str | int | float | bool]] | None = None,
        columns: dict[str, str] | None = None,
        split: str | None = None,
        test: float = 0.2,
        validation: float = 0.1,
        seed: int = 0,
        emotions: dict[Any, str] | None = None,
        splits: dict[Any, str] | None = None,
        allow_outside: bool = False,
        trim: float | None = None,
    ) -> None:
        if split is not None and split not in _POLICIES:
            *most, last = map(repr, _POLICIES)
            raise ValueError(f"split is {split!r}, expected {', '.join(most)} or {last}")
        if unknown := set(columns or {}) - set(FIELDS):
            raise ValueError(f"columns maps {sorted(unknown)}, expected fields of {list(FIELDS)}")
        require_threshold(trim)
        self.manifest = Path(manifest)
        self.root = Path(root) if root is not None else self.manifest.parent
        self.name = name or os.path.basename(os.path.abspath(self.root)) or self.manifest.stem
        self.where = {column: Choice(wanted) for column, wanted in (where or {}).items()}
        self.columns = {field: (columns or {}).get(field, field) for field in FIELDS}
        self.split, self.test, self.validation, self.seed = split, test, validation, seed
        self.emotions: Mapping[object, str] = emotions or {}
        self.splits = split_meanings(splits or {})
        self.allow_outside, self.trim = allow_outside, trim

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances in the order of the file; see the base class."""
        if self.manifest.is_dir():
            raise FileNotFoundError(f"{self.manifest}: a folder; expected a CSV file: write one with emoquant manifest")
        if not self.manifest.is_file():
            raise FileNotFoundError(
                f"{self.manifest}: no such manifest; expected a CSV file with the columns path, emotion, speaker, "
                "text, split; emoquant manifest writes one of a folder"
            )
        return self._checked()

    def _checked(self) -> UtteranceTable:
        """Return the utterances of all tables, checked and divided."""
        builder, places = Builder(), Places()
        for sheet in self._sheets():
            self._read(sheet, builder, places)
        found = builder.table()
        if not len(places):
            raise ValueError(f"{self.manifest}: no utterance{f' where {self.where}' if self.where else ''}")
        self._check_parts(found, places)
        self._check_ids(found, places)
        self._check_files(found, places)
        return cut_to_speech(self._divided(found, places), self.trim)

    def _sheets(self) -> Iterator[Sheet]:
        """Yield the tables of the corpus; classes of other formats yield theirs."""
        yield csv_sheet(self.manifest, {*self.columns.values(), *self.where})

    def _divided(self, found: UtteranceTable, places: Places) -> UtteranceTable:
        """Return the utterances with the splits of the file or, where it has none, of the policy."""
        splits = found.names("split")
        undecided = np.array([not split for split in splits.kinds])[splits.codes]
        if not undecided.any():
            return found
        if not undecided.all():
            raise ValueError(f"{places.of(int(undecided.argmax()))}: no split, but other lines have one")
        speakers, texts = list(found.names("speaker")), list(found.strings("text"))
        policy = self.split or ("speaker" if any(speakers) else "random")
        if policy == "random":
            emotions = list(found.names("emotion"))
            drawn = split_at_random(list(found.strings("id")), emotions, self.test, self.validation, self.seed)
            rank_zero_warn(
                f"{self.manifest}: training, validation and test utterances are drawn at random, so that speakers are "
                "in all of them: what is measured says nothing of new speakers. Name them in a column speaker"
            )
            return found.with_splits(drawn)
        for field in _POLICIES[policy]:
            if (cells := {"speaker": speakers, "text": texts}[field]) and not all(cells):
                line = places.of(cells.index(""))
                raise ValueError(f"{line}: no {field}; fill it in, or {self._other(policy, texts)}")
        try:
            # mypy does not narrow a string by what a dictionary holds.
            drawn = split_by_policy(policy, speakers, texts, self.test, self.validation, self.seed)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{self.manifest}: split by {policy}: {error}; {self._other(policy, texts)}") from None
        return found.with_splits(drawn)

    @staticmethod
    def _other(policy: str, texts: Sequence[str]) -> str:
        """Return which other policies fit."""
        sentences = f"sentences, {option('split', 'text')}, or " if policy == "speaker" and len(set(texts)) > 2 else ""
        return f"divide by {sentences}utterances, whoever speaks, {option('split', 'random')}"

    def _read(self, sheet: Sheet, builder: Builder, places: Places) -> None:
        """Read the utterances of a table."""
        header = sheet.header
        places.begin(sheet.file)
        try:
            self._check_header(header)
            split = {None: None, "column": True}.get(self.split, False)
            columns, root = self.columns, str(self.root)
            reader = RecordReader(header, columns, root, self.emotions, split, self.allow_outside, self.splits)
            chosen = [(header.index(column_named(header, name) or name), cells) for name, cells in self.where.items()]
        except ValueError as error:
            raise ValueError(f"{sheet.file}, line 1: {error}") from None
        for number, cells in sheet.lines:
            try:
                if len(cells) != len(header):
                    raise ValueError(f"not as many cells as the header: {len(cells)} instead of {len(header)}")
                if all(cells[place] in wanted for place, wanted in chosen):
                    reader.read(cells, builder, number)
                    places.add(number)
            except ValueError as error:
                raise ValueError(f"{sheet.file}, line {number}: {error}") from None
        if reader.unknown:
            line = next(iter(reader.unknown.values()))
            raise ValueError(f"{sheet.file}, line {line}: {reader.unknown_emotions()}")

    def _check_header(self, header: Sequence[str]) -> None:
        needed = {"path", "emotion", *(field for field, column in self.columns.items() if column != field)}
        needed |= set(_POLICIES[self.split] if self.split else ())
        missing = sorted(field for field in needed if column_named(header, self.columns[field]) is None)
        if missing:
            columns = [self.columns[field] for field in missing]
            raise ValueError(
                f"no column {columns}; the file has {list(header)}: if it is called otherwise there, say "
                f"{option('columns', 'NAME', key=missing[0])}"
            )
        if missing := sorted(column for column in self.where if column_named(header, column) is None):
            raise ValueError(f"where: no column {missing}; the file has {list(header)}")
        named = [column for column in header if column]
        if len(set(named)) < len(named):
            raise ValueError(f"a column is there twice: {list(header)}")

    def _check_parts(self, found: UtteranceTable, places: Places) -> None:
        """See that no part of a file is listed twice, first of all not with two emotions."""
        times = np.nan_to_num(found.times, nan=-1.0)
        repeated = found.repeated("name", found.names("folder").codes, times[:, 0], times[:, 1])
        if not repeated:
            return
        emotions = found.names("emotion")
        contradicting = [pair for pair in repeated if emotions[pair[0]] != emotions[pair[1]]]
        first, second = (contradicting or repeated)[0]
        listed = f"{places.of(second)}: {found[second].path} is listed in {places.beside(first, second)} too"
        count = f" ({len(repeated)} lines repeat a file)" if len(repeated) > 1 else ""
        choose = "or choose lines by a column, where: {COLUMN: VALUE}"
        if contradicting:
            said = f"as {emotions[first]}, and here as {emotions[second]}: delete what is wrong, {choose}"
        else:
            said = f"as {emotions[first]}, as here: delete one of the lines, {choose}"
        raise ValueError(f"{listed}, {said}{count}")

    def _check_ids(self, found: UtteranceTable, places: Places) -> None:
        for first, second in found.repeated("id"):
            raise ValueError(
                f"{places.of(second)}: id {found[second].id!r} is that of {places.beside(first, second)} too; "
                "give every utterance its own in a column id"
            )

    def _check_files(self, found: UtteranceTable, places: Places) -> None:
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
                f"{places.of(first)}: no file {found[first].path} "
                f"({len(missing)} of {len(found)} files are missing); check root, which is {self.root}, and the paths"
            )

    def _listing(self, folder: Path, root: Path) -> set[str]:
        real = Path(os.path.realpath(folder))
        if not self.allow_outside and not real.is_relative_to(root):
            raise ValueError(
                f"{self.manifest}: {folder} leads out of {self.root} by a link; if that is meant set "
                f"{option('allow_outside', 'true')}"
            )
        try:
            with os.scandir(real) as entries:
                return {entry.name for entry in entries}
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return set()
            raise
