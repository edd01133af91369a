"""The index of a feature store: the location of every entry, in arrays that stay small for a million utterances."""

import contextlib
import hashlib
import io
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from emoquant.storage.files import write_whole
from emoquant.storage.journals import whole_lines
from emoquant.storage.tensors import read_arrays

#: Bytes of an entry's key and of a content digest.
KEY_BYTES = 16


#: Size in bytes from which a manifest gets a binary copy, which is read in a fraction of the time.
_LONG_MANIFEST = 1 << 20

#: An entry: its key, the number of its shard, its first byte there, its frames and the CRC-32 of its bytes.
_ENTRY = np.dtype([("key", "u1", KEY_BYTES), ("shard", "i4"), ("offset", "i8"), ("frames", "i4"), ("checksum", "u4")])
#: A state of an audio file and the digest of its content.
_SOURCE = np.dtype([("state", "u8"), ("digest", "u1", KEY_BYTES)])


class Part(NamedTuple):
    """Describe the origin of an entry for people who read the manifest: id, audio file, start and end in seconds."""

    id: str
    path: str
    start: float
    end: float | None


class Source(NamedTuple):
    """Hold the digest (hex) of an audio file's content, with the file's size and time of change (ns) at that moment.

    ``state`` is the hash of path, size and time (:func:`source_hash`), stored to avoid computing it again.
    """

    path: str
    size: int
    changed: int
    digest: str
    state: int


def entry_key(digest: bytes, start: float, end: float | None, sample_rate: int = 16_000) -> bytes:
    """Return the key of an entry: a digest of the audio file's content, start, end and sampling rate.

    The key of a whole file at 16 kHz is the digest of its content.

    Args:
        digest: Digest of the file's content.
        start: Start of the utterance in the file, in seconds.
        end: End of the utterance, in seconds; None for the end of the file.
        sample_rate: Sampling rate of the encoder's input, in Hz.
    """
    if not start and end is None and sample_rate == 16_000:
        return digest
    return _digest(digest + f"|{start!r}|{end!r}|{sample_rate}".encode(), KEY_BYTES)


def source_hash(path: str, size: int, changed: int) -> int:
    """Return a 64-bit hash of an audio file's absolute path, size in bytes and time of change in ns."""
    return int.from_bytes(_digest(f"{path}\0{size}\0{changed}".encode(), 8), "big")


def _digest(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()


class Index:
    """Look up entries by key, and digests of audio files by the hash of path, size and time of change.

    Args:
        lines: Lines of a manifest or of journals.
        base: Index to which the lines are added.

    Attributes:
        entries: Entries, ``(N,)``, with the fields ``key``, ``shard`` (a number), ``offset`` (first byte in the shard),
            ``frames`` (0 for a deleted entry) and ``checksum`` (CRC-32 of its bytes).
        shards: Size and time of change (ns) of each shard when it was last checked, by its name.
    """

    entries: np.ndarray
    _sources: np.ndarray

    def __init__(self, lines: Iterable[bytes] = (), base: "Index | None" = None) -> None:
        self._names: list[str] = list(base._names) if base else []
        self.shards: dict[str, set[tuple[int, int]]] = {k: set(v) for k, v in base.shards.items()} if base else {}
        entries = [base.entries if base else np.empty(0, _ENTRY)]
        sources = [base._sources if base else np.empty(0, _SOURCE)]
        struck: set[tuple[bytes, str]] = set()
        for known, shard, listed, stamp, out in _parsed(lines):
            sources.append(known)
            if listed is not None:
                listed["shard"] = len(self._names)
                self._names.append(shard)
                entries.append(listed)
            if stamp is not None:
                self.shards.setdefault(shard, set()).add(stamp)
            struck |= out
        self._sort_entries(np.concatenate(entries), struck)
        every = np.concatenate(sources)
        self._sources = every[np.argsort(every["state"], kind="stable")]

    def save(self, file: BinaryIO, stamp: tuple[int, int]) -> None:
        """Write the index in binary, with the size and time of change (ns) of the manifest that it was read from."""
        names = json.dumps([stamp, self._names, [[k, sorted(v)] for k, v in self.shards.items()]]).encode()
        np.savez(file, names=np.frombuffer(names, np.uint8), entries=self.entries, sources=self._sources)

    @staticmethod
    def load(path: Path, stamp: tuple[int, int]) -> "Index | None":
        """Return a saved index if it is of a manifest with this size and time of change, else None.

        Raises:
            ValueError: The file is damaged.
        """
        columns = read_arrays(path)
        try:
            found, names, shards = json.loads(columns["names"].tobytes())
            if tuple(found) != stamp or "entries" not in columns:  # of another manifest, or of an earlier version
                return None
            index = Index()
            index._names = names
            index.shards = {name: {tuple(sound) for sound in stamps} for name, stamps in shards}
            index.entries, index._sources = columns["entries"].astype(_ENTRY), columns["sources"].astype(_SOURCE)
            index._prefixes = _prefixes(index.entries["key"])
        except (LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is no copy of a manifest: {error}") from error
        return index

    def _sort_entries(self, entries: np.ndarray, struck: set[tuple[bytes, str]]) -> None:
        if struck:
            numbers = {name: number for number, name in enumerate(self._names)}
            out = {(key, numbers[name]) for key, name in struck if name in numbers}
            keep = [
                (key.tobytes(), shard) not in out for key, shard in zip(entries["key"], entries["shard"], strict=True)
            ]
            entries = entries[np.array(keep, bool)]
        prefixes = _prefixes(entries["key"])
        _, first = np.unique(np.ascontiguousarray(entries["key"]).view(f"S{KEY_BYTES}"), return_index=True)
        order = first[np.argsort(prefixes[first], kind="stable")]
        self._prefixes, self.entries = prefixes[order], entries[order]

    def __len__(self) -> int:
        """Entries that are not forgotten."""
        return int((self.entries["frames"] > 0).sum())

    def rows(self, keys: bytes) -> np.ndarray:
        """Return the row of each key, ``(N,)`` int64, -1 for a missing one; ``keys`` are concatenated."""
        wanted = np.frombuffer(keys, np.uint8).reshape(-1, KEY_BYTES)
        if not len(self._prefixes):
            return np.full(len(wanted), -1, np.int64)
        rows = np.searchsorted(self._prefixes, _prefixes(wanted)).clip(max=len(self._prefixes) - 1)
        entries = self.entries[rows]
        found = (entries["key"] == wanted).all(axis=1) & (entries["frames"] > 0)
        return np.where(found, rows, -1)

    def digests(self, hashes: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each hash of a file's state is known, ``(N,)`` bool, and the digests, ``(N, 16)`` uint8."""
        wanted = np.asarray(hashes, np.uint64)
        if not len(self._sources):
            return np.zeros(len(wanted), bool), np.zeros((len(wanted), KEY_BYTES), np.uint8)
        found = self._sources[np.searchsorted(self._sources["state"], wanted).clip(max=len(self._sources) - 1)]
        return found["state"] == wanted, found["digest"]

    def key(self, row: int) -> bytes:
        """Return the key of a row."""
        return self.entries["key"][row].tobytes()

    def keys(self, rows: np.ndarray) -> bytes:
        """Return the concatenated keys of rows, ``(N,)`` int64."""
        return self.entries["key"][rows].tobytes()

    def shard(self, row: int) -> str:
        """Return the name of the shard that holds a row."""
        return self._names[int(self.entries["shard"][row])]

    def rows_of(self, shard: str | None = None) -> np.ndarray:
        """Return the rows of a shard, or of all shards, ``(N,)`` int64, without deleted entries."""
        present = self.entries["frames"] > 0
        if shard is not None:
            numbers = [number for number, name in enumerate(self._names) if name == shard]
            present &= np.isin(self.entries["shard"], numbers)
        return np.flatnonzero(present)

    def forget(self, rows: np.ndarray) -> None:
        """Mark entries as deleted."""
        self.entries["frames"][rows] = 0

    def release_sources(self) -> None:
        """Free the memory of the digests of audio files, 24 bytes each, after all utterances were looked up."""
        self._sources = self._sources[:0].copy()


def read_manifest(folder: Path) -> Index:
    """Return the index of a store's manifest, read from its binary copy if that is valid, else from the manifest."""
    manifest, copy = folder / "manifest.jsonl", folder / "manifest.npz"
    if not manifest.exists():
        return Index()
    found = manifest.stat()
    stamp = (found.st_size, found.st_mtime_ns)
    if copy.exists():
        try:
            if (index := Index.load(copy, stamp)) is not None:
                return index
        except (ValueError, FileNotFoundError):
            warnings.warn(f"{copy} is damaged and made again from the manifest", stacklevel=2)
    index = Index(whole_lines(manifest))
    write_copy(folder, index)
    return index


def write_copy(folder: Path, index: Index) -> None:
    """Write the binary copy of a long manifest; do nothing for a short one or if the store cannot be written."""
    found = (folder / "manifest.jsonl").stat()
    if found.st_size > _LONG_MANIFEST:
        data = io.BytesIO()
        index.save(data, (found.st_size, found.st_mtime_ns))
        with contextlib.suppress(OSError):
            write_whole(folder / "manifest.npz", data.getvalue())


#: What a line of a manifest says: contents of audio files, name of a shard, its entries, size and time of change when
#: it was sound, and entries that are struck out.
_Line = tuple[np.ndarray, str, np.ndarray | None, tuple[int, int] | None, set[tuple[bytes, str]]]


def _parsed(lines: Iterable[bytes]) -> Iterator[_Line]:
    for line in lines:
        try:
            yield _line(json.loads(line))
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
            warnings.warn(
                "a line of the feature store's manifest is damaged; its entries are computed again", stacklevel=2
            )


def _line(line: dict[str, Any]) -> _Line:
    sources = line.get("sources") or []
    shard = line.get("shard") or line.get("checked") or ""
    if "/" in shard or shard.startswith("."):
        raise ValueError(f"{shard!r} is no name of a shard")
    known = np.empty(len(sources), _SOURCE)
    known["state"], known["digest"] = [source[4] for source in sources], _keys([source[3] for source in sources])
    entries = None
    if "shard" in line:
        keys, offsets, frames, checksums = list(zip(*line["entries"], strict=True))[:4]
        entries = np.zeros(len(keys), _ENTRY)
        entries["key"] = _keys(keys)
        entries["offset"], entries["frames"], entries["checksum"] = offsets, frames, checksums
        if entries["offset"].min() < 0 or entries["frames"].min() < 1:
            raise ValueError("an entry begins before its shard or has no frame")
    stamp = (int(line["size"]), int(line["changed"])) if shard else None
    struck = {(bytes.fromhex(key), str(name)) for key, name in line.get("struck", ())}
    return known, shard, entries, stamp, struck


def _keys(names: Sequence[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(names)), np.uint8).reshape(-1, KEY_BYTES)


def _prefixes(keys: np.ndarray) -> np.ndarray:
    """Return the first eight bytes of each key as a number, which sorts as the bytes do."""
    return np.ascontiguousarray(keys[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
