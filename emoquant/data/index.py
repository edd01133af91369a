"""The index of a feature store: which entry lies where, in arrays that stay small at a million utterances."""

import contextlib
import hashlib
import io
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from emoquant.storage.files import read_arrays, write_whole
from emoquant.storage.journals import whole_lines

#: Bytes of an entry's key and of a content digest.
KEY_BYTES = 16


#: Size in bytes from which a manifest gets a binary copy, which is read in a fraction of the time.
_LONG_MANIFEST = 1 << 20

_COLUMNS = ("keys", "shards", "offsets", "frames", "checksums", "source_hashes", "source_digests")


class Part(NamedTuple):
    """What an entry was made of, for people who read the manifest: id, audio file, and the cut in seconds."""

    id: str
    path: str
    start: float
    end: float | None


class Source(NamedTuple):
    """What an audio file held when it had this size and time of change (ns): a digest of its content, in hex.

    The state is the number of path, size and time (:func:`source_hash`), kept so that it need not be computed again.
    """

    path: str
    size: int
    changed: int
    digest: str
    state: int


def entry_key(digest: bytes, start: float, end: float | None, sample_rate: int = 16_000) -> bytes:
    """Return the key of an entry: a digest of the audio file's content and of the settings of the cut.

    The key of a whole file at 16 kHz is the digest of its content.

    Args:
        digest: Digest of the file's content.
        start: Where the part begins, in seconds.
        end: Where it ends; None for the end of the file.
        sample_rate: Samples a second that the encoder heard.
    """
    if not start and end is None and sample_rate == 16_000:
        return digest
    return _digest(digest + f"|{start!r}|{end!r}|{sample_rate}".encode(), KEY_BYTES)


def source_hash(path: str, size: int, changed: int) -> int:
    """Return the number under which a state of an audio file is remembered."""
    return int.from_bytes(_digest(f"{path}\0{size}\0{changed}".encode(), 8), "big")


def _digest(data: bytes, size: int) -> bytes:
    return hashlib.blake2b(data, digest_size=size).digest()


class Index:
    """Entries sorted by key, and the contents of audio files sorted by their state.

    Args:
        lines: Lines of a manifest or of journals.
        base: An index that the lines add to.

    Attributes:
        frames: Frames of each entry, ``(N,)`` int32; 0 for one that was forgotten.
        offsets: First byte of each entry in its shard, ``(N,)`` int64.
        checksums: CRC-32 of each entry's bytes, ``(N,)`` uint32.
        shards: Sizes and times of change (ns) at which a shard was known to be sound, by its name.
    """

    def __init__(self, lines: Iterable[bytes] = (), base: "Index | None" = None) -> None:
        self._names: list[str] = list(base._names) if base else []
        self.shards: dict[str, set[tuple[int, int]]] = {k: set(v) for k, v in base.shards.items()} if base else {}
        entries: list[Any] = [base._entries()] if base else []
        hashes: list[np.ndarray] = [base._source_hashes] if base else []
        digests: list[np.ndarray] = [base._source_digests] if base else []
        struck: set[tuple[bytes, str]] = set()
        for line in _parsed(lines):
            hashes.append(line.hashes)
            digests.append(line.digests)
            if line.entries is not None:
                self._names.append(line.shard)
                keys, *others = line.entries
                entries.append([keys, np.full(len(keys), len(self._names) - 1, np.int32), *others])
            if line.stamp is not None:
                self.shards.setdefault(line.shard, set()).add(line.stamp)
            struck |= line.struck
        self._sort_entries(entries, struck)
        self._source_hashes: np.ndarray
        self._source_digests: np.ndarray
        all_hashes = np.concatenate([np.empty(0, np.uint64), *hashes])
        order = np.argsort(all_hashes, kind="stable")
        self._source_hashes = all_hashes[order]
        self._source_digests = np.concatenate([np.empty((0, KEY_BYTES), np.uint8), *digests])[order]

    def _entries(self) -> list[Any]:
        return [self._all_keys, self._shards, self.offsets, self.frames, self.checksums]

    def save(self, file: BinaryIO, stamp: tuple[int, int]) -> None:
        """Write the index in binary, with the size and time of change (ns) of the manifest that it was read from."""
        names = json.dumps([stamp, self._names, [[k, sorted(v)] for k, v in self.shards.items()]]).encode()
        columns = dict(zip(_COLUMNS, [*self._entries(), self._source_hashes, self._source_digests], strict=True))
        np.savez(file, names=np.frombuffer(names, np.uint8), **columns)

    @staticmethod
    def load(path: Path, stamp: tuple[int, int]) -> "Index | None":
        """Return the index that was saved of a manifest of this size and time of change, None for another one.

        Raises:
            ValueError: The file is damaged.
        """
        columns = read_arrays(path)
        try:
            found, names, shards = json.loads(columns["names"].tobytes())
            if tuple(found) != stamp:
                return None
            index = Index()
            index._names = names
            index.shards = {name: {tuple(sound) for sound in stamps} for name, stamps in shards}
            index._all_keys, index._shards, index.offsets, index.frames, index.checksums = (
                columns[name] for name in _COLUMNS[:5]
            )
            index._source_hashes, index._source_digests = (columns[name] for name in _COLUMNS[5:])
            index._prefixes = _prefixes(index._all_keys)
        except (LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path} is no copy of a manifest: {error}") from error
        return index

    def _sort_entries(self, entries: list[list[Any]], struck: set[tuple[bytes, str]]) -> None:
        empty: list[Any] = [np.empty((0, KEY_BYTES), np.uint8)]
        empty += [np.empty(0, kind) for kind in (np.int32, np.int64, np.int32, np.uint32)]
        keys, shards, offsets, frames, checksums = (
            np.concatenate(column) for column in zip(empty, *entries, strict=True)
        )
        if struck:
            numbers = {name: number for number, name in enumerate(self._names)}
            out = {(key, numbers[name]) for key, name in struck if name in numbers}
            keep = np.array(
                [(key.tobytes(), int(shard)) not in out for key, shard in zip(keys, shards, strict=True)], bool
            )
            keys, shards, offsets, frames, checksums = (
                column[keep] for column in (keys, shards, offsets, frames, checksums)
            )
        prefixes = _prefixes(keys)
        _, first = np.unique(keys.view(f"S{KEY_BYTES}") if len(keys) else prefixes, return_index=True)
        order = first[np.argsort(prefixes[first], kind="stable")]
        self._prefixes, self._all_keys, self._shards = prefixes[order], keys[order], shards[order]
        self.offsets, self.frames, self.checksums = offsets[order], frames[order], checksums[order]

    def __len__(self) -> int:
        """Entries that are not forgotten."""
        return int((self.frames > 0).sum())

    def rows(self, keys: bytes) -> np.ndarray:
        """Return the row of each of the keys, which follow each other, ``(N,)`` int64; -1 for one that is not there."""
        wanted = np.frombuffer(keys, np.uint8).reshape(-1, KEY_BYTES)
        if not len(self._prefixes):
            return np.full(len(wanted), -1, np.int64)
        rows = np.searchsorted(self._prefixes, _prefixes(wanted)).clip(max=len(self._prefixes) - 1)
        found = (self._all_keys[rows] == wanted).all(axis=1) & (self.frames[rows] > 0)
        return np.where(found, rows, -1)

    def digests(self, hashes: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each state of a file is known, ``(N,)`` bool, and its content's digest, ``(N, 16)`` uint8."""
        wanted = np.asarray(hashes, np.uint64)
        if not len(self._source_hashes):
            return np.zeros(len(wanted), bool), np.zeros((len(wanted), KEY_BYTES), np.uint8)
        rows = np.searchsorted(self._source_hashes, wanted).clip(max=len(self._source_hashes) - 1)
        return self._source_hashes[rows] == wanted, self._source_digests[rows]

    def key(self, row: int) -> bytes:
        """Return the key of a row."""
        return self._all_keys[row].tobytes()

    def keys(self, rows: np.ndarray) -> bytes:
        """Return the keys of rows, ``(N,)`` int64, one after the other."""
        return self._all_keys[rows].tobytes()

    def shard(self, row: int) -> str:
        """Return the name of the shard that holds a row."""
        return self._names[int(self._shards[row])]

    def rows_of(self, shard: str | None = None) -> np.ndarray:
        """Return the rows of a shard, or of all of them, ``(N,)`` int64, without those forgotten."""
        if shard is None:
            return np.flatnonzero(self.frames > 0)
        numbers = [number for number, name in enumerate(self._names) if name == shard]
        return np.flatnonzero((self.frames > 0) & np.isin(self._shards, numbers))

    def forget(self, rows: np.ndarray) -> None:
        """Treat entries as missing."""
        self.frames[rows] = 0

    def release_sources(self) -> None:
        """Drop what is only needed to find utterances, 24 bytes an audio file."""
        self._source_hashes, self._source_digests = self._source_hashes[:0], self._source_digests[:0]


def read_manifest(folder: Path) -> Index:
    """Return the index of a store's manifest: from its binary copy, or from the manifest, which gets a copy if long."""
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
    """Write the binary copy of a manifest, if that is long; a store that cannot be written goes without."""
    found = (folder / "manifest.jsonl").stat()
    if found.st_size > _LONG_MANIFEST:
        data = io.BytesIO()
        index.save(data, (found.st_size, found.st_mtime_ns))
        with contextlib.suppress(OSError):
            write_whole(folder / "manifest.npz", data.getvalue())


class _Line(NamedTuple):
    """What a line of a manifest says: contents of audio files, entries of a shard, its state, entries struck out."""

    hashes: np.ndarray
    digests: np.ndarray
    shard: str
    entries: list[np.ndarray] | None
    stamp: tuple[int, int] | None
    struck: set[tuple[bytes, str]]


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
    entries = None
    if "shard" in line:
        keys, *numbers = list(zip(*line["entries"], strict=True))[:4]
        columns = [np.array(n, kind) for n, kind in zip(numbers, (np.int64, np.int32, np.uint32), strict=True)]
        if columns[0].min() < 0 or columns[1].min() < 1:
            raise ValueError("an entry begins before its shard or has no frame")
        entries = [_keys(keys), *columns]
    return _Line(
        np.array([source[4] for source in sources], np.uint64),
        _keys([source[3] for source in sources]),
        shard,
        entries,
        (int(line["size"]), int(line["changed"])) if shard else None,
        {(bytes.fromhex(key), str(name)) for key, name in line.get("struck", ())},
    )


def _keys(names: Sequence[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(names)), np.uint8).reshape(-1, KEY_BYTES)


def _prefixes(keys: np.ndarray) -> np.ndarray:
    """Return the first eight bytes of each key as a number, which sorts as the bytes do."""
    return np.ascontiguousarray(keys[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
