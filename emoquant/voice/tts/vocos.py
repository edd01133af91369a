"""The generator of Vocos (Siuzdak 2024), which predicts a complex spectrogram."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.audio.mel import overlap_add

#: Greatest magnitude of a predicted spectrogram.
_LOUDEST = 1e2


class ConvNeXtBlock(nn.Module):
    """Apply a ConvNeXt block (Liu et al. 2022): depthwise convolution over time, then a wide layer at each frame.

    Args:
        dim: Channels.
        scale: Initial value of the learned scale of each channel.
        inner: Channels of the wide layer.
    """

    def __init__(self, dim: int, scale: float, inner: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.widen, self.narrow = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.scale = nn.Parameter(torch.full((dim,), scale))

    def forward(self, frames: Tensor) -> Tensor:
        """Return frames ``(B, T, dim)``."""
        mixed = self.norm(self.mix(frames.transpose(1, 2)).transpose(1, 2))
        return frames + self.scale * self.narrow(functional.gelu(self.widen(mixed)))


class VocosGenerator(nn.Module):
    """Generate waveforms from mel spectrograms by one inverse short-time Fourier transform.

    Parameters by ``dim`` x ``layers``: 512 x 8 has 13.5 M, 256 x 6 has 2.8 M, 128 x 4 has 0.6 M.

    Args:
        mels: Mel bands.
        n_fft: Points of the Fourier transform.
        hop: Samples from frame to frame.
        dim: Channels.
        layers: Number of blocks.
        inner: Channels of the wide layer of a block; three times ``dim`` by default.
        center: Position of the frames, as in :class:`~emoquant.audio.mel.MelSettings`; best the same as of the mels.
    """

    def __init__(
        self,
        mels: int = 80,
        n_fft: int = 1024,
        hop: int = 256,
        dim: int = 512,
        layers: int = 8,
        inner: int | None = None,
        center: bool = True,
    ) -> None:
        super().__init__()
        self.n_fft, self.hop, self.center = n_fft, hop, center
        inner = 3 * dim if inner is None else inner
        self.settings: dict[str, Any] = {
            "mels": mels, "n_fft": n_fft, "hop": hop, "dim": dim, "layers": layers, "inner": inner, "center": center
        }  # fmt: skip
        self.start = nn.Conv1d(mels, dim, 7, padding=3)
        self.first_norm, self.last_norm = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.blocks = nn.ModuleList(ConvNeXtBlock(dim, 1 / layers, inner) for _ in range(layers))
        self.output = nn.Linear(dim, n_fft + 2)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, mels: Tensor) -> Tensor:
        """Return waveforms ``(B, T * hop)`` float32 of logarithmic mel spectrograms ``(B, T, M)``."""
        frames = self.first_norm(self.start(mels.transpose(1, 2)).transpose(1, 2))
        for block in self.blocks:
            frames = block(frames)
        with torch.autocast(mels.device.type, enabled=False):
            level, phase = self.output(self.last_norm(frames.float())).transpose(1, 2).chunk(2, 1)
            spectrum = torch.polar(level.exp().clamp(max=_LOUDEST), phase)
            window = torch.hann_window(self.n_fft, device=mels.device)
            if not self.center:
                return overlap_add(spectrum, window, self.hop)
            samples = mels.shape[1] * self.hop
            return torch.istft(spectrum, self.n_fft, self.hop, self.n_fft, window, center=True, length=samples)
