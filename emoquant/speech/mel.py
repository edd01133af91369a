"""The one mel spectrogram that synthesis models and vocoders share."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from emoquant.precision import full_float32


@dataclass(frozen=True)
class MelSpec:
    """Settings of a mel spectrogram: log10 of mel-weighted magnitudes (not powers), Slaney's bands of unit area.

    It is stored with every model that reads or writes mel spectrograms and compared when two of them meet.

    Args:
        sample_rate: Samples a second.
        n_fft: Points of the Fourier transform.
        hop: Samples from frame to frame.
        window: Samples of the Hann window.
        mels: Bands ``M``.
        fmin: Lower end of the lowest band in Hz.
        fmax: Upper end of the highest band in Hz.
        eps: Least magnitude before the logarithm.

    Raises:
        ValueError: A setting is out of range.

    Example:
        >>> spec = MelSpec()
        >>> spec(torch.zeros(1, 16000)).shape, spec.frame_rate
        (torch.Size([1, 63, 80]), 62.5)
    """

    sample_rate: int = 16_000
    n_fft: int = 1024
    hop: int = 256
    window: int = 1024
    mels: int = 80
    fmin: float = 80.0
    fmax: float = 7600.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.n_fft:
            raise ValueError(f"mel: expected 0 < hop <= window <= n_fft, not {self.hop}, {self.window}, {self.n_fft}")
        if not (0 <= self.fmin < self.fmax <= self.sample_rate / 2 and self.mels >= 1 and self.eps > 0):
            raise ValueError(
                f"mel: expected 0 <= fmin < fmax <= {self.sample_rate / 2:g} Hz, mels >= 1 and eps > 0, "
                f"not {self.fmin}, {self.fmax}, {self.mels}, {self.eps}"
            )

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Return the frames of a waveform: one at every multiple of the hop, both ends included where they fall on one.

        Args:
            samples: Length of the waveform.
        """
        return 1 + samples // self.hop

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Return log10 mel spectrograms ``(B, T, M)`` float32 with ``T = 1 + N // hop``.

        Frame ``t`` is centred on sample ``t * hop``, and what lies outside the waveform counts as zero.

        Args:
            waveforms: Samples, ``(B, N)``, nominally in [-1, 1].

        Raises:
            ValueError: The waveforms are not a matrix with samples.
        """
        if waveforms.ndim != 2 or waveforms.shape[1] < 1:
            raise ValueError(f"waveforms must be (B, N) with N >= 1 samples, got {tuple(waveforms.shape)}")
        with full_float32(waveforms.device):
            magnitudes = self.stft(waveforms.float()).abs().transpose(1, 2)  # (B, T, F)
            mels = magnitudes @ self.filters(waveforms.device).T
            return mels.clamp_min(self.eps).log10()

    def stft(self, waveforms: Tensor) -> Tensor:
        """Return the complex spectrogram ``(B, F, T)`` of waveforms ``(B, N)`` float32, ``F = n_fft // 2 + 1``."""
        window = torch.hann_window(self.window, device=waveforms.device)
        settings: dict[str, Any] = {"center": True, "pad_mode": "constant", "return_complex": True}
        return torch.stft(waveforms, self.n_fft, self.hop, self.window, window, **settings)

    def istft(self, spectra: Tensor, samples: int) -> Tensor:
        """Return the waveforms ``(B, samples)`` of complex spectrograms ``(B, F, T)``."""
        window = torch.hann_window(self.window, device=spectra.device)
        return torch.istft(spectra, self.n_fft, self.hop, self.window, window, length=samples)

    def filters(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the triangular weights of the bands over the bins of the transform, ``(M, F)`` float32.

        Args:
            device: Device that they are on; they are kept there for the next call.
        """
        return _filters(self) if str(device) == "cpu" else _kept(_filters, self, torch.device(device))

    def pseudo_inverse(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the matrix that takes mel magnitudes to magnitudes of bins, ``(F, M)`` float32, least squares."""
        return _pseudo_inverse(self) if str(device) == "cpu" else _kept(_pseudo_inverse, self, torch.device(device))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as primitives, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> "MelSpec":
        """Return the specification that :meth:`to_dict` described.

        Raises:
            ValueError: A setting is missing or unknown.
        """
        known = {field.name for field in fields(cls)}
        if set(settings) != known:
            raise ValueError(f"mel settings have the names {sorted(settings)}, expected exactly {sorted(known)}")
        return cls(**settings)

    def require(self, other: "MelSpec", what: str) -> None:
        """Check that another part was made for the same mel spectrograms.

        Args:
            other: The other part's specification.
            what: The other part, for the message.

        Raises:
            ValueError: A setting differs; every difference is named.

        Example:
            >>> MelSpec().require(MelSpec(fmax=8000.0), "the vocoder")
            Traceback (most recent call last):
            ValueError: the vocoder has other mel settings: fmax 8000.0 instead of 7600.0; use one made with the same
        """
        mine, theirs = self.to_dict(), other.to_dict()
        wrong = [f"{name} {theirs[name]} instead of {mine[name]}" for name in mine if mine[name] != theirs[name]]
        if wrong:
            raise ValueError(f"{what} has other mel settings: {', '.join(wrong)}; use one made with the same")

    def require_rate(self, what: str, rate: int = 16_000) -> None:
        """Check that the mel spectrograms are of the rate at which audio is read.

        Args:
            what: What reads the audio, for the message.
            rate: Its samples a second; that of the emotion encoders.

        Raises:
            ValueError: They are of another rate.

        Example:
            >>> MelSpec(sample_rate=22_050).require_rate("the corpus")
            Traceback (most recent call last):
            ValueError: mel.sample_rate is 22050, but the corpus is read at 16000 samples a second: leave it at that
        """
        if self.sample_rate != rate:
            given = f"mel.sample_rate is {self.sample_rate}"
            raise ValueError(f"{given}, but {what} is read at {rate} samples a second: leave it at that")


def _mel_of(frequency: float) -> float:
    """Return Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    return 3 * frequency / 200 if frequency < 1000 else 15 + 27 * math.log(frequency / 1000) / math.log(6.4)


def _frequency_of(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, 200 * mel / 3, 1000 * torch.exp(math.log(6.4) * (mel - 15) / 27))


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # or a first call in that mode would forbid gradients through the kept tensor
def _kept(make: Callable[[MelSpec], Tensor], spec: MelSpec, device: torch.device) -> Tensor:
    """Return a table of a mel specification, kept on a device."""
    return make(spec).to(device)


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _filters(spec: MelSpec) -> Tensor:
    bins = torch.linspace(0, spec.sample_rate / 2, spec.n_fft // 2 + 1, dtype=torch.float64)
    ends = torch.linspace(_mel_of(spec.fmin), _mel_of(spec.fmax), spec.mels + 2, dtype=torch.float64)
    edges = _frequency_of(ends)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    weights = torch.minimum(rising, falling).clamp_min(0) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return weights.float()


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _pseudo_inverse(spec: MelSpec) -> Tensor:
    return torch.linalg.pinv(_filters(spec).double()).float()
