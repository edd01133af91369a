"""The feature store: frame features of an encoder on disk, in safetensors shards with a manifest of their entries.

Layout of a folder, one per encoder (weights and settings) and number format::

    store.json                what the features are
    manifest.jsonl            one line a shard: its entries, and the audio files that they come from
    manifest.npz              a copy of a long manifest that is read faster; it is made again when it is gone or old
    journal-RUN.jsonl         the same, of a run that goes on or was killed; merged into the manifest afterwards
    shards/RUN-00000.safetensors

An entry is named by a digest of the audio file's content and of the part that was cut out of it, so that a file that
was moved or is listed by two corpora is encoded once, and one that was changed is encoded again. Which content a path
has is remembered with its size and time of change. A shard is written under a temporary name, flushed to the disk and
renamed before a line names it, and only whole lines are read: after ``kill -9`` at any moment the store is sound and
what it lacks is at most the shard in hand, some seconds of work (``flush_seconds`` of the writer). Several
processes may fill one store at a time; what two of them encode counts once.
"""

import contextlib
import json
import os
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from emoquant.data.index import Index, read_manifest, write_copy
from emoquant.storage.documents import read_json
from emoquant.storage.files import write_whole
from emoquant.storage.journals import is_held, locked, whole_lines

Precision = Literal["float32", "float16"]

_NUMBERS: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}

_OPEN_FILES = 64

#: Version of the layout above; a store that says none has this one.
FORMAT = 1


class DamagedEntryError(RuntimeError):
    """Report an entry whose bytes differ from those that were written."""


class FeatureStore:
    """Read frame features from disk; the module's docstring describes the files.

    A process writes through one :class:`~emoquant.data.writer.ShardWriter`.

    Args:
        folder: Folder of the store; it is created if it does not exist.
        fingerprint: The encoder's fingerprint.
        dim: Feature dimensions ``D``.
        precision: Number format on disk; float16 halves the space at a relative error of at most 2^-11.

    Raises:
        ValueError: The folder is a store of another encoder or format, or says nothing that can be read.
        OSError: The folder cannot be made or read.
    """

    def __init__(self, folder: Path, fingerprint: str, dim: int, precision: Precision = "float32") -> None:
        self.folder, self.fingerprint, self.dim, self.precision = folder, fingerprint, dim, precision
        self._files: OrderedDict[str, int] = OrderedDict()
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        self._identify()
        self.index = Index()
        self.refresh()

    def _identify(self) -> None:
        identity = {
            "fingerprint": self.fingerprint, "dim": self.dim, "precision": self.precision, "format": FORMAT
        }  # fmt: skip
        path = self.folder / "store.json"
        if not path.exists():
            write_whole(path, json.dumps(identity).encode())
        try:
            found = {"format": FORMAT, **read_json(path)}
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged ({error}): delete this file if the folder holds features of this encoder, which "
                "are then checked as they are read; else delete the folder or choose another cache folder"
            ) from error
        if found != identity:
            raise ValueError(
                f"{self.folder} is a store of {found}, not of {identity}; choose another cache folder, or delete this "
                "one to compute the features again"
            )

    def refresh(self) -> None:
        """Read manifest and journals again, and check every shard whose size or time of change differs.

        Damaged entries of such a shard are deleted from the index, so that they are computed again, and so are all
        entries of a shard that does not exist any more.
        """
        with locked(self.folder / "lock"):
            base = read_manifest(self.folder)
            journals = sorted(self.folder.glob("journal-*.jsonl"))
            self.index = Index((line for path in journals for line in whole_lines(path)), base) if journals else base
        for name, sound in self.index.shards.items():
            found = self._stat(name)
            if found is None:
                self.index.forget(self.index.rows_of(name))
            elif found not in sound:
                with contextlib.suppress(OSError):  # a store that cannot be written is read as it is
                    self._strike(self._damaged(name), {"checked": name, "size": found[0], "changed": found[1]})

    def verify(self) -> int:
        """Read and check every entry, delete damaged ones from the index, and return their number."""
        damaged = self._damaged()
        if len(damaged):
            with contextlib.suppress(OSError):
                self._strike(damaged, {})
        return len(damaged)

    def rows(self, keys: bytes) -> np.ndarray:
        """Return the row of each key, ``(N,)`` int64, -1 for a missing one; ``keys`` are concatenated."""
        return self.index.rows(keys)

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of frames of the entries in these rows, ``(N,)`` int64."""
        return self.index.entries["frames"][rows].astype(np.int64)

    def read(self, row: int) -> Tensor:
        """Return the features of an entry, ``(T, D)`` float32.

        Raises:
            DamagedEntryError: The bytes are not those that were written; the entry is deleted from the index, so that
                the next run computes it again.
        """
        data = self._bytes(row)
        if data is None:
            shard = self.index.shard(row)
            with contextlib.suppress(OSError):  # a store that cannot be written
                self._strike(np.array([row]), {})
            raise DamagedEntryError(
                f"{self.folder / 'shards' / shard}: an entry is damaged; it has been struck out: "
                "run the same command again and it is computed anew"
            )
        return torch.from_numpy(np.frombuffer(data, _NUMBERS[self.precision]).reshape(-1, self.dim).astype(np.float32))

    def merge(self) -> None:
        """Append the journals of finished runs to the manifest; journals of running processes are left alone."""
        with locked(self.folder / "lock"):
            journals = [path for path in sorted(self.folder.glob("journal-*.jsonl")) if not is_held(path)]
            if not journals:
                return
            manifest = self.folder / "manifest.jsonl"
            index = Index((line for path in journals for line in whole_lines(path)), read_manifest(self.folder))
            lines = list(whole_lines(manifest))
            lines += [line for path in journals for line in whole_lines(path)]
            write_whole(manifest, b"".join(lines))
            write_copy(self.folder, index)  # so that nobody has to read the whole again
            for path in journals:
                path.unlink(missing_ok=True)
            for path in (self.folder / "shards").glob(".*.tmp"):  # of runs that were killed while they wrote
                if not (self.folder / f"journal-{path.name[1:15]}.jsonl").exists():
                    path.unlink(missing_ok=True)

    def _strike(self, rows: np.ndarray, stamp: Mapping[str, Any]) -> None:
        """Forget damaged entries and say so beside the manifest, in a journal of its own."""
        struck = [[self.index.key(row).hex(), self.index.shard(row)] for row in rows]
        self.index.forget(rows)
        path = self.folder / f"journal-{secrets.token_hex(6)}.jsonl"
        write_whole(path, (json.dumps({**stamp, "struck": struck}) + "\n").encode())

    def _stat(self, name: str) -> tuple[int, int] | None:
        try:
            found = (self.folder / "shards" / name).stat()
        except FileNotFoundError:
            return None
        return found.st_size, found.st_mtime_ns

    def _damaged(self, shard: str | None = None) -> np.ndarray:
        """Return the rows of a shard, or of all, whose bytes are not those that were written."""
        return np.array([row for row in self.index.rows_of(shard) if self._bytes(row) is None], np.int64)

    def _bytes(self, row: int) -> bytes | None:
        """Return the bytes of an entry, None where they are not those that were written."""
        entry = self.index.entries[row]
        size = int(entry["frames"]) * self.dim * _NUMBERS[self.precision].itemsize
        file, begin = self._file(self.index.shard(row)), int(entry["offset"])
        if begin + size > os.fstat(file).st_size:
            return None
        data = os.pread(file, size, begin)
        return data if zlib.crc32(data) == int(entry["checksum"]) else None

    def _file(self, name: str) -> int:
        if name in self._files:
            self._files.move_to_end(name)
            return self._files[name]
        if len(self._files) >= _OPEN_FILES:
            os.close(self._files.popitem(last=False)[1])
        self._files[name] = os.open(self.folder / "shards" / name, os.O_RDONLY | os.O_CLOEXEC)
        return self._files[name]

    def close(self) -> None:
        """Close the open shards; reading opens them again."""
        while self._files:
            os.close(self._files.popitem()[1])

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files behind when a loader's worker gets a copy."""
        return {**self.__dict__, "_files": OrderedDict()}

    def __del__(self) -> None:
        self.close()
