"""The generator of HiFi-GAN (Kong, Kim and Bae 2020)."""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

_SLOPE = 0.1
_DILATIONS = (1, 3, 5)


def normed_conv(inputs: int, outputs: int, kernel: int, dilation: int = 1, bias: bool = True) -> nn.Module:
    """Return a convolution with weight normalisation that keeps the length (kernels are odd)."""
    conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2), bias=bias)
    nn.init.normal_(conv.weight, std=0.01)
    return weight_norm(conv)


def normed_upsampling(inputs: int, outputs: int, kernel: int, rate: int) -> nn.Module:
    """Return a transposed convolution with weight normalisation that makes ``rate`` samples of each."""
    return weight_norm(nn.ConvTranspose1d(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2))


class _Residual(nn.Module):
    """Dilated convolutions; those of type 1 are each followed by a plain one."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], kind: int) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(normed_conv(channels, channels, kernel, dilation) for dilation in dilations)
        plain = dilations if kind == 1 else ()
        self.plain = nn.ModuleList(normed_conv(channels, channels, kernel) for _ in plain)

    def forward(self, samples: Tensor) -> Tensor:
        for step, dilated in enumerate(self.dilated):
            inner = dilated(functional.leaky_relu(samples, _SLOPE))
            if len(self.plain):
                inner = self.plain[step](functional.leaky_relu(inner, _SLOPE))
            samples = samples + inner
        return samples


class HiFiGANGenerator(nn.Module):
    """Mel spectrograms to waveforms by transposed convolutions; the defaults have 13.9 M parameters ("V1").

    "V2" has 128 channels. "V3" (1.5 M parameters) has 256 channels, rates (8, 8, 4), kernels (3, 5, 7), dilations
    ((1, 2), (2, 6), (3, 12)) and residual blocks of type 2.

    Args:
        mels: Mel bands.
        channels: Channels before the first upsampling; they halve with each.
        rates: Factors of the upsamplings; their product is the hop.
        kernels: Widths of the residual convolutions, which run beside each other.
        dilations: Dilations of the residual convolutions of each kernel; (1, 3, 5) by default.
        upsampling_kernels: Widths of the upsamplings; twice the rates by default.
        residual: Type of the residual blocks: 1 has a plain convolution behind each dilated one, 2 has none.

    Raises:
        ValueError: Sizes do not fit each other.
    """

    def __init__(
        self,
        mels: int = 80,
        channels: int = 512,
        rates: Sequence[int] = (8, 8, 2, 2),
        kernels: Sequence[int] = (3, 7, 11),
        dilations: Sequence[Sequence[int]] | None = None,
        upsampling_kernels: Sequence[int] | None = None,
        residual: Literal[1, 2] = 1,
    ) -> None:
        super().__init__()
        spread = [list(each) for each in dilations] if dilations is not None else [list(_DILATIONS) for _ in kernels]
        widths = list(upsampling_kernels) if upsampling_kernels is not None else [2 * rate for rate in rates]
        check_sizes(channels, rates, widths, kernels, spread)
        self.hop = prod(rates)
        self.settings: dict[str, Any] = {
            "mels": mels, "channels": channels, "rates": list(rates), "kernels": list(kernels),
            "dilations": spread, "upsampling_kernels": widths, "residual": residual,
        }  # fmt: skip
        self.start = normed_conv(mels, channels, 7)
        sizes = [channels // 2**step for step in range(len(rates) + 1)]
        self.upsamplings = nn.ModuleList(
            normed_upsampling(wide, narrow, width, rate)
            for wide, narrow, width, rate in zip(sizes, sizes[1:], widths, rates, strict=False)
        )
        self.residuals = nn.ModuleList(
            nn.ModuleList(
                _Residual(size, kernel, each, residual) for kernel, each in zip(kernels, spread, strict=True)
            )
            for size in sizes[1:]
        )  # fmt: skip
        self.output = normed_conv(sizes[-1], 1, 7)

    def forward(self, mels: Tensor) -> Tensor:
        """Return waveforms ``(B, T * hop)`` in [-1, 1] of logarithmic mel spectrograms ``(B, T, M)``."""
        samples = self.start(mels.transpose(1, 2))
        stages: list[Any] = list(self.residuals)
        for upsample, residuals in zip(self.upsamplings, stages, strict=True):
            samples = upsample(functional.leaky_relu(samples, _SLOPE))
            samples = torch.stack([residual(samples) for residual in residuals]).mean(0)
        return torch.tanh(self.output(functional.leaky_relu(samples)).squeeze(1).float())


def check_sizes(
    channels: int,
    rates: Sequence[int],
    widths: Sequence[int],
    kernels: Sequence[int],
    dilations: Sequence[Sequence[int]],
) -> None:
    """Check the sizes of a generator of upsamplings and residual blocks.

    Args:
        channels: Channels before the first upsampling.
        rates: Factors of the upsamplings.
        widths: Widths of the upsamplings.
        kernels: Widths of the residual convolutions.
        dilations: Dilations of the residual convolutions of each kernel.

    Raises:
        ValueError: They do not fit each other.
    """
    wrong = [width for width, rate in zip(widths, rates, strict=False) if width < rate or (width - rate) % 2]
    if len(widths) != len(rates) or wrong or not rates:
        raise ValueError(
            f"upsamplings of the rates {list(rates)} have the widths {list(widths)}: expected one for each rate, as "
            "wide as it or wider by an even number"
        )
    if len(dilations) != len(kernels) or any(kernel % 2 == 0 for kernel in kernels) or not all(dilations):
        raise ValueError(f"expected odd kernels with dilations for each, not {list(kernels)} with {list(dilations)}")
    if channels < 2 ** len(rates) or channels % 2 ** len(rates):
        raise ValueError(f"channels must be a multiple of {2 ** len(rates)} to be halved at each rate, not {channels}")
