"""Acoustic targets that a front end can learn without labels: a log-mel spectrum and a correlogram (pitch)."""

import math

import torch
from torch import Tensor, nn

from emoquant.devices.precision import full_float32


class AcousticTargets(nn.Module):
    """Log-mel energies, normalised autocorrelation over logarithmic lags, and the level of every frame.

    The autocorrelation of a voiced frame peaks at the period of its pitch (Boersma 1993), so that predicting it is
    predicting pitch and voicing without having to decide on either.
    """

    window: Tensor
    filters: Tensor
    picks: Tensor

    def __init__(self, mels: int = 40, lags: int = 48, sample_rate: int = 16_000) -> None:
        """Choose the resolution.

        Args:
            mels: Mel bands between 60 Hz and 7.6 kHz.
            lags: Lags between those of 500 Hz and 65 Hz.
            sample_rate: Samples a second.
        """
        super().__init__()
        self.size = mels + lags + 1
        self.mels = mels
        window = torch.hann_window(1024)
        own = torch.fft.irfft(torch.fft.rfft(window, n=2048).abs().square())
        periods = torch.logspace(math.log10(sample_rate / 500), math.log10(sample_rate / 65), lags)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", mel_filters(mels, 1025, 60.0, 7600.0, sample_rate), persistent=False)
        self.register_buffer("picks", _interpolation(periods, own / own[0]), persistent=False)

    @torch.no_grad()
    def forward(self, waveforms: Tensor, frames: int, hop: int, field: int) -> Tensor:
        """Return the targets ``(B, T, size)``, each of the order of 1.

        Args:
            waveforms: Samples of mean 0 and variance 1, ``(B, N)``.
            frames: Frames ``T`` of the encoder.
            hop: Samples from one frame to the next.
            field: Samples that a frame of the encoder sees; the targets' window is centred on them.
        """
        with full_float32(waveforms.device):  # powers are more than fp16 can hold
            before = max(0, (len(self.window) - field) // 2)
            pieces = nn.functional.pad(waveforms.float(), (before, len(self.window) + hop)).unfold(
                -1, len(self.window), hop
            )
            spectrum = torch.view_as_real(torch.fft.rfft(pieces[:, :frames] * self.window, n=2048)).square().sum(-1)
            mel = (spectrum @ self.filters + 3e-2).log() / 3
            correlation = torch.fft.irfft(spectrum)[..., : len(self.picks)]
            correlation = (correlation / (correlation[..., :1] + 0.1)) @ self.picks
            return torch.cat([mel, 1.5 * correlation, mel.mean(-1, keepdim=True)], dim=-1)


def mel_filters(mels: int, bins: int, low: float, high: float, sample_rate: int) -> Tensor:
    """Return triangular filters ``(bins, mels)`` whose centres are equally spaced in mel (O'Shaughnessy 1987)."""
    edges = mel_to_hertz(torch.linspace(hertz_to_mel(low), hertz_to_mel(high), mels + 2))
    frequencies = torch.linspace(0, sample_rate / 2, bins)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp_min(0)


def hertz_to_mel(frequency: float) -> float:
    """Return a frequency in mel.

    Example:
        >>> round(hertz_to_mel(1000.0))
        1000
    """
    return 2595 * math.log10(1 + frequency / 700)


def mel_to_hertz(mel: Tensor) -> Tensor:
    """Return frequencies in Hz of values in mel."""
    return 700 * (10 ** (mel / 2595) - 1)


def _interpolation(lags: Tensor, window: Tensor) -> Tensor:
    """Return the matrix ``(samples, lags)`` that reads an autocorrelation at fractional lags, window divided out."""
    matrix = torch.zeros(int(lags.max()) + 2, len(lags))
    for column, lag in enumerate(lags.tolist()):
        below = int(lag)
        matrix[below, column] = (1 - (lag - below)) / window[below]
        matrix[below + 1, column] = (lag - below) / window[below + 1]
    return matrix
