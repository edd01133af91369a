"""How far speech is from a recording of the same words: spectrum and melody along a warping path."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.audio.pitch import load_world, melody
from emoquant.voice.alignment.warping import Path, warping_path

#: Settings of the analysis: 16 kHz, a frame every 5 ms, all-pass constant of the mel scale at 16 kHz.
RATE, STEP_MS, WARP = 16_000, 5.0, 0.42

_FRAMES = MelSettings.generspeech(hop=80)


class MelodySums(NamedTuple):
    """Comparison of two melodies along a warping path, as sums that add up over utterances.

    Attributes:
        squared_cents: Squared differences of frames that are voiced in both, in squared cents.
        both: Number of these frames.
        disagreements: Frames that are voiced in one only.
        frames: Frames of the path.
        correlation: Pearson correlation of the log F0 of frames voiced in both; NaN below three of them.
    """

    squared_cents: float
    both: int
    disagreements: int
    frames: int
    correlation: float


class Comparison(NamedTuple):
    """Distance of speech to a recording of the same words.

    Attributes:
        distortion: Mel-cepstral distortion, dB.
        melody: Differences of melody.
    """

    distortion: float
    melody: MelodySums


def mel_cepstra(waveform: Tensor, order: int = 24) -> np.ndarray:
    """Return mel-cepstra of WORLD's spectral envelope, ``(T, order + 1)`` float64; coefficient 0 is the level.

    Args:
        waveform: Samples at 16 kHz, ``(N,)``.
        order: Highest coefficient.

    Raises:
        ImportError: WORLD is not installed.
    """
    world, samples = load_world(), waveform.double().cpu().numpy()
    rough, times = world.dio(samples, RATE, f0_floor=60.0, frame_period=STEP_MS)
    fine = world.stonemask(samples, rough, times, RATE)
    envelope = world.cheaptrick(samples, fine, times, RATE)  # power
    cepstra = np.fft.irfft(np.log(np.maximum(envelope, 1e-16)) / 2, axis=1)
    half = cepstra.shape[1] // 2 + 1
    causal = cepstra[:, :half].copy()
    causal[:, 1 : half - 1] *= 2
    return causal @ _frequency_warp(half, order).T


@lru_cache(maxsize=4)
def _frequency_warp(length: int, order: int) -> np.ndarray:
    """Return the matrix ``(order + 1, length)`` that warps cepstra to the mel scale.

    Oppenheim's recursion for the all-pass transform (Oppenheim & Johnson 1972), run on every unit vector at once.
    """
    beta = 1 - WARP**2
    warped = np.zeros((order + 1, length))
    for column in range(length - 1, -1, -1):
        previous = warped.copy()
        unit = np.zeros(length)
        unit[column] = 1.0
        warped[0] = unit + WARP * previous[0]
        if order >= 1:
            warped[1] = beta * previous[0] + WARP * previous[1]
        for row in range(2, order + 1):
            warped[row] = previous[row - 1] + WARP * (previous[row] - warped[row - 1])
    return warped


def mel_cepstral_distortion(preds: Tensor, target: Tensor, order: int = 24, warp: bool = True) -> float:
    """Return the mel-cepstral distortion in dB, ``10 / ln 10 * sqrt(2 sum_k (c_k - c'_k)^2)`` over k = 1 ... order.

    Level (c_0) is left out; frames are paired by dynamic time warping. 0 for equal recordings. Figures of other
    variants (without warping, from mel filter banks) are lower or higher: compare only with the same.

    Args:
        preds: Samples at 16 kHz, ``(N,)``.
        target: Samples at 16 kHz, ``(M,)``.
        order: Highest coefficient.
        warp: Whether frames are paired by warping; otherwise frame by frame, as far as the shorter reaches.

    Raises:
        ImportError: WORLD is not installed.

    Reference:
        R. Kubichek: Mel-cepstral distance measure for objective speech quality assessment. PACRIM 1993.
    """
    ours, theirs = mel_cepstra(preds, order)[:, 1:], mel_cepstra(target, order)[:, 1:]
    shorter = min(len(ours), len(theirs))
    path = _path(ours, theirs) if warp else Path(np.arange(shorter), np.arange(shorter))
    return _distortion(ours, theirs, path)


def melody_errors(preds: Tensor, target: Tensor, warp: bool = True) -> MelodySums:
    """Return how far a melody is from that of a recording of the same words.

    Args:
        preds: Samples at 16 kHz, ``(N,)``.
        target: Samples at 16 kHz, ``(M,)``.
        warp: Whether frames are paired by warping; otherwise frame by frame, as for a recording after coding.

    Raises:
        ImportError: WORLD is not installed.
    """
    if warp:
        return compare_speech(preds, target).melody
    frames = np.arange(1 + min(len(preds), len(target)) // round(RATE * STEP_MS / 1000))
    return _compare_melodies(preds, target, Path(frames, frames))


def compare_speech(preds: Tensor, target: Tensor, order: int = 24) -> Comparison:
    """Return mel-cepstral distortion and errors of melody along one warping path, in half the time of both apart.

    Args:
        preds: Samples at 16 kHz, ``(N,)``.
        target: Samples at 16 kHz, ``(M,)``.
        order: Highest coefficient.

    Raises:
        ImportError: WORLD is not installed.
    """
    cepstra = mel_cepstra(preds, order)[:, 1:], mel_cepstra(target, order)[:, 1:]
    path = _path(*cepstra)
    return Comparison(_distortion(*cepstra, path), _compare_melodies(preds, target, path))


def _compare_melodies(preds: Tensor, target: Tensor, path: Path) -> MelodySums:
    ours, theirs = melody(preds, _FRAMES), melody(target, _FRAMES)
    first = torch.from_numpy(np.minimum(path.first, len(ours.f0) - 1))
    second = torch.from_numpy(np.minimum(path.second, len(theirs.f0) - 1))
    voiced, other = ours.voiced[first], theirs.voiced[second]
    both = voiced & other
    a, b = ours.f0[first][both].double().log2(), theirs.f0[second][both].double().log2()
    varied = len(a) > 2 and float(a.std()) > 0 and float(b.std()) > 0
    correlation = float(torch.corrcoef(torch.stack([a, b]))[0, 1]) if varied else math.nan
    squared = float((1200 * (a - b)).square().sum())
    return MelodySums(squared, int(both.sum()), int((voiced != other).sum()), len(first), correlation)


def _distortion(ours: np.ndarray, theirs: np.ndarray, path: Path) -> float:
    squared = ((ours[path.first] - theirs[path.second]) ** 2).sum(1)
    return float((10 / math.log(10) * np.sqrt(2 * squared)).mean())


def _path(ours: np.ndarray, theirs: np.ndarray) -> Path:
    return warping_path(np.asarray(torch.cdist(torch.from_numpy(ours), torch.from_numpy(theirs))))
