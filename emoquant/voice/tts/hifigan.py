"""The generator of HiFi-GAN (Kong, Kim and Bae 2020)."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

_SLOPE = 0.1
_DILATIONS = (1, 3, 5)


def normed_conv(inputs: int, outputs: int, kernel: int, dilation: int = 1, bias: bool = True) -> nn.Module:
    """Return a convolution with weight normalisation that keeps the length; the kernel must be odd."""
    conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=dilation * (kernel // 2), bias=bias)
    nn.init.normal_(conv.weight, std=0.01)
    return weight_norm(conv)


def normed_upsampling(inputs: int, outputs: int, kernel: int, rate: int) -> nn.Module:
    """Return a transposed convolution with weight normalisation that multiplies the length by ``rate``."""
    return weight_norm(nn.ConvTranspose1d(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2))


class _Residual(nn.Module):
    """Dilated convolutions behind activations; those of type 1 are each followed by a plain one."""

    def __init__(
        self, channels: int, kernel: int, dilations: Sequence[int], kind: int, activation: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(normed_conv(channels, channels, kernel, dilation) for dilation in dilations)
        self.before = nn.ModuleList(activation(channels) for _ in dilations)
        plain = dilations if kind == 1 else ()
        self.plain = nn.ModuleList(normed_conv(channels, channels, kernel) for _ in plain)
        self.between = nn.ModuleList(activation(channels) for _ in plain)

    def forward(self, samples: Tensor) -> Tensor:
        for step, dilated in enumerate(self.dilated):
            inner = dilated(self.before[step](samples))
            if len(self.plain):
                inner = self.plain[step](self.between[step](inner))
            samples = samples + inner
        return samples


class UpsamplingGenerator(nn.Module):
    """Generate waveforms from mel spectrograms by transposed convolutions: base class of HiFi-GAN and BigVGAN.

    Args:
        mels: Mel bands.
        channels: Channels before the first upsampling; they halve with each.
        rates: Factors of the upsamplings; their product is the hop.
        kernels: Widths of the residual convolutions, which run beside each other.
        dilations: Dilations of the residual convolutions of each kernel; (1, 3, 5) by default.
        upsampling_kernels: Widths of the upsamplings; twice the rates by default.
        residual: Type of the residual blocks: 1 has a plain convolution behind each dilated one, 2 has none.
        activation: Makes the activations of the residual blocks, for a number of channels.
        between: Activation before each upsampling.
        last: Activation before the last convolution.
        bias: Whether the last convolution has a bias.

    Raises:
        ValueError: Sizes do not fit each other.
    """

    def __init__(
        self,
        mels: int,
        channels: int,
        rates: Sequence[int],
        kernels: Sequence[int],
        dilations: Sequence[Sequence[int]] | None,
        upsampling_kernels: Sequence[int] | None,
        residual: Literal[1, 2],
        activation: Callable[[int], nn.Module],
        between: nn.Module,
        last: nn.Module,
        bias: bool = True,
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
                _Residual(size, kernel, each, residual, activation)
                for kernel, each in zip(kernels, spread, strict=True)
            )
            for size in sizes[1:]
        )
        self.between, self.last = between, last
        self.output = normed_conv(sizes[-1], 1, 7, bias=bias)

    def forward(self, mels: Tensor) -> Tensor:
        """Return waveforms ``(B, T * hop)`` in [-1, 1] for logarithmic mel spectrograms ``(B, T, M)``."""
        samples = self.start(mels.transpose(1, 2))
        stages: list[Any] = list(self.residuals)
        for upsample, residuals in zip(self.upsamplings, stages, strict=True):
            samples = upsample(self.between(samples))
            samples = torch.stack([residual(samples) for residual in residuals]).mean(0)
        return self.bounded(self.output(self.last(samples)).squeeze(1).float())

    def bounded(self, waveforms: Tensor) -> Tensor:
        """Return waveforms within [-1, 1]."""
        return torch.tanh(waveforms)


class HiFiGANGenerator(UpsamplingGenerator):
    """Generate waveforms from mel spectrograms as HiFi-GAN does; the defaults are "V1" with 13.9 M parameters.

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
        sizes = (mels, channels, rates, kernels, dilations, upsampling_kernels, residual)
        super().__init__(*sizes, lambda _: nn.LeakyReLU(_SLOPE), nn.LeakyReLU(_SLOPE), nn.LeakyReLU())


def check_sizes(
    channels: int,
    rates: Sequence[int],
    widths: Sequence[int],
    kernels: Sequence[int],
    dilations: Sequence[Sequence[int]],
) -> None:
    """Check that the sizes of an :class:`UpsamplingGenerator` fit each other.

    Args:
        channels: Channels before the first upsampling.
        rates: Factors of the upsamplings.
        widths: Widths of the upsamplings.
        kernels: Widths of the residual convolutions.
        dilations: Dilations of the residual convolutions of each kernel.

    Raises:
        ValueError: The sizes do not fit each other.
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
