"""Cutting a recording to its speech by level: what lies far below the loudest part at both ends goes."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

#: How far below the loudest 20 ms speech begins and ends, in dB.
TRIM = 30.0
#: Length of the stretches whose level counts, and from one to the next, in seconds.
_WINDOW, _HOP = 0.02, 0.01
#: How far above the quietest stretches and below the loudest one noise is taken to end, in dB.
_ABOVE_NOISE, _LEAST = 4.0, 18.0
#: Shortest span that is taken for speech, in seconds; it holds a few frames of any encoder.
_SHORTEST = 0.1
#: Power of the least bit of 16 bits, so that digital silence has a level.
_FLOOR = 2.0**-30


def speech_span(samples: np.ndarray[Any, Any], sample_rate: int, below: float = TRIM) -> tuple[int, int]:
    """Return where speech begins and ends in a recording, as samples ``(start, end)``.

    A stretch of 20 ms belongs to speech if it is at most ``below`` dB softer than the loudest. Where the recording is
    noisy that would be all of it: stretches must also be 4 dB above the quietest ones (2nd percentile), as far as
    that asks for no more than 18 dB below the loudest. Nothing is kept around speech. A recording whose speech would
    be shorter than 0.1 s (silence, a click) is kept whole.

    Args:
        samples: Mono samples, ``(N,)``, on any scale.
        sample_rate: Samples a second.
        below: The threshold in dB, positive.

    Raises:
        ValueError: The threshold is not positive.

    Example:
        >>> tone = np.sin(np.arange(16_000))
        >>> speech_span(np.concatenate([np.zeros(8_000), tone, np.zeros(4_000)]), 16_000)
        (7840, 24160)
    """
    require_threshold(below)
    whole = 0, len(samples)
    window, hop = round(_WINDOW * sample_rate), round(_HOP * sample_rate)
    if len(samples) < _SHORTEST * sample_rate:
        return whole
    power = np.square(samples - np.mean(samples, dtype=np.float64), dtype=np.float64)
    ends = np.concatenate([[0.0], np.cumsum(power)])
    begins = np.arange(0, len(samples) - window + 1, hop)
    level = 10 * np.log10((ends[begins + window] - ends[begins]) / window + _FLOOR)
    loudest = level.max()
    threshold = max(loudest - below, min(np.percentile(level, 2) + _ABOVE_NOISE, loudest - _LEAST))
    loud = begins[level >= threshold]
    start, end = int(loud[0]), min(int(loud[-1]) + window, len(samples))
    if loud[-1] == begins[-1]:  # what is left of the last window is no silence of its own
        end = len(samples)
    return (start, end) if end - start >= _SHORTEST * sample_rate else whole


def trimmed(waveform: "Tensor", sample_rate: int, below: float | None = TRIM) -> "Tensor":
    """Return a waveform ``(N,)`` from where speech begins to where it ends (:func:`speech_span`); whole if None."""
    if below is None:
        return waveform
    start, end = speech_span(waveform.numpy(), sample_rate, below)
    return waveform[start:end]


def require_threshold(below: float | None) -> None:
    """Check a threshold of trimming; None, which cuts nothing, is one.

    Raises:
        ValueError: It is not positive (or not a number).
    """
    if below is not None and not below > 0:
        raise ValueError(f"trim is {below}, expected how many dB below the loudest 20 ms speech ends, such as {TRIM:g}")
