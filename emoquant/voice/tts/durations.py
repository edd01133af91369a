"""Prediction of phone durations, and expansion of content from phones to mel frames."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.voice.tts.convolution import MaskedConv
from emoquant.voice.tts.masking import masked


class ConvPredictor(nn.Module):
    """Predict values for every position by a stack of convolutions.

    Args:
        hidden: Width of input and layers.
        outputs: Values for each position.
        layers: Number of convolutions.
        kernel: Width of the convolutions, in positions.
        dropout: Dropout after each.
    """

    def __init__(self, hidden: int, outputs: int, layers: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList(MaskedConv(hidden, hidden, kernel) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return predictions ``(B, T, outputs)`` for ``(B, T, H)``, zeros outside the mask ``(B, T)``."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            frames = self.dropout(norm(functional.relu(conv(frames, mask))))
        return masked(self.output(frames), mask)


class DurationPredictor(ConvPredictor):
    """Predict ``log(frames + 1)`` of each phone, in float32 under any precision of training.

    Args:
        hidden: Width of the content.
        dropout: Dropout.
    """

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__(hidden, 1, layers=2, kernel=3, dropout=dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return ``log(frames + 1)`` of each phone, ``(B, L)`` float32, from content and conditions ``(B, L, H)``."""
        with torch.autocast(frames.device.type, enabled=False):
            return super().forward(frames.float(), mask).squeeze(-1)


def whole_frames(log_durations: Tensor, mask: Tensor, scale: float = 1.0) -> Tensor:
    """Round predicted durations ``log(frames + 1)`` to whole frames.

    The times of the borders between phones are rounded, as for recordings, not the durations. So rounding errors do not
    add up, and an utterance is as long as the sum of its predicted durations.

    Args:
        log_durations: Predictions, ``(B, L)``.
        mask: Real phones, ``(B, L)`` bool.
        scale: Factor on every duration; above 1 is slower.

    Returns:
        Frames ``(B, L)`` int64, 0 at padding; an utterance without any frame gets one on its first phone.
    """
    exact = (torch.expm1(log_durations.double()) * scale).clamp(min=0) * mask
    frames = torch.diff(exact.cumsum(1).round().long(), dim=1, prepend=exact.new_zeros(len(exact), 1, dtype=torch.long))
    frames[:, 0] += frames.sum(1) == 0
    return frames


def phone_of_frame(durations: Tensor, size: int | None = None) -> Tensor:
    """Return the number of the phone that each frame belongs to.

    Args:
        durations: Frames of each phone, ``(B, L)`` int64; 0 at padding.
        size: Frames ``T`` of the result; those of the longest utterance by default.

    Returns:
        Phone of each frame, ``(B, T)`` int64, counted from 1; 0 past the end.

    Example:
        >>> phone_of_frame(torch.tensor([[2, 0, 1], [1, 0, 0]])).tolist()
        [[1, 1, 3], [1, 0, 0]]
    """
    ends = durations.cumsum(1)
    size = int(ends[:, -1].max()) if size is None else size
    times = torch.arange(size, device=durations.device).expand(len(durations), size).contiguous()
    phones = torch.searchsorted(ends, times, right=True) + 1
    return torch.where(times < ends[:, -1:], phones, 0)


class LengthRegulator(nn.Module):
    """Repeat the content of each phone for as many frames as the phone lasts."""

    def forward(self, content: Tensor, phones: Tensor) -> Tensor:
        """Return content of each frame, ``(B, T, H)``, zeros past the end.

        Args:
            content: Content of each phone, ``(B, L, H)``.
            phones: Phone of each frame, counted from 1; 0 past the end, ``(B, T)`` int64.
        """
        padded = functional.pad(content, (0, 0, 1, 0))
        return padded.gather(1, phones.unsqueeze(-1).expand(-1, -1, content.shape[-1]))
