"""Audio files decoded to mono at their own rate, with one clear error for each thing that can be wrong with a file."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile

from emoquant.audio.containers import FORMATS, check_size
from emoquant.storage.files import pointer_remedy

#: Samples a second and channels that a header may claim.
RATES, MOST_CHANNELS = (4_000, 768_000), 32
#: Samples a channel that are read at once at most (9 hours at 16 kHz), those of a block that is decoded in one piece,
#: and a number of them from which on the header does not know it.
MOST_SAMPLES, _BLOCK, _UNKNOWN = 2**29, 2**16, 2**62


class _Stream(soundfile.SoundFile):
    """Audio that is read from front to back: no block ends with a seek, which some formats refuse."""

    def seekable(self) -> bool:
        return False


class AudioError(ValueError):
    """An audio file that cannot be used: empty, truncated, unreadable, silent, not finite, too short or too long."""


def audio_seconds(path: Path) -> float:
    """Return the length of an audio file in seconds, from its header.

    Raises:
        FileNotFoundError: There is no such file.
        AudioError: The file is empty, unreadable, truncated or longer than is read at once.
    """
    with _open(Path(path)) as sound:
        frames = sound.frames
        if frames >= _UNKNOWN:
            frames = sum(len(block) for block in _blocks(sound, Path(path), MOST_SAMPLES + 1))
        _check_length(Path(path), frames, sound.samplerate)
        return float(frames / sound.samplerate)


@contextmanager
def _open(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open an audio file whose header is sound."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such audio file; check the corpus folder and the manifest") from None
    except (OSError, ValueError) as error:  # a name that is too long or holds a zero byte
        raise AudioError(f"{path}: cannot be opened ({error}); check the manifest") from error
    if size == 0:
        raise AudioError(f"{path}: empty: the file has no bytes; copy it again from its source")
    if remedy := pointer_remedy(path):
        raise AudioError(f"{path}: {remedy}")
    try:
        corrected = check_size(path)
    except ValueError as error:
        raise AudioError(f"{path}: truncated: {error}; copy it again") from None
    except OSError:
        corrected = None  # a folder; libsndfile says so
    try:
        sound = _Stream(corrected or path)
    except (soundfile.LibsndfileError, OSError, ValueError) as error:
        raise AudioError(f"{path}: unreadable as audio ({error}); expected wav, flac, ogg, opus or mp3") from error
    with corrected or nullcontext(), sound:
        if sound.format not in FORMATS:
            raise AudioError(
                f"{path}: {sound.format_info} is not read; expected wav, flac, ogg, opus or mp3: convert it"
            )
        if not RATES[0] <= sound.samplerate <= RATES[1] or not 1 <= sound.channels <= MOST_CHANNELS:
            raise AudioError(
                f"{path}: the header says {sound.samplerate} samples a second and {sound.channels} channels; expected "
                f"{RATES[0]} to {RATES[1]} and 1 to {MOST_CHANNELS}: write the file again from its source"
            )
        yield sound


def _check_length(path: Path, samples: int, rate: int) -> None:
    if samples > MOST_SAMPLES:
        raise AudioError(
            f"{path}: too long: {samples} samples ({samples / rate / 3600:.0f} hours) where at most {MOST_SAMPLES} are "
            "read at once; give its parts a start and an end, or copy it again if it is shorter"
        )


def decode_audio(path: Path, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, int]:
    """Return a part of an audio file at its own rate: the mean of the channels ``(N,)`` float32, and samples a second.

    Args:
        path: Audio file.
        start: Where the part begins, in seconds.
        end: Where it ends, in seconds; None for the end of the file.

    Raises:
        FileNotFoundError: There is no such file.
        AudioError: The file is empty, unreadable or truncated, has more channels or another sampling rate than audio
            has, or the part lies outside it, is longer than :data:`MOST_SAMPLES` or has a sample that is NaN or
            infinite.
    """
    with _open(path) as sound:
        rate, frames = sound.samplerate, sound.frames
        if frames == 0:
            raise AudioError(f"{path}: empty: the header is sound but there are no samples; copy the file again")
        first = round(start * rate)
        last = frames if end is None else min(round(end * rate), frames)
        if first < 0 or first >= last or (end is not None and end > frames / rate + 0.1):
            raise AudioError(
                f"{path}: the part from {start} s to {'the end' if end is None else f'{end} s'} is not inside the file "
                f"({frames / rate:.3f} s long); correct start and end in the manifest"
            )
        unknown = last >= _UNKNOWN
        if not unknown:
            _check_length(path, last - first, rate)
        if first:
            _skip(sound, path, first)
        wanted = MOST_SAMPLES + 1 if unknown else last - first
        blocks = list(_blocks(sound, path, wanted))
    samples = np.concatenate([np.empty(0, np.float32), *blocks])
    _check_length(path, len(samples), rate)
    if len(samples) < wanted and not unknown:
        raise AudioError(f"{path}: truncated: {len(samples)} of {wanted} samples are there; copy the file again")
    return samples, rate


def _skip(sound: soundfile.SoundFile, path: Path, count: int) -> None:
    try:
        sound.seek(count)
    except soundfile.LibsndfileError:  # a format that cannot (GSM)
        for _ in _blocks(sound, path, count):
            pass


def _blocks(sound: soundfile.SoundFile, path: Path, count: int) -> Iterator[np.ndarray]:
    """Yield the next samples, channels averaged, until so many are read or the file ends."""
    while count > 0:
        try:
            block = sound.read(min(count, _BLOCK), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioError(f"{path}: truncated or damaged ({error}); copy the file again") from error
        if not len(block):
            return
        if not np.isfinite(block).all():
            raise AudioError(f"{path}: a sample is NaN or infinite; write the file again from its source")
        yield block.mean(axis=1, dtype=np.float32)
        count -= len(block)
