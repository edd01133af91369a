"""The invertible layers of the post-net flow, each with its log-determinant and its inverse."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from emoquant.voice.tts.convolution import GatedConvs
from emoquant.voice.tts.masking import masked

#: Channels that one invertible matrix mixes.
_SPLIT = 4


class Flowed(NamedTuple):
    """Hold the result of an invertible layer: frames and log-determinant.

    Attributes:
        frames: Frames, ``(B, T, C)``, zeros outside the mask.
        log_determinant: Log of the absolute determinant of the Jacobian of each item, ``(B,)`` float32.
    """

    frames: Tensor
    log_determinant: Tensor


class ActNorm(nn.Module):
    """Scale and shift each channel; initialised to normalise the first training batch (Kingma and Dhariwal 2018).

    The statistics of that batch are taken over all processes, so that all start with the same scales and shifts.

    Args:
        channels: Channels.

    Attributes:
        started: Whether scale and shift are set, a scalar bool.
    """

    started: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("started", torch.tensor(False))
        self._seen = False  # that it has started, known without asking the device

    def forward(self, frames: Tensor, mask: Tensor) -> Flowed:
        """Return ``frames * exp(log_scale) + shift``."""
        if self.training and not self._seen:
            self._seen = bool(self.started)
            if not self._seen:
                self._start(frames, mask)
        log_determinant = self.log_scale.sum() * mask.sum(1)
        return Flowed(masked(frames * self.log_scale.exp() + self.shift, mask), log_determinant)

    def inverse(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return the frames that :meth:`forward` maps to these."""
        return masked((frames - self.shift) * torch.exp(-self.log_scale), mask)

    def _load_from_state_dict(self, *args: Any) -> None:  # noqa: ANN401 - torch's hook
        super()._load_from_state_dict(*args)
        self._seen = False

    @torch.no_grad()
    def _start(self, frames: Tensor, mask: Tensor) -> None:
        inside = frames[mask]
        sums = torch.cat([inside.sum(0), inside.square().sum(0), inside.new_tensor([len(inside)])])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
        if not torch.isfinite(sums).all():
            return  # half precision overflowed: the loss scaling leaves this step out, the next one starts
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        log_scale = -0.5 * torch.log((square - mean.square()).clamp(min=1e-6))
        self.log_scale.copy_(log_scale)
        self.shift.copy_(-mean * log_scale.exp())
        self.started.fill_(True)


class InvertibleConv(nn.Module):
    """Mix channels in groups of four, two from each half, by one invertible matrix (Glow-TTS, Kim et al. 2020).

    The matrix is kept as its LU decomposition, so that it stays invertible and its determinant is a product.
    """

    permutation: Tensor
    signs: Tensor

    def __init__(self) -> None:
        super().__init__()
        start = torch.linalg.qr(torch.randn(_SPLIT, _SPLIT)).Q
        permutation, lower, upper = torch.linalg.lu(start)
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(upper.diagonal().abs().log())
        self.register_buffer("permutation", permutation)
        self.register_buffer("signs", upper.diagonal().sign())

    def matrix(self) -> Tensor:
        """Return the matrix, ``(4, 4)`` float32."""
        lower = self.lower.tril(-1) + torch.eye(_SPLIT, device=self.lower.device)
        return self.permutation @ lower @ (self.upper.triu(1) + torch.diag(self.signs * self.log_scale.exp()))

    def forward(self, frames: Tensor, mask: Tensor) -> Flowed:
        """Mix the channels of every frame ``(B, T, C)``, with ``C`` a multiple of four."""
        log_determinant = self.log_scale.sum() * (frames.shape[-1] // _SPLIT) * mask.sum(1)
        return Flowed(masked(self._mix(frames, self.matrix()), mask), log_determinant)

    def inverse(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return the frames that :meth:`forward` maps to these."""
        return masked(self._mix(frames, torch.linalg.inv(self.matrix())), mask)

    @staticmethod
    def _mix(frames: Tensor, matrix: Tensor) -> Tensor:
        size, length, channels = frames.shape
        groups = frames.view(size, length, 2, channels // _SPLIT, 2)
        mixed = torch.einsum("ij,btjc->btic", matrix, groups.transpose(3, 4).reshape(size, length, _SPLIT, -1))
        return mixed.view(size, length, 2, 2, -1).transpose(3, 4).reshape(size, length, channels)


class AffineCoupling(nn.Module):
    """Scale and shift one half of the channels by values predicted from the other half and the condition.

    Args:
        channels: Channels of the frames, even.
        inner: Channels of the network that predicts scales and shifts.
        convs: Its gated convolutions, which may be shared with other couplings.
    """

    def __init__(self, channels: int, inner: int, convs: GatedConvs) -> None:
        super().__init__()
        self.start = weight_norm(nn.Linear(channels // 2, inner))
        self.end = nn.Linear(inner, channels)
        nn.init.zeros_(self.end.weight)
        nn.init.zeros_(self.end.bias)
        self.convs = convs

    def forward(self, frames: Tensor, mask: Tensor, conditions: Tensor) -> Flowed:
        """Return the first half of the channels unchanged, the second as ``shift + second * exp(log_scale)``."""
        first, second = frames.chunk(2, -1)
        shift, log_scale = self._predict(first, mask, conditions)
        frames = torch.cat([first, shift + second * log_scale.exp()], -1)
        return Flowed(masked(frames, mask), log_scale.sum((1, 2)))

    def inverse(self, frames: Tensor, mask: Tensor, conditions: Tensor) -> Tensor:
        """Return the frames that :meth:`forward` maps to these."""
        first, second = frames.chunk(2, -1)
        shift, log_scale = self._predict(first, mask, conditions)
        return masked(torch.cat([first, (second - shift) * torch.exp(-log_scale)], -1), mask)

    def _predict(self, first: Tensor, mask: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        inner = self.convs(self.start(first), mask, conditions)
        shift, log_scale = masked(self.end(inner), mask).chunk(2, -1)
        return shift, log_scale


def squeeze(frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Join every two neighbouring frames to one of twice the channels; an odd last frame is repeated.

    Args:
        frames: Frames, ``(B, T, C)``.
        lengths: Frames of each sequence, ``(B,)`` int64.

    Returns:
        Pairs ``(B, ceil(T / 2), 2 C)``, zeros past the end, and pairs of each sequence ``(B,)`` int64.
    """
    size, length, channels = frames.shape
    pairs = (lengths + 1) // 2
    frames = functional.pad(frames, (0, 0, 0, length % 2))
    times = torch.arange(frames.shape[1], device=frames.device)
    source = torch.minimum(times, lengths.unsqueeze(1) - 1).unsqueeze(-1).expand(-1, -1, channels)
    inside = times < 2 * pairs.unsqueeze(1)
    return masked(frames.gather(1, source), inside).reshape(size, -1, 2 * channels), pairs


def unsqueeze(pairs: Tensor, size: int) -> Tensor:
    """Undo :func:`squeeze`: return the first ``size`` frames ``(B, size, C)`` of pairs ``(B, T, 2 C)``."""
    return pairs.reshape(len(pairs), -1, pairs.shape[-1] // 2)[:, :size]
