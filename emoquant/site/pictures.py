"""The mel spectrogram of a sound as a small PNG, and its fundamental frequency."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

#: Bands and highest frequency of the picture, seconds between its columns, decibels from its darkest to its lightest.
BANDS, HIGHEST, STEP, RANGE = 64, 8000.0, 0.01, 65.0
#: Seconds between values of the fundamental frequency.
F0_STEP = 0.02


def spectrogram(samples: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the mel spectrogram of a recording in dB below its loudest point, highest band first, ``(BANDS, T)``.

    Args:
        samples: ``(N,)``.
        sample_rate: Samples a second.
    """
    window, hop = 2 ** round(np.log2(0.032 * sample_rate)), round(STEP * sample_rate)
    padded = np.pad(samples.astype(np.float64), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)) ** 2
    bands = power @ _bank(window, sample_rate).T
    level = 10 * np.log10(np.maximum(bands, 1e-10))
    shown: npt.NDArray[np.float64] = (level - level.max()).T[::-1]
    return shown


def _bank(window: int, sample_rate: int) -> npt.NDArray[np.float64]:
    """Return triangular filters, ``(BANDS, window / 2 + 1)``, each of unit sum."""
    top = min(HIGHEST, sample_rate / 2)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + top / 700), BANDS + 2) / 2595) - 1)
    width = np.maximum(np.diff(edges), sample_rate / window)
    bins = np.fft.rfftfreq(window, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / width[:-1, None]
    falling = (edges[2:, None] - bins) / width[1:, None]
    bank = np.maximum(0, np.minimum(rising, falling))
    found: npt.NDArray[np.float64] = bank / np.maximum(bank.sum(1, keepdims=True), 1e-12)
    return found


def picture(levels: npt.NDArray[np.float64]) -> bytes:
    """Return levels as a PNG of black ink in 16 strengths on nothing, so that a page can show it dark or light.

    Args:
        levels: dB, 0 at the highest, ``(rows, columns)``.
    """
    ink = np.clip(np.round((1 + levels / RANGE) * 15), 0, 15).astype(np.uint8)
    image = Image.fromarray(ink, mode="P")
    image.putpalette(bytes(48))
    strengths = bytes(round(255 * (step / 15) ** 1.4) for step in range(16))
    whole = io.BytesIO()
    image.save(whole, "PNG", bits=4, transparency=strengths, compress_level=9)
    return whole.getvalue()


def f0_contour(samples: npt.NDArray[np.float32], sample_rate: int) -> list[int] | None:
    """Return the fundamental frequency every ``F0_STEP`` seconds, in Hz, 0 where unvoiced; None without WORLD."""
    try:
        import pyworld
    except ImportError:
        return None
    whole = samples.astype(np.float64)
    rough, times = pyworld.dio(whole, sample_rate, f0_floor=60.0, f0_ceil=750.0, frame_period=1000 * F0_STEP)
    return [round(float(value)) for value in pyworld.stonemask(whole, rough, times, sample_rate)]
