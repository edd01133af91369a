"""A frame encoder without weights to download: 20 ms of samples, projected at random."""

import hashlib

import torch
from torch import Tensor, nn

from emoquant.encoders.base import EmotionHead, FrameEncoder


class FakeEncoder(FrameEncoder):
    """Projects each stretch of 320 samples to ``dim`` numbers; counts its calls."""

    def __init__(self, dim: int = 8, seed: int = 0) -> None:
        super().__init__()
        self.dim, self.seed, self.calls = dim, seed, 0
        weight = torch.randn(320, dim, generator=torch.Generator().manual_seed(seed)) / 18
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        frames = self.frame_lengths(lengths)
        if frames.min() < 1:
            raise ValueError(f"an utterance is too short for one frame: {int(lengths.min())} samples")
        padded = nn.functional.pad(waveforms, (0, -waveforms.shape[1] % 320))
        features = padded.reshape(len(waveforms), -1, 320) @ self.weight
        features = features[:, : int(frames.max())]
        inside = torch.arange(features.shape[1], device=frames.device) < frames[:, None]
        return features * inside[..., None], frames

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        return lengths // 320

    def fingerprint(self) -> str:
        return hashlib.sha256(f"fake {self.dim} {self.seed}".encode()).hexdigest()

    def head(self) -> EmotionHead:
        raise ValueError("the fake encoder has no head")
