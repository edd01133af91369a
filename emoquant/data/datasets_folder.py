"""Folders of Hugging Face's library ``datasets``: audio beside a table of metadata, or audio inside Parquet files."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emoquant.data.base import Utterance
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.records import SPLIT_NAMES
from emoquant.data.sheet import Sheet, csv_sheet, json_sheet, with_column
from emoquant.storage.files import refuse_pointer
from emoquant.storage.folders import whole_folder

_METADATA = ("metadata.csv", "metadata.jsonl")
#: First bytes of the audio that is taken out of a Parquet file, and the ending that its file gets.
_KINDS = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"\xff\xfb", ".mp3"))
#: Bytes at the end of a Parquet file that its content is known by: the footer has the statistics of every column.
_FOOTER = 1 << 20
#: How many times its size a file may hold, and bytes that any may.
_MOST_PACKED, _SMALL = 100, 1 << 26


class DatasetsFolder(ManifestCorpus):
    """A dataset with audio as it lies on a hub, in a folder: CAMEO, or one of your own.

    Two layouts are read. *Audio in files*: ``metadata.csv`` or ``metadata.jsonl`` with a column ``file_name``, in the
    folder or in one for each split (``train``, ``validation``, ``test``). *Parquet*: files such as
    ``data/train-00000-of-00002.parquet`` with a column of audio; :meth:`prepare` writes the audio into the cache, once
    (needs pyarrow). The split is the name of the folder or the beginning of the file's name, where it is one;
    ``splits`` says what others mean.

    Args:
        root: The folder.
        name: Name of the corpus; that of the folder by default.
        audio: Column of the audio in Parquet files.
        columns: Fields that have another name in the data, ``{"text": "transcription", "speaker": "speaker_id"}``.
        where: Columns and the value or values that a line must have to be taken.
        split: As in :class:`~emoquant.data.ManifestCorpus`; by default what the names say, if they are splits.
        seed: Chooses what is held out, where ``split`` asks for it.
        emotions: Names that :mod:`emoquant.labels` does not know, with what they mean.
        splits: Names of splits with what they mean, ``{"crema_d": "train"}``.
        cache_dir: Folder of the audio of Parquet files.
        trim: How many dB below its loudest 20 ms an utterance begins and ends; by default nothing is cut.

    Raises:
        ValueError: As for :class:`~emoquant.data.ManifestCorpus`.
    """

    def __init__(
        self,
        root: str,
        name: str | None = None,
        audio: str = "audio",
        columns: dict[str, str] | None = None,
        where: dict[str, str | int | float | bool | list[str | int | float | bool]] | None = None,
        split: str | None = None,
        seed: int = 0,
        emotions: dict[Any, str] | None = None,
        splits: dict[Any, str] | None = None,
        cache_dir: str = ".cache/emoquant",
        trim: float | None = None,
    ) -> None:
        fields = {"path": "file_name", **(columns or {})}
        more = {"emotions": emotions, "splits": splits, "trim": trim, "seed": seed}
        super().__init__(root, root, name or Path(root).name, where, fields, split, **more)  # type: ignore[arg-type]
        self.folder, self.audio = Path(root), audio
        self.cache = Path(cache_dir) / "datasets" / self.name

    def prepare(self) -> None:
        """Write the audio of Parquet files into the cache, one folder a file; what is there is kept."""
        for path in self._parquet_files():
            if not self._audio_of(path).is_dir():
                _write_audio(path, self.audio, self._audio_of(path))

    def utterances(self) -> Sequence[Utterance]:
        """Return the utterances, file by file; see the base class.

        Raises:
            ImportError: The data are Parquet files, and pyarrow is not installed.
        """
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder}: no such folder; expected a dataset as it lies on a hub")
        if not self._tables() and not self._parquet_files():
            raise FileNotFoundError(
                f"{self.folder}: neither {' nor '.join(_METADATA)} nor Parquet files in it; expected a dataset as it "
                "lies on a hub"
            )
        self.root = self.folder if self._tables() else self.cache
        return self._checked()

    def _tables(self) -> list[Path]:
        places = [self.folder, *sorted(path for path in self.folder.iterdir() if path.is_dir())]
        return [place / name for place in places for name in _METADATA if (place / name).is_file()]

    def _parquet_files(self) -> list[Path]:
        return [] if not self.folder.is_dir() or self._tables() else sorted(self.folder.rglob("*.parquet"))

    def _sheets(self) -> Iterator[Sheet]:
        for path in self._tables():
            wanted = {*self.columns.values(), *self.where}
            sheet = csv_sheet(path, wanted) if path.suffix == ".csv" else json_sheet(path)
            inside = "" if path.parent == self.folder else path.parent.name
            yield self._with_split(_in_folder(sheet, self.columns["path"], inside), inside)
        for path in self._parquet_files():
            yield self._with_split(self._parquet_sheet(path), path.name.split("-")[0].removesuffix(".parquet"))

    def _with_split(self, sheet: Sheet, name: str) -> Sheet:
        """Return a table with its split, where its name is one and it has no column of its own."""
        known = name.lower() in SPLIT_NAMES or name in self.splits
        if self.columns["split"] in sheet.header or not known:
            return sheet
        return with_column(sheet, self.columns["split"], name)

    def _parquet_sheet(self, path: Path) -> Sheet:
        parquet = _parquet_file(path, self.audio)
        header = [name for name in parquet.schema_arrow.names if name not in (self.audio, self.columns["path"])]
        with _reading(path):
            table = parquet.read(header)
            columns = [table.column(column).to_pylist() for column in header]
        names = _class_names((parquet.schema_arrow.metadata or {}).get(b"huggingface", b""))
        place = self._audio_of(path)
        if not place.is_dir():
            raise FileNotFoundError(f"{path}: its audio is not in {place} yet; prepare() writes it")
        files = {int(file.stem): file.name for file in place.iterdir() if file.stem.isdecimal()}

        def lines() -> Iterator[tuple[int, list[str]]]:
            for row in range(table.num_rows):
                cells = [_cell(values[row], names.get(column)) for column, values in zip(header, columns, strict=True)]
                yield row + 1, [*cells, f"{place.name}/{files.get(row, f'{row}.wav')}"]

        return Sheet(path, [*header, self.columns["path"]], lines())

    def _audio_of(self, path: Path) -> Path:
        """Return the folder of a Parquet file's audio, which its content names."""
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - _FOOTER))
            digest = hashlib.sha256(f"{size}:{self.audio}:".encode() + file.read()).hexdigest()
        return self.cache / f"{path.stem}-{digest[:12]}"


def _cell(value: object, names: Sequence[str] | None) -> str:
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return "" if value is None else str(value)


def _in_folder(sheet: Sheet, column: str, folder: str) -> Sheet:
    """Return a table whose paths begin with a folder."""
    if not folder or column not in sheet.header:
        return sheet
    at = sheet.header.index(column)

    def placed(cells: list[str]) -> list[str]:
        return [*cells[:at], *(f"{folder}/{cell}" for cell in cells[at : at + 1]), *cells[at + 1 :]]

    return Sheet(sheet.file, sheet.header, ((number, placed(cells)) for number, cells in sheet.lines))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises of a damaged file into one error that names it."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet: {str(error).partition(chr(10))[0]}") from None


def _parquet_file(path: Path, audio: str) -> Any:  # noqa: ANN401 - pyarrow's, which may be missing
    """Open a Parquet file that has a column of audio."""
    refuse_pointer(path)
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(f"{path}: Parquet needs pyarrow: pip install -e '.[datasets]'") from error
    with _reading(path):
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        claimed = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
    if claimed > _MOST_PACKED * path.stat().st_size + _SMALL:
        raise ValueError(
            f"{path}: says that it holds {claimed} bytes, which is more than such a file can: fetch it again"
        )
    if audio not in names:
        raise ValueError(f"{path}: no column {audio!r} of audio; it has {names}: name it, audio: COLUMN")
    return file


def _class_names(stored: bytes) -> dict[str, Sequence[str]]:
    """Return the names of classes by column, as the library ``datasets`` stores them; none where it stored nothing."""
    try:
        features = json.loads(stored)["info"]["features"]
        found = {name: feature.get("names") for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    lists = {name: names for name, names in found.items() if isinstance(names, list)}
    return {name: names for name, names in lists.items() if all(isinstance(each, str) for each in names)}


def _write_audio(path: Path, column: str, folder: Path) -> None:
    """Write the audio of every row of a Parquet file, ``0.wav``, ``1.wav``, ..., all or none."""
    batches = _parquet_file(path, column).iter_batches(64, columns=[column])
    with whole_folder(folder.absolute()) as partial:
        row = 0
        while True:
            with _reading(path):
                batch = next(batches, None)
                values = [] if batch is None else batch.column(0).to_pylist()
            if not values:
                return
            for value in values:
                content = value.get("bytes") if isinstance(value, dict) else value
                if not isinstance(content, bytes) or not content:
                    raise ValueError(f"{path}, row {row + 1}: {column!r} holds no audio; name it, audio: COLUMN")
                ending = next((ending for head, ending in _KINDS if content.startswith(head)), ".wav")
                (partial / f"{row}{ending}").write_bytes(content)
                row += 1
