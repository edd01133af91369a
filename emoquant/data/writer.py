"""Writing of features into a store, shard by shard."""

import json
import secrets
import time
import zlib
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from emoquant.data.index import Part, Source
from emoquant.data.store import FeatureStore
from emoquant.storage.files import write_whole
from emoquant.storage.journals import append_lines, hold, locked


class ShardWriter:
    """Collect entries and write them as shards; use it as a context manager.

    Args:
        store: The store.
        rank: Rank of this process, which is part of the names of its shards.
        shard_bytes: Size at which a shard is written.
        flush_seconds: Time after which a shard is written whatever its size; an interruption loses at most that.
    """

    def __init__(
        self, store: FeatureStore, rank: int = 0, shard_bytes: int = 128 * 2**20, flush_seconds: float = 20.0
    ) -> None:
        self.store, self.shard_bytes, self.flush_seconds = store, shard_bytes, flush_seconds
        self._flushed = time.monotonic()
        self._run = f"{rank:05d}-{secrets.token_hex(4)}"
        self._count = self._bytes = 0
        self._tensors: dict[bytes, Tensor] = {}
        self._parts: dict[bytes, Part] = {}
        self._sources: list[Source] = []
        with locked(store.folder / "lock"):  # so that no merge takes it for a finished one before it is held
            self._journal = (store.folder / f"journal-{self._run}.jsonl").open("ab")
            hold(self._journal)

    def add(self, key: bytes, features: Tensor, part: Part) -> None:
        """Add an entry.

        Args:
            key: Key of the entry.
            features: Frame features, ``(T, D)`` float32, at least one frame.
            part: Origin of the entry.

        Raises:
            ValueError: The shape is wrong or a value is NaN, infinite or too large for float16.
        """
        if features.ndim != 2 or not len(features) or features.shape[1] != self.store.dim:
            raise ValueError(
                f"{part.id}: features of shape {tuple(features.shape)}, expected (1 or more, {self.store.dim})"
            )
        numbers = features.detach().to(device="cpu", dtype=getattr(torch, self.store.precision)).contiguous()
        if not torch.isfinite(numbers).all():
            raise ValueError(
                f"{part.id}: a feature is NaN, infinite or beyond {self.store.precision}; check the encoder's weights"
            )
        self._tensors[key] = numbers
        self._parts[key] = part
        self._bytes += numbers.numel() * numbers.element_size()
        if self._bytes >= self.shard_bytes or time.monotonic() - self._flushed >= self.flush_seconds:
            self.flush()

    def note_source(self, source: Source) -> None:
        """Store the digest of an audio file's content."""
        self._sources.append(source)

    def flush(self) -> None:
        """Write the collected entries to disk; afterwards no interruption can lose them."""
        line: dict[str, Any] = {"sources": [list(source) for source in self._sources]}
        if self._tensors:
            line |= self._write_shard()
        if line["sources"] or "shard" in line:
            append_lines(self._journal, [line])
        self._tensors, self._parts, self._sources, self._bytes = {}, {}, [], 0
        self._flushed = time.monotonic()

    def _write_shard(self) -> dict[str, Any]:
        name = f"{self._run}-{self._count:05d}.safetensors"
        meta = {"fingerprint": self.store.fingerprint, "dim": str(self.store.dim), "sample_rate": "16000"}
        data = save({key.hex(): tensor for key, tensor in self._tensors.items()}, metadata=meta)
        path = self.store.folder / "shards" / name
        write_whole(path, data)
        self._count += 1
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        entries = []
        for key, part in self._parts.items():
            begin, end = (start + offset for offset in header[key.hex()]["data_offsets"])
            checksum = zlib.crc32(memoryview(data)[begin:end])
            entries.append([key.hex(), begin, len(self._tensors[key]), checksum, *part])
        found = path.stat()
        return {"shard": name, "size": found.st_size, "changed": found.st_mtime_ns, "entries": entries}

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self.flush()
        finally:
            self._journal.close()
