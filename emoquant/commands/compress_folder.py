"""The folder that ``emoquant compress`` writes: ``.emq`` files, manifests of what is done, and the settings of all."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from emoquant.commands.compress_manifest import DIGITS, CompressedRow, listed_files, read_rows, write_rows
from emoquant.commands.sources import Source, place_output, source_digest
from emoquant.devices.sharding import share_of
from emoquant.storage.csv_files import append_csv
from emoquant.storage.documents import read_json
from emoquant.storage.files import write_whole

#: Key of the lambda that a corpus as a whole was found to need, in settings.json.
COMMON_LMBDA = "common_lmbda"

_MANIFEST = re.compile(r"manifest(?:\.\d+(-of-\d+))?\.csv")


class Made(NamedTuple):
    """A coded utterance.

    Attributes:
        source: What it was read from.
        data: Its ``.emq`` bytes.
        row: Its row, without the digest of the settings.
    """

    source: Source
    data: bytes
    row: CompressedRow


class CompressedFolder:
    """A folder of ``.emq`` files of like settings, written by one job or by several that share the work.

    Every share of a division (``1/8`` is one share of eight) has a manifest, which only its job writes, so that the
    jobs of a division may run at the same time. A file belongs to the same share for any set of inputs.

    Args:
        path: The folder; it is made by :meth:`open`.
        settings: What its files have in common, as primitives.
        division: Number of this job's share, and their count.
    """

    def __init__(self, path: Path, settings: Mapping[str, object], division: tuple[int, int]) -> None:
        self.path, self.settings = path, dict(settings)
        self.number, self.count = division
        self.manifest = path / ("manifest.csv" if self.count == 1 else f"manifest.{self.number}-of-{self.count}.csv")
        self.digest = hashlib.sha256(_text(self.settings).encode()).hexdigest()[:12]
        self._rows: dict[str, CompressedRow] = {}

    def open(self, sources: Sequence[Source], overwrite: bool) -> list[Source]:
        """Begin or go on, and return what is to be done by this job; what is outdated of its share is removed.

        Args:
            sources: All inputs of the run.
            overwrite: Whether nothing is kept, and files that the manifests list go where their inputs are gone.

        Raises:
            ValueError: The folder holds files of other settings and is not to be overwritten.
        """
        stored = self._stored()
        same = {key: value for key, value in stored.items() if key != COMMON_LMBDA} == self.settings
        path = self.path / "settings.json"
        if path.exists() and not same and not overwrite:
            raise ValueError(
                f"{self.path} holds files of other settings (see {path}): choose another folder or --overwrite=true"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        wanted = {f"{source.name}.emq": source for source in sources}
        if overwrite:
            self._remove({file for each in self._manifests() for file in listed_files(each)} - wanted.keys())
        else:
            self._rows = self._sound(wanted)
        todo = {file: source for file, source in wanted.items() if self._is_mine(file) and file not in self._rows}
        self._remove(todo)
        if overwrite or not same:
            write_whole(path, _text(self.settings).encode())
        write_rows(self.manifest, self._rows.values(), CompressedRow)
        return list(todo.values())

    def common_lmbda(self, choose: Callable[[], float]) -> float:
        """Return the lambda of the corpus as a whole: what the folder's first run chose, for all that is added later.

        Args:
            choose: Finds it if there is none yet.

        Raises:
            ValueError: The one that the folder names is no lambda.
        """
        if COMMON_LMBDA not in self._stored():
            lmbda = choose()
            if COMMON_LMBDA not in self._stored():  # no other job was faster
                write_whole(self.path / "settings.json", _text(self.settings | {COMMON_LMBDA: lmbda}).encode())
        chosen = self._stored()[COMMON_LMBDA]
        if not isinstance(chosen, int | float) or not 0 <= chosen < math.inf:
            raise ValueError(f"{self.path / 'settings.json'} names the lambda {chosen!r}: choose another folder")
        return float(chosen)

    def write(self, batch: Sequence[Made]) -> None:
        """Write a batch: first its files, then its rows."""
        rows = []
        for source, data, row in batch:
            write_whole(place_output(self.path, source.name, ".emq"), data)
            rows.append(row._replace(settings=self.digest))
        append_csv(self.manifest, rows, DIGITS)
        self._rows |= {row.file: row for row in rows}

    def close(self) -> Path:
        """Return the manifest, now sorted; manifests of other divisions go where they list nothing else that counts."""
        write_rows(self.manifest, self._rows.values(), CompressedRow)
        manifests = {path: listed_files(path) for path in self._manifests()}
        ours = [listed for path, listed in manifests.items() if self._is_ours(path)]
        known = {file for listed in ours for file, settings in listed.items() if settings == self.digest}
        for path, listed in manifests.items():
            left = {file for file, settings in listed.items() if settings == self.digest} - known
            if not self._is_ours(path) and not any((self.path / file).is_file() for file in left):
                path.unlink(missing_ok=True)
        return self.manifest

    def _stored(self) -> dict[str, Any]:
        """Return what settings.json holds; nothing if there is none that can be read."""
        try:
            found = read_json(self.path / "settings.json")
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _sound(self, wanted: Mapping[str, Source]) -> dict[str, CompressedRow]:
        """Return the rows of this share, of any manifest, that tell of files made with these settings.

        A row counts if its file is there and was made from the input as it is, or from one that is not given this time.
        """
        found: dict[str, CompressedRow] = {}
        for path in self._manifests():
            for row in read_rows(path, CompressedRow):
                candidate = row.settings == self.digest and self._is_mine(row.file) and row.file not in found
                if candidate and (self.path / row.file).is_file():
                    source = wanted.get(row.file)
                    if source is None or source_digest(source) == row.source:
                        found[row.file] = row
        return found

    def _manifests(self) -> list[Path]:
        return [path for path in sorted(self.path.glob("manifest*.csv")) if _MANIFEST.fullmatch(path.name)]

    def _is_ours(self, manifest: Path) -> bool:
        """Whether a manifest belongs to a share of this division of the work."""
        (mine, other) = (_MANIFEST.fullmatch(path.name) for path in (self.manifest, manifest))
        return bool(mine and other and mine[1] == other[1])

    def _is_mine(self, file: str) -> bool:
        return share_of(file, self.count) == self.number

    def _remove(self, files: Iterable[str]) -> None:
        """Remove ``.emq`` files, none outside the folder, whatever a manifest says."""
        root = self.path.resolve()
        for file in files:
            path = root / PurePosixPath(file)
            if path.suffix == ".emq" and path.parent.resolve().is_relative_to(root):
                path.unlink(missing_ok=True)


def _text(settings: Mapping[str, object]) -> str:
    return json.dumps(settings, indent=2) + "\n"
