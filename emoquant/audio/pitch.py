"""The fundamental frequency (F0) at the frames of a mel spectrogram, by WORLD."""

from types import ModuleType
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings

#: Step of the analysis in milliseconds, before it is read at the centres of the mel frames.
_STEP = 5.0


class Melody(NamedTuple):
    """Fundamental frequency of one utterance.

    Attributes:
        f0: Hz, interpolated through unvoiced frames (log scale), ``(T,)`` float32; zeros where nothing is voiced.
        voiced: Whether a frame is voiced, ``(T,)`` bool.
    """

    f0: Tensor
    voiced: Tensor


def melody(
    waveform: Tensor,
    mel: MelSettings,
    floor: float = 60.0,
    ceiling: float = 750.0,
    method: Literal["dio", "harvest"] = "dio",
) -> Melody:
    """Estimate the F0 of an utterance at the centres of its mel frames, refined by StoneMask.

    Args:
        waveform: Samples at the mel's rate, ``(N,)``.
        mel: Settings whose frames are meant.
        floor: Lowest F0 in Hz; 80 loses low male voices.
        ceiling: Highest F0 in Hz.
        method: ``"dio"`` is quick. ``"harvest"``, for noisy recordings, takes some 40 times as long; since it hears
            voice in nearly everything, a frame is voiced only if the aperiodicity test of D4C agrees.

    Raises:
        ImportError: The package ``pyworld-prebuilt`` is not installed.
        ValueError: The range of F0 is empty or the method is unknown.

    Reference:
        M. Morise, F. Yokomori, K. Ozawa: WORLD: a vocoder-based high-quality speech synthesis system for real-time
        applications. IEICE Trans. Inf. Syst. E99-D (7), 2016, 1877-1884.
    """
    if not 0 < floor < ceiling or method not in ("dio", "harvest"):
        raise ValueError(f"expected 0 < floor < ceiling in Hz and dio or harvest, not {floor}, {ceiling}, {method!r}")
    world = load_world()
    samples, rate = waveform.double().cpu().numpy(), mel.sample_rate
    search = world.dio if method == "dio" else world.harvest
    rough, times = search(samples, rate, f0_floor=floor, f0_ceil=ceiling, frame_period=_STEP)
    fine = world.stonemask(samples, rough, times, rate)
    if method == "harvest":
        fine[world.d4c(samples, fine, times, rate, threshold=0.85)[:, 0] > 0.999] = 0.0
    centres = mel.times(mel.frames(len(samples))).numpy()
    return interpolated(torch.from_numpy(_at(centres, times, fine)))


def interpolated(f0: Tensor) -> Melody:
    """Interpolate F0 through unvoiced frames, where it is 0.

    Args:
        f0: Hz, ``(T,)``; 0 where a frame is unvoiced.

    Example:
        >>> interpolated(torch.tensor([0.0, 100.0, 0.0, 400.0])).f0.tolist()
        [100.0, 100.0, 200.0, 400.0]
    """
    values = f0.double().numpy()
    voiced = values > 0
    if not voiced.any():
        return Melody(torch.zeros(len(values)), torch.zeros(len(values), dtype=torch.bool))
    index = np.arange(len(values))
    filled = np.exp(np.interp(index, index[voiced], np.log(values[voiced])))
    return Melody(torch.from_numpy(filled).float(), torch.from_numpy(voiced))


def _at(centres: np.ndarray, times: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Return F0 at other times: linear between voiced neighbours, else the nearest one's value (0 = unvoiced)."""
    nearest = np.clip(np.rint(centres * 1000 / _STEP).astype(int), 0, len(f0) - 1)
    upper = np.clip(np.searchsorted(times, centres), 1, max(1, len(f0) - 1))
    both = (f0[upper - 1] > 0) & (f0[np.minimum(upper, len(f0) - 1)] > 0)
    return np.where(both, np.interp(centres, times, f0), f0[nearest])


def load_world() -> ModuleType:
    """Return the module of WORLD.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import pyworld
    except ImportError as error:
        raise ImportError(
            f"F0 needs WORLD ({error}); install it with: pip install -e '.[speech]' (pyworld-prebuilt)"
        ) from error
    return pyworld
