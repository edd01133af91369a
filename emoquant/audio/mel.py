"""Mel spectrograms: the settings that voices and vocoders share, and the computation."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from emoquant.audio._torchaudio import ensure_torchaudio
from emoquant.devices.precision import full_float32

#: Settings that descriptions of version 1 do not name, as they were then.
_UNNAMED = {"log": "log10", "center": True, "padding": "constant", "scale": "slaney", "norm": "slaney"}


@dataclass(frozen=True)
class MelSettings:
    """Settings of a logarithmic mel spectrogram of magnitudes (not powers).

    The defaults are those of the public 22.05 kHz vocoders and voices: HiFi-GAN, BigVGAN (``fmax8k``), Matcha-TTS,
    FastSpeech 2. They are stored with every model that reads or writes mel spectrograms and compared when two of them
    meet.

    Args:
        sample_rate: Samples a second.
        n_fft: Points of the Fourier transform.
        hop: Samples from frame to frame.
        window: Samples of the Hann window.
        mels: Bands ``M``.
        fmin: Lower end of the lowest band in Hz.
        fmax: Upper end of the highest band in Hz.
        eps: Least magnitude before the logarithm.
        log: Logarithm, natural or decimal.
        center: Where frames lie. True: frame ``t`` is centred on sample ``t * hop``, there are ``1 + N // hop``. False:
            it is centred on the middle of samples ``t * hop ... (t + 1) * hop``, there are ``N // hop``.
        padding: What lies outside the waveform: its mirror image or zeros.
        scale: Mel scale, Slaney's or that of HTK.
        norm: Whether bands have unit area (``"slaney"``) or unit height (``"none"``).

    Raises:
        ValueError: A setting is out of range.

    Example:
        >>> settings = MelSettings()
        >>> settings(torch.zeros(1, 22050)).shape, round(settings.frame_rate, 2)
        (torch.Size([1, 86, 80]), 86.13)
    """

    sample_rate: int = 22_050
    n_fft: int = 1024
    hop: int = 256
    window: int = 1024
    mels: int = 80
    fmin: float = 0.0
    fmax: float = 8000.0
    eps: float = 1e-5
    log: Literal["ln", "log10"] = "ln"
    center: bool = False
    padding: Literal["reflect", "constant"] = "reflect"
    scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney", "none"] = "slaney"

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.n_fft:
            raise ValueError(f"mel: expected 0 < hop <= window <= n_fft, not {self.hop}, {self.window}, {self.n_fft}")
        if not (0 <= self.fmin < self.fmax <= self.sample_rate / 2 and self.mels >= 1 and self.eps > 0):
            raise ValueError(
                f"mel: expected 0 <= fmin < fmax <= {self.sample_rate / 2:g} Hz, mels >= 1 and eps > 0, "
                f"not {self.fmin}, {self.fmax}, {self.mels}, {self.eps}"
            )
        allowed = {"log": ("ln", "log10"), "padding": ("reflect", "constant"), "scale": ("slaney", "htk"),
                   "norm": ("slaney", "none")}  # fmt: skip
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"mel: {name} is {getattr(self, name)!r}, expected {' or '.join(values)}")
        if not self.center and (self.n_fft - self.hop) % 2:
            raise ValueError(f"mel: without center n_fft - hop must be even, not {self.n_fft} - {self.hop}")

    @classmethod
    def generspeech(cls, **changes: Any) -> "MelSettings":  # noqa: ANN401 - settings of any type
        """Return the settings of GenerSpeech: 16 kHz, 80 to 7600 Hz, log10, centred frames, zeros outside.

        Args:
            changes: Settings that differ from these.
        """
        settings = {"sample_rate": 16_000, "fmin": 80.0, "fmax": 7600.0, "eps": 1e-10, **_UNNAMED}
        return cls(**{**settings, **changes})

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @property
    def unit(self) -> float:
        """Value of the logarithm at ``e``: 1 for the natural one, 0.434 for the decimal one."""
        return 1.0 if self.log == "ln" else 1 / math.log(10)

    def frames(self, samples: int) -> int:
        """Return the frames of a waveform of ``samples`` samples."""
        return samples // self.hop + self.center

    def times(self, frames: int) -> Tensor:
        """Return the centres of the first frames in seconds, ``(frames,)`` float64."""
        return (torch.arange(frames, dtype=torch.float64) + (0.0 if self.center else 0.5)) / self.frame_rate

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Return logarithmic mel spectrograms ``(B, T, M)`` float32.

        Args:
            waveforms: Samples, ``(B, N)``, nominally in [-1, 1].

        Raises:
            ValueError: The waveforms are not a matrix, or too short.
        """
        if waveforms.ndim != 2 or waveforms.shape[1] < self._shortest():
            raise ValueError(
                f"waveforms must be (B, N) with N >= {self._shortest()} samples, got {tuple(waveforms.shape)}"
            )
        with full_float32(waveforms.device):
            magnitudes = self.stft(waveforms.float()).abs().transpose(1, 2)  # (B, T, F)
            return self.compress(magnitudes @ self.filters(waveforms.device).T)

    def compress(self, magnitudes: Tensor) -> Tensor:
        """Return the logarithm of magnitudes, at least that of ``eps``."""
        bounded = magnitudes.clamp_min(self.eps)
        return bounded.log() if self.log == "ln" else bounded.log10()

    def expand(self, mels: Tensor) -> Tensor:
        """Return the magnitudes of logarithmic mels, at least ``eps``."""
        return (mels / self.unit).exp().clamp_min(self.eps)

    def decades(self, mels: Tensor) -> Tensor:
        """Return logarithmic mels as decimal logarithms, in which mels of all settings can be shown alike."""
        return mels / (self.unit * math.log(10))

    def stft(self, waveforms: Tensor) -> Tensor:
        """Return the complex spectrogram ``(B, F, T)`` of waveforms ``(B, N)`` float32, ``F = n_fft // 2 + 1``."""
        around = (self.n_fft if self.center else self.n_fft - self.hop) // 2
        mode = self.padding if waveforms.shape[1] > around else "constant"  # nothing shorter has a mirror image
        padded = functional.pad(waveforms.unsqueeze(1), (around, around), mode).squeeze(1)
        window = _window(self.window, waveforms.device)
        return torch.stft(padded, self.n_fft, self.hop, self.window, window, center=False, return_complex=True)

    def istft(self, spectra: Tensor, samples: int) -> Tensor:
        """Return the waveforms ``(B, samples)`` of complex spectrograms ``(B, F, T)``."""
        window = _window(self.window, spectra.device)
        if self.center:
            return torch.istft(spectra, self.n_fft, self.hop, self.window, window, length=samples)
        side = (self.n_fft - self.window) // 2
        window = functional.pad(window, (side, self.n_fft - self.window - side))
        return overlap_add(spectra, window, self.hop)[:, :samples]

    def filters(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the weights of the bands over the bins of the transform, ``(M, F)`` float32.

        Args:
            device: Device that they are on; they are kept there for the next call.
        """
        return _filters(self, torch.device(device))

    def pseudo_inverse(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the matrix that takes mel magnitudes to magnitudes of bins, ``(F, M)`` float32, least squares."""
        return _pseudo_inverse(self, torch.device(device))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as primitives, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "MelSettings":
        """Return the settings that :meth:`to_dict` described, or an older version of it.

        Raises:
            ValueError: A setting is missing or unknown.
        """
        known = {field.name for field in fields(cls)}
        if set(settings) == known - set(_UNNAMED):
            return cls(**settings, **_UNNAMED)  # type: ignore[arg-type]  # names and values of these very fields
        if set(settings) != known:
            raise ValueError(f"mel settings have the names {sorted(settings)}, expected exactly {sorted(known)}")
        return cls(**settings)

    def require(self, other: "MelSettings", what: str, mine: str = "this one") -> None:
        """Check that another part was made for the same mel spectrograms.

        Args:
            other: The other part's settings.
            what: The other part, for the message.
            mine: The part that these settings belong to, for the message.

        Raises:
            ValueError: A setting differs; every difference is named.

        Example:
            >>> MelSettings().require(MelSettings(fmax=7600.0), "the vocoder", "the voice")
            Traceback (most recent call last):
            ValueError: the vocoder has other mel settings than the voice: fmax 7600.0 instead of 8000.0; use one made \
with the same
        """
        ours, theirs = self.to_dict(), other.to_dict()
        wrong = [f"{name} {theirs[name]} instead of {ours[name]}" for name in ours if ours[name] != theirs[name]]
        if wrong:
            raise ValueError(
                f"{what} has other mel settings than {mine}: {', '.join(wrong)}; use one made with the same"
            )

    def _shortest(self) -> int:
        """Return the samples of the shortest waveform: a frame, and what a mirror image is made of."""
        if self.padding == "constant":
            return 1 if self.center else self.hop
        return (self.n_fft if self.center else self.n_fft - self.hop) // 2 + 1


def overlap_add(spectra: Tensor, window: Tensor, hop: int) -> Tensor:
    """Return the waveforms ``(B, T * hop)`` of complex spectrograms ``(B, F, T)`` whose frames lie between hops.

    It is the inverse transform for ``center=False``, which ``torch.istft`` refuses, since windows do not cover what is
    cut off at the ends.

    Args:
        spectra: Spectrograms; frame ``t`` is centred on the middle of samples ``t * hop ... (t + 1) * hop``.
        window: Window of analysis and synthesis, ``(n_fft,)``.
        hop: Samples from frame to frame.
    """
    size, frames = len(window), spectra.shape[2]
    parts = torch.fft.irfft(spectra, n=size, dim=1) * window[:, None]
    weights = window.square()[None, :, None].expand(-1, -1, frames)
    length = size + hop * (frames - 1)
    summed, weight = (
        functional.fold(each, (1, length), (1, size), stride=(1, hop))[:, 0, 0] for each in (parts, weights)
    )
    around = (size - hop) // 2
    return (summed / weight.clamp_min(1e-11))[:, around : around + frames * hop]


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # or a first call in that mode would forbid gradients through the kept tensor
def _window(size: int, device: torch.device) -> Tensor:
    return torch.hann_window(size, device=device)


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _filters(settings: MelSettings, device: torch.device) -> Tensor:
    norm = "slaney" if settings.norm == "slaney" else None
    filterbank = ensure_torchaudio().functional.melscale_fbanks(
        settings.n_fft // 2 + 1, settings.fmin, settings.fmax, settings.mels, settings.sample_rate, norm, settings.scale
    )
    weights: Tensor = filterbank.T.contiguous().to(device)
    return weights


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _pseudo_inverse(settings: MelSettings, device: torch.device) -> Tensor:
    return torch.linalg.pinv(_filters(settings, torch.device("cpu")).double()).float().to(device)
