"""A source-filter vocoder without trained weights: pulses at F0 and noise, filtered to the given mel spectrogram."""

import math

import torch
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.devices.precision import running_sums
from emoquant.voice.tts.vocoders.base import Vocoder


class SourceFilter(Vocoder):
    """Synthesise waveforms by a source-filter model without training; the audio has exactly the given F0.

    The source is a band-limited pulse train at F0 where speech is voiced, with noise that takes over towards high
    frequencies, and noise alone elsewhere; its spectrum is flat. The filter is one gain per bin and frame, a weighted
    mean of gains per mel band, found by a few multiplicative steps ``gain *= wanted mel / mel of the shaped source``
    and applied with the minimum phase that belongs to it. Low bands are narrow enough to show single harmonics; both
    mels are smoothed over the distance of two harmonics first, so that a mel and an F0 that disagree give the F0.

    Args:
        mel: Settings of the mel spectrograms.
        seed: Seed of the noise, which is the same for every utterance.
        steps: Number of multiplicative steps by which the filter is fitted.
        breath: Frequency in Hz at which noise is as strong as the pulses in voiced speech.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(self, mel: MelSettings | None = None, seed: int = 0, steps: int = 4, breath: float = 5000.0) -> None:
        super().__init__()
        self.mel = mel if mel is not None else MelSettings()
        if steps < 1 or breath <= 0:
            raise ValueError(f"expected steps >= 1 and breath > 0 Hz, not {steps} and {breath}")
        self.seed, self.steps, self.breath = seed, steps, breath

    def render(self, mels: Tensor, f0: Tensor, voiced: Tensor) -> Tensor:
        """Return the waveform of one utterance; see the base class."""
        samples = len(mels) * self.mel.hop
        if self.mel.center:  # the source has a frame more, at its end
            mels, f0, voiced = (torch.cat([track, track[-1:]]) for track in (mels, f0, voiced))
        source = self._source(f0, voiced, samples)  # (F, T) complex
        shaped = source * self._filter(self.mel.expand(mels), source.abs(), self._smoothing(f0, voiced))
        return self.mel.istft(shaped[None], samples)[0]

    def _source(self, f0: Tensor, voiced: Tensor, samples: int) -> Tensor:
        """Return the spectrogram of the source, of unit power."""
        generator = torch.Generator().manual_seed(self.seed)
        noise = self.mel.stft(torch.randn(1, samples, generator=generator).to(f0.device))[0]
        pulses = self.mel.stft(self._pulses(f0, samples)[None])[0]
        bins = torch.linspace(0, self.mel.sample_rate / 2, self.mel.n_fft // 2 + 1, device=f0.device)
        share = 1 / (1 + (bins / self.breath) ** 4)  # power of the pulses
        power = share[:, None] * voiced.float()
        return power.sqrt() * pulses + (1 - power).sqrt() * noise

    def _pulses(self, f0: Tensor, samples: int) -> Tensor:
        """Return cosines of all harmonics below half the sample rate in phase, of unit power, ``(samples,)``."""
        rate = self.mel.sample_rate
        size = samples + self.mel.center  # the last frame of centred ones lies behind the last sample
        track = torch.nn.functional.interpolate(
            f0[None, None].double(), size=size, mode="linear", align_corners=self.mel.center
        )[0, 0, :samples].clamp(20.0, rate / 4)  # fmt: skip
        half = math.pi * (running_sums(track / rate, 0) % 1.0)  # half the phase, in [0, pi)
        count = torch.floor(rate / 2 / track)
        denominator = torch.sin(half)
        kernel = torch.where(
            denominator.abs() < 1e-6,
            count,
            (torch.sin((2 * count + 1) * half) / denominator.clamp_min(1e-6) - 1) / 2,
        )
        return (kernel * (2 / count).sqrt()).float()

    def _smoothing(self, f0: Tensor, voiced: Tensor) -> Tensor:
        """Return weights ``(T, M, M)`` of the bands within the distance of two harmonics, each row summing to 1."""
        filters = self.mel.filters(f0.device)
        bins = torch.linspace(0, self.mel.sample_rate / 2, filters.shape[1], device=f0.device)
        centres = filters @ bins / filters.sum(1)
        width = torch.where(voiced, f0, 1.0).clamp(1.0, 800.0)[:, None, None]
        weights = (1 - (centres[:, None] - centres).abs() / width).clamp_min(0)
        return weights / weights.sum(-1, keepdim=True)

    def _filter(self, wanted: Tensor, source: Tensor, smoothing: Tensor) -> Tensor:
        """Return the complex gain ``(F, T)`` that gives a source ``(F, T)`` the mel magnitudes ``(T, M)``."""
        filters = self.mel.filters(source.device)  # (M, F)
        spread = filters / filters.sum(0, keepdim=True).clamp_min(1e-12)
        goal = (smoothing @ wanted[..., None])[..., 0].T  # (M, T)
        gain = torch.ones_like(source)
        for _ in range(self.steps):
            reached = (smoothing @ (filters @ (source * gain)).T[..., None])[..., 0].T
            gain = gain * (spread.T @ (goal / reached.clamp_min(self.mel.eps)))
        return gain * torch.exp(1j * _minimum_phase(gain))


def _minimum_phase(gain: Tensor) -> Tensor:
    """Return the phase in radians that a causal filter of least delay has with a gain ``(F, T)`` (by its cepstrum)."""
    points = 2 * (gain.shape[0] - 1)
    floor = gain.amax(0, keepdim=True).clamp_min(1e-12) * 1e-4
    cepstrum = torch.fft.irfft(torch.log(torch.maximum(gain, floor)), n=points, dim=0)
    fold = torch.zeros(points, 1, device=gain.device)
    fold[0], fold[1 : points // 2], fold[points // 2] = 1.0, 2.0, 1.0
    return torch.fft.rfft(cepstrum * fold, dim=0).imag
