"""Audio files as mono waveforms at one sample rate, with one clear error for each thing that can be wrong."""

from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor

from emoquant.audio.decoding import AudioError, audio_seconds, decode_audio

__all__ = ["SHORTEST", "AudioError", "audio_seconds", "read_audio", "resampled"]

#: Samples at 16 kHz that the convolutions of emotion2vec need for their first frame.
SHORTEST = 400


def read_audio(
    path: Path, start: float = 0.0, end: float | None = None, sample_rate: int = 16_000, shortest: int = SHORTEST
) -> Tensor:
    """Return a part of an audio file as mono samples ``(N,)`` float32, nominally in [-1, 1].

    Channels are averaged; another sample rate is resampled (soxr, high quality). Formats are those of
    :data:`~emoquant.audio.containers.FORMATS` (wav, flac, ogg, opus, mp3, ...). Files are decoded in
    blocks, so that memory goes by the samples that are there, not by those that a header claims.

    Args:
        path: Audio file.
        start: Where the part begins, in seconds.
        end: Where it ends, in seconds; None for the end of the file.
        sample_rate: Samples a second of the result.
        shortest: Least samples of the result.

    Raises:
        FileNotFoundError: There is no such file.
        AudioError: The file is empty, unreadable or truncated, has more channels or another sampling rate than audio
            has, or the part lies outside it, is shorter than ``shortest``, longer than
            :data:`~emoquant.audio.decoding.MOST_SAMPLES`, silent (every sample zero), or has a NaN or infinite sample.
    """
    try:
        mono, rate = decode_audio(Path(path), start, end)
    except MemoryError as error:
        raise AudioError(f"{path}: too long for the memory; give its parts a start and an end") from error
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
