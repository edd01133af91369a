"""Feed-forward transformer layers (FastSpeech, Ren et al. 2019) and the positional encoding."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.voice.tts.convolution import MaskedConv
from emoquant.voice.tts.masking import masked


def sinusoids(size: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Return the sinusoidal positional encoding of Vaswani et al. (2017): sines in the first half, then cosines.

    Args:
        size: Number of positions; they count from 1.
        dim: Dimensions, even.
        device: Device of the result.

    Returns:
        Encodings, ``(size, dim)`` float32.
    """
    half = dim // 2
    rates = torch.exp(torch.arange(half, device=device, dtype=torch.float32) * (-math.log(10_000) / max(half - 1, 1)))
    angles = torch.arange(1, size + 1, device=device, dtype=torch.float32).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


class SelfAttention(nn.Module):
    """Apply multi-head self-attention without biases, to real positions only."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.inputs = nn.Linear(hidden, 3 * hidden, bias=False)
        self.output = nn.Linear(hidden, hidden, bias=False)
        for part in self.inputs.weight.chunk(3):
            nn.init.xavier_uniform_(part)
        nn.init.xavier_uniform_(self.output.weight)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Attend from every frame ``(B, T, H)`` to those inside the mask ``(B, T)``."""
        size, length, hidden = frames.shape
        heads = self.inputs(frames).view(size, length, 3, self.heads, hidden // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (B, heads, T, H / heads)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None], dropout_p=self.dropout if self.training else 0.0
        )
        return self.output(mixed.transpose(1, 2).reshape(size, length, hidden))


class FFTLayer(nn.Module):
    """Apply a pre-norm transformer layer whose feed-forward part begins with a convolution."""

    def __init__(self, hidden: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.attention = SelfAttention(hidden, heads, dropout)
        self.widen = MaskedConv(hidden, 4 * hidden, kernel)
        self.narrow = nn.Linear(4 * hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.scale = kernel**-0.5

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return frames ``(B, T, H)``, zeros outside the mask ``(B, T)``."""
        frames = frames + self.dropout(self.attention(self.attention_norm(frames), mask))
        inner = functional.gelu(self.widen(self.ffn_norm(frames), mask) * self.scale)
        return masked(frames + self.dropout(self.narrow(self.dropout(inner))), mask)


class FFTStack(nn.Module):
    """Apply positional encoding, transformer layers and a final norm."""

    def __init__(self, layers: int, hidden: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(FFTLayer(hidden, heads, kernel, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return frames ``(B, T, H)``, zeros outside the mask ``(B, T)``; padding has no influence."""
        positions = sinusoids(frames.shape[1], frames.shape[2], frames.device).to(frames.dtype)
        frames = masked(self.dropout(frames + positions), mask)
        for layer in self.layers:
            frames = layer(frames, mask)
        return masked(self.norm(frames), mask)
