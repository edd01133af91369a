"""The generator of BigVGAN (Lee et al. 2023)."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.voice.tts.hifigan import UpsamplingGenerator

_TINY = 1e-9
#: Factor of the upsampling around an activation, and taps of its low-pass filter.
_RATIO, _TAPS = 2, 12


def low_pass(ratio: int = _RATIO, taps: int = _TAPS) -> Tensor:
    """Return the low-pass filter for resampling by a factor, ``(1, 1, taps)``: a Kaiser-windowed sinc of sum 1.

    Args:
        ratio: Factor; the filter's cut-off is half of the lower rate, its transition 0.6 of the higher rate over it.
        taps: Length of the filter, an even number.
    """
    cutoff, half_width = 0.5 / ratio, 0.6 / ratio
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * half_width + 7.95
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    else:
        beta = 0.5842 * max(0.0, attenuation - 21) ** 0.4 + 0.07886 * max(0.0, attenuation - 21)
    window = torch.kaiser_window(taps, periodic=False, beta=beta)
    time = torch.arange(taps) - taps // 2 + 0.5
    taps_of = window * torch.sinc(2 * cutoff * time)
    return (taps_of / taps_of.sum()).view(1, 1, taps)


class PeriodicActivation(nn.Module):
    """Apply the Snake activation ``x + sin(alpha x)^2 / beta`` at twice the rate, low-pass filtered against aliasing.

    Args:
        channels: Channels, each with its own alpha.
        beta: Whether beta is learned beside alpha (SnakeBeta); otherwise they are equal.
        logarithmic: Whether the logarithms of alpha and beta are learned.
    """

    lowpass: Tensor

    def __init__(self, channels: int, beta: bool = True, logarithmic: bool = True) -> None:
        super().__init__()
        self.logarithmic = logarithmic
        start = torch.zeros(channels) if logarithmic else torch.ones(channels)
        self.alpha = nn.Parameter(start.clone())
        self.beta = nn.Parameter(start.clone()) if beta else None
        self.register_buffer("lowpass", low_pass(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return activations of samples ``(B, C, N)``."""
        channels, pad = samples.shape[1], _TAPS // _RATIO - 1
        filters = self.lowpass.to(samples.dtype).expand(channels, -1, -1)
        cut = pad * _RATIO + (_TAPS - _RATIO) // 2
        padded = functional.pad(samples, (pad, pad), mode="replicate")
        fine = _RATIO * functional.conv_transpose1d(padded, filters, stride=_RATIO, groups=channels)[..., cut:-cut]
        fine = self._snake(fine)
        fine = functional.pad(fine, (_TAPS // 2 - 1, _TAPS // 2), mode="replicate")
        return functional.conv1d(fine, filters, stride=_RATIO, groups=channels)

    def _snake(self, samples: Tensor) -> Tensor:
        alpha: Tensor = self.alpha
        beta: Tensor = self.alpha if self.beta is None else self.beta
        if self.logarithmic:
            alpha, beta = alpha.exp(), beta.exp()
        return samples + torch.sin(samples * alpha[:, None]).square() / (beta[:, None] + _TINY)


class BigVGANGenerator(UpsamplingGenerator):
    """Generate waveforms from mel spectrograms by transposed convolutions and periodic activations.

    The defaults are those of ``bigvgan_v2_22khz_80band_fmax8k_256x`` (112 M parameters).

    Args:
        mels: Mel bands.
        channels: Channels before the first upsampling; they halve with each.
        rates: Factors of the upsamplings; their product is the hop.
        kernels: Widths of the residual convolutions, which run beside each other.
        dilations: Dilations of the residual convolutions of each kernel; (1, 3, 5) by default.
        upsampling_kernels: Widths of the upsamplings; twice the rates by default.
        residual: Type of the residual blocks: 1 has a plain convolution behind each dilated one, 2 has none.
        beta: Whether activations learn beta beside alpha (``snakebeta``).
        logarithmic: Whether the logarithms of alpha and beta are learned (``snake_logscale``).
        tanh: Whether a hyperbolic tangent bounds the waveform; else it is clipped.
        bias: Whether the last convolution has a bias.

    Raises:
        ValueError: Sizes do not fit each other.
    """

    def __init__(
        self,
        mels: int = 80,
        channels: int = 1536,
        rates: Sequence[int] = (4, 4, 2, 2, 2, 2),
        kernels: Sequence[int] = (3, 7, 11),
        dilations: Sequence[Sequence[int]] | None = None,
        upsampling_kernels: Sequence[int] | None = None,
        residual: Literal[1, 2] = 1,
        beta: bool = True,
        logarithmic: bool = True,
        tanh: bool = False,
        bias: bool = False,
    ) -> None:
        make = partial(PeriodicActivation, beta=beta, logarithmic=logarithmic)
        sizes = (mels, channels, rates, kernels, dilations, upsampling_kernels, residual)
        super().__init__(*sizes, make, nn.Identity(), make(channels // 2 ** len(rates)), bias)
        self.tanh = tanh
        self.settings |= {"beta": beta, "logarithmic": logarithmic, "tanh": tanh, "bias": bias}

    def bounded(self, waveforms: Tensor) -> Tensor:
        """Return waveforms within [-1, 1]."""
        return torch.tanh(waveforms) if self.tanh else waveforms.clamp(-1.0, 1.0)
