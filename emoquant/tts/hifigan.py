"""The generator of HiFi-GAN (Kong, Kim and Bae 2020)."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

_SLOPE = 0.1
_DILATIONS = (1, 3, 5)


def _conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Module:
    conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2))
    nn.init.normal_(conv.weight, std=0.01)
    return weight_norm(conv)


class _Residual(nn.Module):
    """Dilated convolutions, each followed by a plain one."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(_conv(channels, channels, kernel, dilation) for dilation in _DILATIONS)
        self.plain = nn.ModuleList(_conv(channels, channels, kernel) for _ in _DILATIONS)

    def forward(self, samples: Tensor) -> Tensor:
        for dilated, plain in zip(self.dilated, self.plain, strict=True):
            inner = plain(functional.leaky_relu(dilated(functional.leaky_relu(samples, _SLOPE)), _SLOPE))
            samples = samples + inner
        return samples


class HiFiGANGenerator(nn.Module):
    """Mel spectrograms to waveforms by transposed convolutions; the defaults have 13.9 M parameters ("V1").

    Args:
        mels: Mel bands.
        channels: Channels before the first upsampling; they halve with each.
        rates: Factors of the upsamplings; their product is the hop.
        kernels: Widths of the residual convolutions, which run beside each other.

    Raises:
        ValueError: A rate is odd.
    """

    def __init__(
        self,
        mels: int = 80,
        channels: int = 512,
        rates: Sequence[int] = (8, 8, 2, 2),
        kernels: Sequence[int] = (3, 7, 11),
    ) -> None:
        super().__init__()
        if any(rate % 2 for rate in rates):
            raise ValueError(f"rates must be even, not {list(rates)}")
        self.hop = prod(rates)
        self.settings: dict[str, Any] = {
            "mels": mels, "channels": channels, "rates": list(rates), "kernels": list(kernels)
        }  # fmt: skip
        self.start = _conv(mels, channels, 7)
        widths = [channels // 2**step for step in range(len(rates) + 1)]
        self.upsamplings = nn.ModuleList(
            weight_norm(nn.ConvTranspose1d(wide, narrow, 2 * rate, rate, padding=rate // 2))
            for wide, narrow, rate in zip(widths, widths[1:], rates, strict=False)
        )
        self.residuals = nn.ModuleList(
            nn.ModuleList(_Residual(width, kernel) for kernel in kernels) for width in widths[1:]
        )
        self.output = _conv(widths[-1], 1, 7)

    def forward(self, mels: Tensor) -> Tensor:
        """Return waveforms ``(B, T * hop)`` in [-1, 1] of log10 mel spectrograms ``(B, T, M)``."""
        samples = self.start(mels.transpose(1, 2))
        stages: list[Any] = list(self.residuals)
        for upsample, residuals in zip(self.upsamplings, stages, strict=True):
            samples = upsample(functional.leaky_relu(samples, _SLOPE))
            samples = torch.stack([residual(samples) for residual in residuals]).mean(0)
        return torch.tanh(self.output(functional.leaky_relu(samples)).squeeze(1).float())
