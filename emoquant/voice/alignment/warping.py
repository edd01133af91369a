"""Dynamic time warping: the path between two renderings of a sentence, and alignment by a synthetic voice."""

from typing import NamedTuple

import numpy as np
import soxr
import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.voice.alignment.alignment import Alignment, Span
from emoquant.voice.text.voices import spoken

#: Analysis for alignment: 8 ms steps, 40 bands.
_ANALYSIS = MelSettings.generspeech(n_fft=512, hop=128, window=400, mels=40, eps=1e-4)


#: Frames a second of that analysis.
FRAME_RATE = _ANALYSIS.frame_rate


class Path(NamedTuple):
    """Frames of two sequences that belong together.

    Attributes:
        first: Frame of the first sequence at each step, ``(S,)`` int64, never falling.
        second: Frame of the second sequence at each step, ``(S,)`` int64, never falling.
    """

    first: np.ndarray
    second: np.ndarray


def warping_path(cost: np.ndarray, penalty: float = 0.0) -> Path:
    """Return the path of least total cost from the first to the last frame of both sequences.

    Args:
        cost: Cost of pairing two frames, ``(T1, T2)``.
        penalty: Added to the cost of every step that moves along one sequence only.

    Raises:
        ValueError: A sequence has no frame, or a cost is not finite.

    Example:
        >>> path = warping_path(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]))
        >>> path.first.tolist(), path.second.tolist()
        ([0, 1, 2], [0, 0, 1])
    """
    rows, columns = cost.shape
    if not rows or not columns or not np.isfinite(cost).all():
        raise ValueError(f"expected finite costs of at least one frame by one frame, got shape {cost.shape}")
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):  # all cells with i + j = diagonal at once
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        along = np.minimum(total[i, j + 1], total[i + 1, j]) + penalty
        total[i + 1, j + 1] = cost[i, j] + np.minimum(total[i, j], along)
    i, j = rows, columns
    steps = [(i - 1, j - 1)]
    while (i, j) != (1, 1):
        options = [(total[i - 1, j - 1], i - 1, j - 1)]
        options += [(total[i - 1, j] + penalty, i - 1, j), (total[i, j - 1] + penalty, i, j - 1)]
        _, i, j = min(options, key=lambda option: option[0])
        steps.append((i - 1, j - 1))
    first, second = np.array(steps[::-1]).T
    return Path(first, second)


def align_by_voice(waveform: Tensor, text: str, voice: str = "en-us", rate: int = 170) -> Alignment:
    """Return when the phones (IPA) and words of a text are spoken, by comparison with espeak-ng's voice.

    The text is rendered with exact times, both renderings are compared by mel-cepstra, and the times are carried over
    the warping path. Works for every language of espeak-ng and always finds something; a wrong text is not noticed.

    Args:
        waveform: Samples at 16 kHz, ``(N,)``.
        text: What is said.
        voice: Voice of espeak-ng that speaks the language.
        rate: Words a minute of the rendering.

    Raises:
        RuntimeError: espeak-ng is not installed or has no such voice.
    """
    speech = spoken(text, voice, rate)
    rendered = soxr.resample(speech.samples.astype(np.float32) / 32768, speech.rate, _ANALYSIS.sample_rate)
    ours, theirs = cepstra(waveform), cepstra(torch.from_numpy(rendered))
    path = warping_path(np.asarray(torch.cdist(ours, theirs), np.float64), penalty=0.5)
    # Where the rendering rests on a frame of ours the middle counts: averages make the map a function.
    counts = np.bincount(path.second, minlength=len(theirs))
    at = np.bincount(path.second, weights=path.first, minlength=len(theirs)) / counts / FRAME_RATE
    end = len(waveform) / _ANALYSIS.sample_rate

    def carried(seconds: float) -> float:
        return float(min(np.interp(seconds * FRAME_RATE, np.arange(len(at)), at), end))

    phones = [Span(label, carried(start), carried(stop)) for label, start, stop in speech.phonemes]
    phones[0] = phones[0]._replace(start=0.0)
    phones[-1] = phones[-1]._replace(end=end)
    return Alignment(phones, [Span(label, carried(start), carried(stop)) for label, start, stop in speech.words])


def cepstra(waveform: Tensor, count: int = 13) -> Tensor:
    """Return what alignment hears: mel-cepstra with their slopes, every 8 ms.

    Args:
        waveform: Samples at 16 kHz, ``(N,)``.
        count: How many cepstra.

    Returns:
        Features of zero mean and unit variance over the recording, ``(T, 2 * count)`` float32.
    """
    mels = _ANALYSIS(waveform[None])[0]
    orders = torch.arange(count)[:, None] * (torch.arange(mels.shape[1]) + 0.5) * torch.pi / mels.shape[1]
    cepstra = mels @ torch.cos(orders).T
    slopes = torch.zeros_like(cepstra)
    if len(cepstra) > 4:
        slopes[2:-2] = cepstra[4:] - cepstra[:-4]
    both = torch.cat([cepstra, slopes], 1)
    return (both - both.mean(0)) / both.std(0).clamp_min(1e-3)
