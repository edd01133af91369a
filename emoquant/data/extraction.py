"""Fills the feature store: finds what it lacks and encodes it, in batches of similar length, on any number of ranks."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emoquant.audio.loading import AudioError, audio_seconds, read_audio
from emoquant.console.progress import Bar, progress
from emoquant.data.base import Corpus, Utterance
from emoquant.data.index import KEY_BYTES, Part, Source, entry_key, source_hash
from emoquant.data.store import FeatureStore, Precision
from emoquant.data.table import Names, UtteranceTable
from emoquant.data.writer import ShardWriter
from emoquant.devices.sharding import by_length, parse_shard, share_of
from emoquant.encoders.base import FrameEncoder

#: Bad utterances that an error names before it only counts them.
_NAMED = 10


class ExtractionSettings(NamedTuple):
    """How utterances are encoded.

    On a CPU every utterance is encoded alone, so that not a bit of its features depends on what else is encoded: on
    what an interruption left, on the number of ranks or on the batches. Elsewhere utterances share batches, whose
    shapes change the rounding (by about 1e-5 of features whose standard deviation is 2).

    Attributes:
        device: Device of the encoder.
        seconds_per_batch: Bound of a batch: utterances times the longest of them, in seconds of audio; not on a CPU.
        num_workers: Threads that read audio while the encoder computes.
        shard_bytes: Size at which a shard is written; what is not written yet is lost in an interruption.
        flush_seconds: Time after which it is written whatever its size.
        progress: Whether a progress bar is shown (on the first rank).
    """

    device: torch.device | str = "cpu"
    seconds_per_batch: float = 60.0
    num_workers: int = 2
    shard_bytes: int = 64 * 2**20
    flush_seconds: float = 20.0
    progress: bool = True


def open_store(encoder: FrameEncoder, cache_dir: str | Path, precision: Precision = "float32") -> FeatureStore:
    """Return the store of an encoder's features in a cache folder: ``CACHE_DIR/features/FINGERPRINT-PRECISION``."""
    fingerprint = encoder.fingerprint()
    folder = Path(cache_dir) / "features" / f"{fingerprint[:16]}-{precision}"
    return FeatureStore(folder, fingerprint, encoder.dim, precision)


def find_entries(store: FeatureStore, utterances: Sequence[Utterance]) -> np.ndarray:
    """Return the row of each utterance's features in the store, ``(N,)`` int64; -1 where it lacks them.

    An audio file whose size and time of change are known is not read; others count as lacking.

    Raises:
        FileNotFoundError: An audio file is gone.
    """
    table = UtteranceTable.of(utterances)
    known, digests = store.index.digests(np.fromiter(_states(table), np.uint64, len(table)))
    keys = digests.copy()  # of whole files; parts have their own
    for row in np.flatnonzero((table.times[:, 0] != 0) | ~np.isnan(table.times[:, 1])).tolist():
        start, end = table.times[row].tolist()
        key = entry_key(digests[row].tobytes(), start, None if math.isnan(end) else end)
        keys[row] = np.frombuffer(key, np.uint8)
    return np.where(known, store.rows(keys.tobytes()), -1)


def extract(
    utterances: Sequence[Utterance],
    encoder: FrameEncoder,
    store: FeatureStore,
    rank: int = 0,
    world_size: int = 1,
    settings: ExtractionSettings | None = None,
) -> int:
    """Encode what the store lacks of this rank's share, and return how many utterances that were.

    The share is decided by a hash of the audio file's path, so ranks need not talk to each other. Utterances that
    cannot be read do not stop the others; they are named together at the end.

    Args:
        utterances: The utterances that the store shall hold.
        encoder: The encoder; it is moved to the device and back to the CPU.
        store: The store; call :meth:`FeatureStore.merge` and :meth:`FeatureStore.refresh` when all ranks are done.
        rank: This process.
        world_size: Number of processes.
        settings: Batches, threads and device.

    Raises:
        AudioError: Utterances cannot be used; the message names them. Everything else is in the store.
        FileNotFoundError: An audio file is gone.
        OSError: The store cannot be written (a full disk); what was written before is sound.
    """
    settings = settings or ExtractionSettings()
    rows = find_entries(store, utterances)
    lacking = [utterance for utterance, row in zip(utterances, rows, strict=True) if row < 0]
    lacking = [u for u in lacking if share_of(f"{os.path.abspath(u.path)}|{u.start!r}", world_size) == rank]
    if not lacking:
        return 0
    failures: list[str] = []
    encoder = encoder.to(settings.device).eval()
    try:
        with (
            ShardWriter(store, rank, settings.shard_bytes, settings.flush_seconds) as writer,
            progress(len(lacking), "extracting features", shown=settings.progress and rank == 0) as bar,
        ):
            batches = _batches(writer, lacking, settings, failures, bar)
            count = sum(_encode(encoder, writer, batch, settings, bar) for batch in batches)
    finally:
        encoder.to("cpu")
    if failures:
        more = f"\n... and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
        raise AudioError(
            f"{len(failures)} of {len(lacking)} utterances cannot be used (the features of the others are stored):\n"
            + "\n".join(failures[:_NAMED])
            + more
        )
    return count


def extract_corpora(
    corpora: Corpus | list[Corpus],
    encoder: FrameEncoder,
    cache_dir: str = ".cache/emoquant",
    precision: Precision = "float32",
    device: str = "auto",
    seconds_per_batch: float = 60.0,
    num_workers: int = 2,
    shard: str | None = None,
    verify: bool = False,
) -> Path:
    """Put the frame features of whole corpora into the feature store, and return its folder.

    Started by ``torchrun`` every process encodes its share on its own device (it reads the environment variables
    ``RANK``, ``LOCAL_RANK`` and ``WORLD_SIZE``); jobs of an array take their shares by ``shard``. An interrupted run
    goes on where it was.

    Args:
        corpora: The corpora.
        encoder: The encoder.
        cache_dir: Folder of the store.
        precision: Number format on disk.
        device: ``"auto"`` (a CUDA device if there is one) or a device of torch.
        seconds_per_batch: Bound of a batch: utterances times the longest of them, in seconds of audio.
        num_workers: Threads that read audio while the encoder computes.
        shard: Part of the work of this job, as NUMBER/COUNT from 0/1; all of it by default.
        verify: Whether every entry that is there already is read and compared with its checksum first.

    Raises:
        ValueError: ``shard`` is not NUMBER/COUNT, or see :func:`extract`.
    """
    rank, world_size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if shard is not None:
        number, count = parse_shard(shard)
        rank, world_size = number * world_size + rank, count * world_size
    if device == "auto":
        local = int(os.environ.get("LOCAL_RANK", 0))
        device = f"cuda:{local % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    utterances: list[Utterance] = []
    for corpus in [corpora] if isinstance(corpora, Corpus) else corpora:
        corpus.prepare()
        utterances += corpus.utterances()
    store = open_store(encoder, cache_dir, precision)
    if verify:
        store.verify()
    settings = ExtractionSettings(device, seconds_per_batch, num_workers)
    try:
        extract(utterances, encoder, store, rank, world_size, settings)
    finally:
        store.merge()
    return store.folder


class _Item(NamedTuple):
    utterance: Utterance
    digest: bytes
    waveform: Tensor


def _states(table: UtteranceTable) -> Iterator[int]:
    """Yield the number of each audio file's present state."""
    folders = [os.path.abspath(folder) for folder in table.names("folder").kinds]
    before, state = "", 0
    absolute = Names(folders, table.names("folder").codes)
    for folder, name in zip(absolute, table.strings("name"), strict=True):
        path = f"{folder}/{name}"
        if path != before:
            before, state = path, source_hash(*_stat(path))
        yield state


def _stat(path: str) -> tuple[str, int, int]:
    """Return a file's absolute path, size and time of change."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: the audio file is gone; is the corpus folder still there?") from None
    return path, found.st_size, found.st_mtime_ns


def _batches(
    writer: ShardWriter, lacking: list[Utterance], settings: ExtractionSettings, failures: list[str], bar: Bar
) -> Iterator[list[_Item]]:
    """Yield batches of utterances of similar length, the longest first, read ahead by threads."""
    alone = torch.device(settings.device).type == "cpu"
    seconds = [_seconds(utterance) for utterance in lacking]
    groups = by_length(seconds, settings.seconds_per_batch, 1 if alone else None)
    reading = 8 if alone else 2  # groups that are read ahead
    with ThreadPoolExecutor(max(1, settings.num_workers)) as pool:
        ahead: list[list[Future[_Item | str]]] = []
        for group in [*groups, *([] for _ in range(reading))]:
            ahead.append([pool.submit(_read, lacking[index]) for index in group])
            if len(ahead) > reading:
                read = [future.result() for future in ahead.pop(0)]
                failures += [item for item in read if isinstance(item, str)]
                bar.update(sum(isinstance(item, str) for item in read))
                yield _new(writer, [item for item in read if not isinstance(item, str)], bar)


def _seconds(utterance: Utterance) -> float:
    try:
        end = utterance.end if utterance.end is not None else audio_seconds(utterance.path)
    except AudioError:
        return 0.0  # reported where the file is read
    return max(end - utterance.start, 0.0)


def _read(utterance: Utterance) -> _Item | str:
    """Return a waveform with the digest of its file, or what is wrong with it."""
    try:
        waveform = read_audio(utterance.path, utterance.start, utterance.end)
        with utterance.path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=KEY_BYTES)).digest()
    except AudioError as error:
        return str(error)
    except OSError as error:  # a file that may not be read, or that vanished meanwhile
        return f"{utterance.path}: {error.strerror or error}; check the corpus folder"
    return _Item(utterance, digest, waveform)


def _new(writer: ShardWriter, items: list[_Item], bar: Bar) -> list[_Item]:
    """Note what the files hold and return the items whose content the store has not seen under another path."""
    for item in items:
        state = _stat(os.path.abspath(item.utterance.path))
        writer.note_source(Source(*state, item.digest.hex(), source_hash(*state)))
    rows = writer.store.rows(b"".join(_key(item) for item in items)) if items else np.empty(0, np.int64)
    bar.update(int((rows >= 0).sum()))
    return [item for item, row in zip(items, rows, strict=True) if row < 0]


def _key(item: _Item) -> bytes:
    return entry_key(item.digest, item.utterance.start, item.utterance.end)


def _encode(
    encoder: FrameEncoder, writer: ShardWriter, batch: list[_Item], settings: ExtractionSettings, bar: Bar
) -> int:
    """Encode a batch into the store and return the number of its utterances."""
    if not batch:
        return 0
    waveforms = pad_sequence([item.waveform for item in batch], batch_first=True).to(settings.device)
    lengths = torch.tensor([len(item.waveform) for item in batch], device=waveforms.device)
    with torch.inference_mode():
        features, frames = encoder(waveforms, lengths)
    features = features.float().cpu()
    for item, frame_features, count in zip(batch, features, frames.tolist(), strict=True):
        utterance = item.utterance
        part = Part(utterance.id, os.fspath(utterance.path), utterance.start, utterance.end)
        writer.add(_key(item), frame_features[:count], part)
    bar.update(len(batch))
    return len(batch)
