"""Loudness of a recording as broadcasters measure it (ITU-R BS.1770), so that clips can be heard at one level."""

import math

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

#: Length of a block and its step, in seconds; blocks below the gate, in LUFS, are taken for silence.
BLOCK, STEP, GATE = 0.4, 0.1, -70.0


def loudness(samples: npt.NDArray[np.float32], sample_rate: int) -> float:
    """Return the integrated loudness of a mono recording, in LUFS; minus infinity for silence.

    The samples are K-weighted (a high shelf, then a high-pass filter), and the power of
    overlapping blocks is averaged over those that are not silence and not 10 LU below the average of the others. A
    recording shorter than a block is one block.

    Args:
        samples: ``(N,)`` in [-1, 1].
        sample_rate: Samples a second.

    Raises:
        ValueError: There are no samples, or more than one channel.

    Reference:
        ITU-R BS.1770-5: Algorithms to measure audio programme loudness and true-peak audio level. 2023.

    Example:
        >>> tone = np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000).astype(np.float32)
        >>> round(loudness(tone, 48_000), 1)
        -3.0
    """
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"expected the samples (N,) of a mono recording, got an array of shape {samples.shape}")
    block, step = min(round(BLOCK * sample_rate), len(samples)), max(1, round(STEP * sample_rate))
    total = np.concatenate([[0.0], np.cumsum(_weighted(samples, sample_rate) ** 2)])
    starts = np.arange(0, len(samples) - block + 1, step)
    power = (total[starts + block] - total[starts]) / block
    power = power[power > _power(GATE)]
    if not len(power):
        return -math.inf
    loud = power[power > power.mean() / 10]
    return float(10 * np.log10(loud.mean()) - 0.691)


def _power(level: float) -> float:
    return float(10 ** ((level + 0.691) / 10))


def _weighted(samples: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the K-weighted samples."""
    turn, quality, gain = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196, 3.999843853973347
    high, middle = 10 ** (gain / 20), 10 ** (gain / 20 * 0.4996667741545416)
    above = high + middle * turn / quality + turn**2, 2 * (turn**2 - high), high - middle * turn / quality + turn**2
    shelved = lfilter(above, _poles(turn, quality), samples.astype(np.float64))
    below = _poles(math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773)
    passed: npt.NDArray[np.float64] = lfilter((below[0], -2 * below[0], below[0]), below, shelved)
    return passed


def _poles(turn: float, quality: float) -> tuple[float, float, float]:
    return 1 + turn / quality + turn**2, 2 * (turn**2 - 1), 1 - turn / quality + turn**2
