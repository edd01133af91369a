"""Convolutions over time that never read padding."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from emoquant.voice.tts.masking import masked


class MaskedConv(nn.Module):
    """Convolve over frames, with zeros in place of padding; the number of frames stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, normalized: bool = False) -> None:
        super().__init__()
        conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
        self.conv = weight_norm(conv) if normalized else conv

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return frames ``(B, T, outputs)`` from ``(B, T, inputs)`` and a mask ``(B, T)``."""
        return self.conv(masked(frames, mask).transpose(1, 2)).transpose(1, 2)


class GatedConvs(nn.Module):
    """Apply gated residual convolutions as in WaveNet (van den Oord et al. 2016), but not causal, with dilation 1.

    Args:
        channels: Channels of input and output.
        kernel: Width of the convolutions.
        layers: Number of layers.
    """

    def __init__(self, channels: int, kernel: int, layers: int) -> None:
        super().__init__()
        self.channels = channels
        self.inputs = nn.ModuleList(MaskedConv(channels, 2 * channels, kernel, True) for _ in range(layers))
        self.outputs = nn.ModuleList(
            weight_norm(nn.Linear(channels, channels * (1 if layer == layers - 1 else 2))) for layer in range(layers)
        )

    def forward(self, frames: Tensor, mask: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return the sum of the layers' skip outputs.

        Args:
            frames: Frames, ``(B, T, channels)``.
            mask: Real frames, ``(B, T)`` bool.
            conditions: Added inside the gates, ``(B, T, layers * 2 * channels)``; None for no condition.

        Returns:
            Frames ``(B, T, channels)``, zeros outside the mask.
        """
        parts = [None] * len(self.inputs) if conditions is None else conditions.chunk(len(self.inputs), -1)
        skipped = torch.zeros_like(frames)
        for widen, narrow, condition in zip(self.inputs, self.outputs, parts, strict=True):
            inner = widen(frames, mask)
            left, right = (inner if condition is None else inner + condition).chunk(2, -1)
            out = narrow(left.tanh() * right.sigmoid())
            if out.shape[-1] == self.channels:
                skipped = skipped + out
            else:
                residual, skip = out.chunk(2, -1)
                frames, skipped = frames + residual, skipped + skip
        return masked(skipped, mask)
