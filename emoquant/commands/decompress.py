"""``emoquant decompress``: ``.emq`` files and archives back to frame features."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from emoquant.commands.compress_manifest import DecompressedRow, read_rows, write_rows
from emoquant.commands.sources import FRAMES, find_files, place_output, safe_path
from emoquant.storage.csv_files import append_csv
from emoquant.storage.files import refuse_pointer, write_whole

if TYPE_CHECKING:
    from emoquant.codecs.archive import Archive
    from emoquant.codecs.real_bits import RealBits

#: The table of what the command wrote, in the folder of the features.
MANIFEST = "decompressed.csv"


class _Item(NamedTuple):
    """An utterance to decode, where its features go, and how the manifest names them."""

    path: Path
    place: Path
    file: str
    read: Callable[[], bytes]

    def data(self) -> bytes:
        """Return its ``.emq`` bytes, also of an utterance in an archive."""
        from emoquant.codecs.bitstream import named

        with named(self.path):
            return self.read()


def decompress(
    input: Path,
    output: Path,
    codec: Path,
    device: str = "cpu",
    utterances: int = 128,
    overwrite: bool = False,
    progress: bool = True,
    allow_class: list[str] | None = None,
    options: dict[str, Any] | None = None,
) -> Path:
    """Turn .emq files back to frame features, one .npy file (T, D) float32 each, and return their folder.

    An interrupted run goes on where it was: features that ``decompressed.csv`` lists as decoded from the same bytes are
    left alone, those of other bytes are decoded anew. Every file is written whole or not at all.

    Args:
        input: Folder of .emq files (with subfolders), or one file. An archive among them gets a folder of its name;
            given alone, its utterances get their names in the output folder.
        output: Folder of the .npy files and of decompressed.csv.
        codec: Checkpoint of the codec that compressed them.
        device: Device of the codec.
        utterances: Utterances decoded side by side at most; fewer where they are long.
        overwrite: Decode everything, and write over features that the command did not make.
        allow_class: Modules outside the project whose classes the checkpoint may name; their code is run.
        progress: Whether a progress bar is shown.
        options: Settings of a transform codec other than its own, as they were given to compress.

    Raises:
        FileNotFoundError: An input or the checkpoint is missing.
        ValueError: A file is no .emq file, damaged, truncated, or of another codec, or there are features of its name
            that the command did not make; the message names it.
    """
    from tqdm import tqdm

    from emoquant.codecs import load_codec
    from emoquant.codecs.real_bits import require_real_bits

    if utterances < 1:
        raise ValueError(f"utterances must be at least 1, got {utterances}")
    files = find_files(input, [".emq"])
    loaded = load_codec(codec, allow_class=allow_class or (), options=options)
    trained = require_real_bits(loaded, "the .emq format").to(device)
    output.mkdir(parents=True, exist_ok=True)
    manifest = output / MANIFEST
    known = {row.file: row.source for row in read_rows(manifest, DecompressedRow)}
    write_rows(manifest, [DecompressedRow(*each) for each in known.items()], DecompressedRow)
    items = [item for path, relative in files for item in _items(path, relative.with_suffix(""), output, input)]
    _require_different(items)
    todo = [item for item in items if overwrite or _lacking(item, known)]
    with tqdm(total=len(todo), unit="utt", desc="decompress", disable=not progress) as bar:
        for batch in _batches(trained, todo, utterances):
            known |= _write(trained, batch, manifest)
            bar.update(len(batch))
    write_rows(manifest, [DecompressedRow(*each) for each in known.items()], DecompressedRow)
    return output


def _items(path: Path, name: PurePosixPath, output: Path, given: Path) -> list[_Item]:
    """Return the utterance of a file, or those of an archive: in a folder of its name unless it alone was given."""
    from emoquant.codecs.archive import is_archive, read_archive

    refuse_pointer(path)
    if not is_archive(path):
        return [_Item(path, place_output(output, name, ".npy"), f"{name}.npy", path.read_bytes)]
    archive = read_archive(path)
    items = []
    for number in range(len(archive)):
        own = safe_path(archive.names[number], path) if archive.names else PurePosixPath(f"{number:06d}")
        own = own if path == given else name / own
        items.append(_Item(path, place_output(output, own, ".npy"), f"{own}.npy", partial(_packed, archive, number)))
    return items


def _packed(archive: "Archive", number: int) -> bytes:
    from emoquant.codecs.bitstream import pack

    return pack(archive.packet(number))


def _require_different(items: Sequence[_Item]) -> None:
    seen: dict[str, _Item] = {}
    for item in items:
        other = seen.setdefault(item.file.casefold(), item)
        if other is not item:
            raise ValueError(f"{other.path} and {item.path} both hold {item.file}: decompress them to separate folders")


def _lacking(item: _Item, known: dict[str, str]) -> bool:
    """Return whether features are not there, or not those of the file as it is."""
    if not item.place.exists():
        return True
    if item.file not in known:
        raise ValueError(
            f"{item.place} is there, but was not decoded by this command: choose another folder or --overwrite=true"
        )
    return known[item.file] != _digest(item.data())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _batches(codec: "RealBits", items: Sequence[_Item], most: int) -> Iterator[list[tuple[_Item, bytes]]]:
    """Yield files with their bytes, ``most`` of them and :data:`FRAMES` frames at most, one file at least."""
    from emoquant.codecs.bitstream import named

    batch: list[tuple[_Item, bytes]] = []
    held = 0
    for item in items:
        data = item.data()
        with named(item.path):
            frames = codec.check(data).frames
        if batch and (len(batch) == most or held + frames > FRAMES):
            yield batch
            batch, held = [], 0
        batch.append((item, data))
        held += frames
    if batch:
        yield batch


def _write(codec: "RealBits", batch: Sequence[tuple[_Item, bytes]], manifest: Path) -> dict[str, str]:
    """Decode a batch: first it is noted that its files are being written, then they are, then of what they are."""
    import numpy as np

    decoded = codec.decompress_batch([data for _, data in batch])
    append_csv(manifest, [DecompressedRow(item.file) for item, _ in batch])
    for (item, _), features in zip(batch, decoded, strict=True):
        content = BytesIO()
        np.save(content, features.cpu().numpy())
        write_whole(item.place, content.getvalue())
    rows = [DecompressedRow(item.file, _digest(data)) for item, data in batch]
    append_csv(manifest, rows)
    return {row.file: row.source for row in rows}
