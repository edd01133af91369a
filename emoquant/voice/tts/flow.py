"""The post-net: a conditional normalising flow that refines the decoder's mels (PortaSpeech, Ren et al. 2021)."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from emoquant.types import length_mask
from emoquant.voice.tts.convolution import GatedConvs
from emoquant.voice.tts.couplings import ActNorm, AffineCoupling, InvertibleConv, squeeze, unsqueeze
from emoquant.voice.tts.masking import masked


class FlowBlock(nn.Module):
    """Apply one step of the flow: activation norm, invertible convolution, affine coupling.

    Args:
        channels: Channels of the frames.
        inner: Channels of the coupling's network.
        convs: Its gated convolutions.
    """

    def __init__(self, channels: int, inner: int, convs: GatedConvs) -> None:
        super().__init__()
        self.norm, self.mix = ActNorm(channels), InvertibleConv()
        self.couple = AffineCoupling(channels, inner, convs)

    def forward(self, frames: Tensor, mask: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Map frames ``(B, T, C)`` one step towards noise; return them and the log-determinants ``(B,)``."""
        frames, normed = self.norm(frames, mask)
        frames, mixed = self.mix(frames, mask)
        frames, coupled = self.couple(frames, mask, conditions)
        return frames, normed + mixed + coupled

    def inverse(self, frames: Tensor, mask: Tensor, conditions: Tensor) -> Tensor:
        """Return the frames that :meth:`forward` maps to these."""
        frames = self.couple.inverse(frames, mask, conditions)
        return self.norm.inverse(self.mix.inverse(frames, mask), mask)


class PostFlow(nn.Module):
    """Map mel spectrograms to Gaussian noise and back: Glow (Kingma and Dhariwal 2018) over pairs, in float32.

    Args:
        mels: Mel bands, even.
        condition: Channels of the condition.
        blocks: Steps of the flow (:class:`FlowBlock`).
        channels: Channels inside the couplings.
        layers: Gated convolutions of a coupling.
        shared_blocks: Neighbouring blocks that share these convolutions.
        shared_condition: Whether one projection of the condition serves all blocks.

    Raises:
        ValueError: The number of mel bands is odd.
    """

    def __init__(
        self,
        mels: int,
        condition: int,
        blocks: int,
        channels: int,
        layers: int,
        shared_blocks: int = 1,
        shared_condition: bool = False,
    ) -> None:
        super().__init__()
        if mels % 2:
            raise ValueError(f"the flow needs an even number of mel bands, not {mels}")
        self.mels = mels
        groups = -(-blocks // shared_blocks)
        convs = [GatedConvs(channels, 3, layers) for _ in range(groups)]
        self.blocks = nn.ModuleList(
            FlowBlock(2 * mels, channels, convs[block // shared_blocks]) for block in range(blocks)
        )
        projections = 1 if shared_condition else blocks
        self.projections = nn.ModuleList(
            weight_norm(nn.Linear(2 * condition, 2 * channels * layers)) for _ in range(projections)
        )

    def negative_log_likelihood(self, mels: Tensor, lengths: Tensor, conditions: Tensor) -> Tensor:
        """Return the negative log-likelihood of mel spectrograms in nats per value, a scalar; padding is not counted.

        Args:
            mels: Target spectrograms, ``(B, T, M)``.
            lengths: Frames of each, ``(B,)`` int64.
            conditions: Conditions of each frame, ``(B, T, C)``.
        """
        with torch.autocast(mels.device.type, enabled=False):
            noise, log_determinants, mask = self.encode(mels.float(), lengths, conditions.float())
            densities = -0.5 * (noise.square() + math.log(2 * math.pi))
            total = masked(densities, mask).sum() + log_determinants.sum()
            return -total / (mask.sum() * noise.shape[-1])

    def encode(self, mels: Tensor, lengths: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map mels ``(B, T, M)`` to noise ``(B, T', 2 M)``; return it, log-determinants ``(B,)``, mask ``(B, T')``."""
        frames, pairs = squeeze(mels, lengths)
        mask = length_mask(pairs, frames.shape[1])
        log_determinants = frames.new_zeros(len(frames))
        for block, condition in zip(self.blocks, self._conditions(conditions, lengths), strict=True):
            frames, log_determinant = block(frames, mask, condition)
            log_determinants = log_determinants + log_determinant
        return frames, log_determinants, mask

    def decode(self, noise: Tensor, lengths: Tensor, conditions: Tensor) -> Tensor:
        """Map noise to mels ``(B, T, M)`` float32, zeros past the end: the inverse of :meth:`encode`.

        Args:
            noise: Noise for pairs of frames, ``(B, ceil(T / 2), 2 M)``.
            lengths: Frames of each item, ``(B,)`` int64.
            conditions: Conditions of each frame, ``(B, T, C)``.
        """
        with torch.autocast(noise.device.type, enabled=False):
            frames = noise.float()
            mask = length_mask((lengths + 1) // 2, frames.shape[1])
            steps: list[tuple[Any, Tensor]] = list(
                zip(self.blocks, self._conditions(conditions.float(), lengths), strict=True)
            )
            for block, condition in reversed(steps):
                frames = block.inverse(frames, mask, condition)
            size = conditions.shape[1]
            return masked(unsqueeze(frames, size), length_mask(lengths, size))

    def _conditions(self, conditions: Tensor, lengths: Tensor) -> list[Tensor]:
        pairs, _ = squeeze(conditions, lengths)
        projected = [project(pairs) for project in self.projections]
        return projected * len(self.blocks) if len(projected) == 1 else projected
