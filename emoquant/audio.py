"""Audio files as mono waveforms at one sample rate, with one clear error for each thing that can be wrong."""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

#: Samples at 16 kHz that the convolutions of emotion2vec need for their first frame.
SHORTEST = 400

#: Sizes in a RIFF header that a writer leaves who does not know the length (streaming).
_UNKNOWN_SIZES = {0, 0x7FFFFFFF, 0xFFFFFFFF}


class AudioError(ValueError):
    """An audio file that cannot be used: empty, truncated, unreadable, silent, not finite or too short."""


def read_audio(
    path: Path, start: float = 0.0, end: float | None = None, sample_rate: int = 16_000, shortest: int = SHORTEST
) -> Tensor:
    """Return a part of an audio file as mono samples ``(N,)`` float32, nominally in [-1, 1].

    Channels are averaged; another sample rate is resampled (soxr, high quality). Every format of libsndfile is read
    (wav, flac, ogg, opus, mp3, ...) in any sample width.

    Args:
        path: Audio file.
        start: Where the part begins, in seconds.
        end: Where it ends, in seconds; None for the end of the file.
        sample_rate: Samples a second of the result.
        shortest: Least samples of the result.

    Raises:
        FileNotFoundError: There is no such file.
        AudioError: The file is empty, unreadable or truncated, or the part lies outside it, is shorter than
            ``shortest``, silent (every sample zero) or has a sample that is NaN or infinite.
    """
    samples, rate = _decode(Path(path), start, end)
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: a sample is NaN or infinite; write the file again from its source")
    mono = samples.mean(axis=1, dtype=np.float32)
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate)
    if len(mono) < shortest:
        raise AudioError(
            f"{path}: too short: {len(mono)} samples at {sample_rate} Hz where at least {shortest} are needed; "
            "leave the utterance out of the manifest or widen its start and end"
        )
    if not mono.any():
        raise AudioError(f"{path}: silent: every sample from {start} s on is zero; leave it out or replace the file")
    return torch.from_numpy(np.ascontiguousarray(mono, dtype=np.float32))


def resampled(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """Return samples ``(N,)`` float32 on CPU at another rate (soxr, high quality); the same tensor where rates agree.

    Args:
        waveform: Samples, ``(N,)``.
        rate: Their rate.
        wanted: Rate of the result.
    """
    if rate == wanted:
        return waveform
    return torch.from_numpy(np.ascontiguousarray(soxr.resample(waveform.float().cpu().numpy(), rate, wanted)))


def audio_seconds(path: Path) -> float:
    """Return the length of an audio file in seconds, from its header.

    Raises:
        FileNotFoundError: There is no such file.
        AudioError: The file is empty or unreadable.
    """
    with _open(Path(path)) as sound:
        return float(sound.frames / sound.samplerate)


def _open(path: Path) -> soundfile.SoundFile:
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such audio file; check the corpus folder and the manifest") from None
    if size == 0:
        raise AudioError(f"{path}: empty: the file has no bytes; copy it again from its source")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(f"{path}: unreadable as audio ({error}); expected wav, flac, ogg, opus or mp3") from error


def _decode(path: Path, start: float, end: float | None) -> tuple[np.ndarray, int]:
    """Return samples ``(N, channels)`` float32 of a part of a file and their rate."""
    with _open(path) as sound:
        rate, frames = sound.samplerate, sound.frames
        if sound.format in ("WAV", "WAVEX"):
            with path.open("rb") as file:
                _check_riff(file, path)
        first = round(start * rate)
        last = frames if end is None else min(round(end * rate), frames)
        if frames == 0:
            raise AudioError(f"{path}: empty: the header is sound but there are no samples; copy the file again")
        if first < 0 or first >= last or (end is not None and end > frames / rate + 0.1):
            raise AudioError(
                f"{path}: the part from {start} s to {'the end' if end is None else f'{end} s'} is not inside the file "
                f"({frames / rate:.3f} s long); correct start and end in the manifest"
            )
        try:
            sound.seek(first)
            samples = sound.read(last - first, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{path}: truncated or damaged ({error}); copy the file again") from error
    if len(samples) < last - first:
        raise AudioError(f"{path}: truncated: {len(samples)} of {last - first} samples are there; copy the file again")
    return samples, rate


def _check_riff(file: BinaryIO, path: Path) -> None:
    """Compare the size of the data chunk with the file (libsndfile accepts a wav file that was cut)."""
    size = path.stat().st_size
    if file.read(4) != b"RIFF":
        return
    file.seek(12)
    while len(header := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", header)
        if name == b"data":
            missing = file.tell() + length - size
            if length not in _UNKNOWN_SIZES and missing > 0:
                raise AudioError(
                    f"{path}: truncated: {missing} of {length} bytes of samples are missing; copy it again"
                )
            return
        file.seek(length + length % 2, 1)
