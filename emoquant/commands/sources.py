"""What a command reads: feature and audio files of a folder, each with a safe name for its output."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from emoquant.audio.containers import AUDIO_SUFFIXES
from emoquant.devices.sharding import by_length
from emoquant.storage.files import refuse_pointer, say_left_out

if TYPE_CHECKING:
    from torch import Tensor

    from emoquant.encoders.base import FrameEncoder

FEATURE_SUFFIXES = (".npy", ".safetensors")

#: Endings of files that lie beside what is read, and of what commands write there.
_BESIDE = (".emq", ".npy", ".csv", ".json", ".txt", ".md")
#: Frames of a batch at most, one utterance at least.
FRAMES = 50_000
#: Seconds of audio, padding included, that go through the encoder at once; one utterance at least.
SECONDS = 60.0


class Source(NamedTuple):
    """One utterance to read.

    Attributes:
        path: The file.
        key: Name of the tensor in a safetensors file; empty for other files.
        name: Name of what is made of it, relative to the output folder and without suffix.
    """

    path: Path
    key: str
    name: PurePosixPath

    def __str__(self) -> str:
        return f"{self.path}[{self.key}]" if self.key else str(self.path)


def find_files(given: Path, suffixes: Sequence[str]) -> list[tuple[Path, PurePosixPath]]:
    """Return files with their paths relative to a folder, sorted; hidden files and folders are left out.

    Folders behind a link, links that lead nowhere and files of other kinds are left out, too, and named in a warning;
    tables, texts and what commands write beside files are passed over.

    Args:
        given: A folder, searched with its subfolders, or one file.
        suffixes: Endings to look for, lower case.

    Raises:
        FileNotFoundError: There is no such file or folder, or nothing of these kinds in it.
    """
    if given.is_file():
        return [(given, PurePosixPath(given.name))]
    if not given.is_dir():
        raise FileNotFoundError(f"{given}: no such file or folder")
    found, left_out = [], []
    for path in given.rglob("*"):
        relative, suffix = path.relative_to(given), path.suffix.lower()
        if any(part.startswith(".") for part in relative.parts) or (path.is_dir() and not path.is_symlink()):
            continue
        if suffix in suffixes and path.is_file():
            found.append((path, PurePosixPath(relative.as_posix())))
        elif suffix not in _BESIDE or path.is_symlink():
            left_out.append(relative.as_posix())
    say_left_out(given, sorted(left_out), f"links, or files that do not end in {', '.join(suffixes)}")
    if not found:
        raise FileNotFoundError(
            f"{given}: nothing to read in this folder; expected files ending in {', '.join(suffixes)}"
        )
    return sorted(found, key=lambda each: each[1].as_posix())


def find_sources(given: Path) -> list[Source]:
    """Return the utterances of a folder or file: each .npy or audio file, and each tensor of a .safetensors file.

    Raises:
        FileNotFoundError: There is nothing to read.
        ValueError: A file is of another kind or damaged, a tensor's name is not safe as a file name, or two utterances
            would get the same output.
    """
    sources = []
    for path, relative in find_files(given, FEATURE_SUFFIXES + AUDIO_SUFFIXES):
        suffix = path.suffix.lower()
        if suffix not in FEATURE_SUFFIXES + AUDIO_SUFFIXES:
            raise ValueError(f"{path}: expected a file ending in {', '.join(FEATURE_SUFFIXES + AUDIO_SUFFIXES)}")
        stem = relative.with_suffix("")
        keys = _keys(path) if suffix == ".safetensors" else [""]
        sources += [Source(path, key, stem / check_name(key, path) if key else stem) for key in keys]
    seen: dict[str, Source] = {}
    for source in sources:
        other = seen.setdefault(source.name.as_posix().casefold(), source)
        if other is not source:
            raise ValueError(f"{other} and {source} would get the same output; rename one or use separate folders")
    return sources


def check_name(name: str, path: Path) -> str:
    """Return a name that comes from inside a file, if it is safe as a file name.

    Raises:
        ValueError: It holds a path separator or a control character, is hidden, empty or longer than 200 bytes.

    Example:
        >>> check_name("0011_000351", Path("shard.safetensors"))
        '0011_000351'
    """
    unsafe = set(name) & set('/\\:*?"<>|') or any(not character.isprintable() for character in name)
    if unsafe or not name or name.startswith(".") or len(name.encode("utf-8", "surrogatepass")) > 200:
        raise ValueError(f"{path} names an utterance {name!r}, which is not safe as a file name; rename it")
    return name


def safe_path(name: str, path: Path) -> PurePosixPath:
    """Return a name with folders that comes from inside a file, if each of its parts is safe (:func:`check_name`).

    Raises:
        ValueError: One is not.

    Example:
        >>> str(safe_path("0011/0011_000351", Path("corpus.emq")))
        '0011/0011_000351'
    """
    return PurePosixPath(*(check_name(part, path) for part in name.split("/")))


def place_output(folder: Path, name: PurePosixPath, suffix: str) -> Path:
    """Return the path of an output and make its folder.

    Raises:
        ValueError: The path would lie outside the output folder, by its name or by a symbolic link on the way.
    """
    root = folder.resolve()
    path = root / (str(name) + suffix)
    if ".." in name.parts or name.is_absolute() or not path.parent.resolve().is_relative_to(root):
        raise ValueError(f"{name}{suffix} would be written outside {folder}; remove the link or rename the file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def source_digest(source: Source) -> str:
    """Return the SHA-256 of what an utterance is read from: of the file, or of the tensor in a safetensors file.

    Raises:
        FileNotFoundError: The file is gone.
        ValueError: It is damaged.
    """
    with _reading(source):
        if source.key:
            import torch
            from safetensors import safe_open

            with safe_open(source.path, framework="pt") as file:
                tensor = file.get_tensor(source.key).contiguous()
            found = hashlib.sha256(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
            found.update(tensor.reshape(-1).view(torch.uint8).numpy())
            return found.hexdigest()
        with source.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()


def require_encoder(sources: Sequence[Source], encoder: "FrameEncoder | None") -> None:
    """Check that there is an encoder for audio.

    Raises:
        ValueError: There is audio and no encoder.
    """
    audio = next((source for source in sources if _is_audio(source)), None)
    if audio is not None and encoder is None:
        raise ValueError(f"{audio.path} is audio: name an encoder (--encoder DIRECTORY) to turn it to features")


def read_features(sources: Sequence[Source], encoder: "FrameEncoder | None") -> "list[Tensor]":
    """Return the frame features ``(T, D)`` float32 of utterances; audio goes through the encoder.

    Raises:
        FileNotFoundError: A file is gone.
        ValueError: A file is damaged or of another kind, or there is audio and no encoder.
    """
    require_encoder(sources, encoder)
    return _as_features([_read(source, encoder) for source in sources], encoder)


def read_batches(
    sources: Sequence[Source], encoder: "FrameEncoder | None", most: int, trim: float | None = None
) -> "Iterator[list[tuple[Source, Tensor]]]":
    """Yield utterances with their frame features ``(T, D)`` float32 in batches that fit into memory, in their order.

    Args:
        sources: The utterances.
        encoder: Turns audio to features.
        most: Utterances of a batch at most; their frames are at most :data:`FRAMES`, or it is a single one.
        trim: How many dB below its loudest 20 ms audio is cut at both ends; None to cut nothing.

    Raises:
        FileNotFoundError: A file is gone.
        ValueError: A file is damaged or of another kind, or there is audio and no encoder.
    """
    require_encoder(sources, encoder)
    batch: list[Source] = []
    held: list[Tensor] = []
    frames = 0.0
    for source in sources:
        found = _read(source, encoder, trim)
        rate = encoder.frame_rate / encoder.sample_rate if encoder is not None and found.ndim == 1 else 1.0
        if batch and (len(batch) == most or frames + rate * len(found) > FRAMES):
            yield list(zip(batch, _as_features(held, encoder), strict=True))
            batch, held, frames = [], [], 0.0
        batch.append(source)
        held.append(found)
        frames += rate * len(found)
    if batch:
        yield list(zip(batch, _as_features(held, encoder), strict=True))


def _is_audio(source: Source) -> bool:
    return source.path.suffix.lower() in AUDIO_SUFFIXES


def _as_features(found: "Sequence[Tensor]", encoder: "FrameEncoder | None") -> "list[Tensor]":
    """Return features ``(T, D)`` as they are, and waveforms ``(N,)`` after the encoder: :data:`SECONDS` at once."""
    import torch

    if encoder is None:
        return list(found)
    features = dict(enumerate(found))
    audio = [i for i, each in features.items() if each.ndim == 1]
    for part in by_length([len(found[i]) for i in audio], SECONDS * encoder.sample_rate):
        chosen = [audio[place] for place in part]
        waveforms = [found[i] for i in chosen]
        lengths = torch.tensor([len(each) for each in waveforms])
        with torch.inference_mode():
            coded, frames = encoder(torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True), lengths)
        for i, each, end in zip(chosen, coded, frames.tolist(), strict=True):
            features[i] = each[:end].float().clone()
    return [features[i] for i in range(len(found))]


def _read(source: Source, encoder: "FrameEncoder | None", trim: float | None = None) -> "Tensor":
    """Return the features ``(T, D)`` of an utterance, or the waveform ``(N,)`` of audio."""
    if encoder is not None and _is_audio(source):
        from emoquant.audio.loading import read_audio
        from emoquant.audio.trimming import trimmed

        return trimmed(read_audio(source.path, sample_rate=encoder.sample_rate), encoder.sample_rate, trim)
    import numpy as np
    import torch
    from safetensors import safe_open

    refuse_pointer(source.path)
    with _reading(source):
        if source.key:
            with safe_open(source.path, framework="pt") as file:
                features = file.get_tensor(source.key)
        else:
            found = np.load(source.path, mmap_mode="r", allow_pickle=False)
            if not isinstance(found, np.ndarray):
                raise ValueError("an archive of several arrays (.npz)")
            features = torch.from_numpy(np.array(found))
    if features.ndim != 2 or not features.is_floating_point():
        kind = f"{tuple(features.shape)} {features.dtype}"
        raise ValueError(f"{source}: expected frame features (T, D) in floating point, got {kind}")
    return features.float()


@contextmanager
def _reading(source: Source) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into an error that names it."""
    from tokenize import TokenError  # what numpy lets through of a damaged header
    from zipfile import BadZipFile

    from safetensors import SafetensorError

    broken = (SafetensorError, ValueError, TypeError, EOFError, SyntaxError, TokenError, MemoryError, BadZipFile,
              AttributeError)  # fmt: skip
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"{source.path}: the file is gone") from None
    except broken as error:
        raise ValueError(f"{source}: cannot be read as frame features ({error}); write the file again") from error


def _keys(path: Path) -> list[str]:
    from safetensors import SafetensorError, safe_open

    refuse_pointer(path)
    try:
        with safe_open(path, framework="pt") as file:
            return sorted(file.keys())
    except SafetensorError as error:
        raise ValueError(f"{path}: cannot be read as safetensors ({error}); copy the file again") from error
