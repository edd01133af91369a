"""Attention that aligns the local style of a reference with the content of another sentence."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.types import length_mask
from emoquant.voice.tts.transformer import sinusoids

#: Half the width of the forced diagonal, in segments of the reference.
_BAND = 1.5

#: Width of the diagonal that guided attention leaves free, as a share of the length (Tachibana et al. 2018).
_GUIDE_WIDTH = 0.3


class Attended(NamedTuple):
    """Hold the style that attention gives to each frame of the content.

    Attributes:
        styles: Style of each frame, ``(B, T, H)``.
        weights: Attention of each layer, mean over heads, ``(B, N, T, S)`` float32; rows of real frames sum to 1.
    """

    styles: Tensor
    weights: Tensor


def _places(lengths: Tensor, size: int) -> Tensor:
    """Return the centre of each of ``size`` positions as a share of each sequence's length, ``(B, size)``."""
    return (torch.arange(size, device=lengths.device) + 0.5) / lengths.unsqueeze(1)


def _apart(frames: Tensor, segments: Tensor, size: tuple[int, int]) -> Tensor:
    """Return how far each segment lies from the diagonal at each frame, in segments, ``(B, T, S)``."""
    centre = _places(frames, size[0]).clamp(max=1).unsqueeze(2) * segments[:, None, None]
    return torch.arange(size[1], device=segments.device) + 0.5 - centre


def diagonal_band(frames: Tensor, segments: Tensor, size: tuple[int, int]) -> Tensor:
    """Return fixed attention weights along the diagonal: equal ones for up to three segments around each frame's place.

    Args:
        frames: Frames of each item, ``(B,)`` int64.
        segments: Segments of each item's reference, ``(B,)`` int64.
        size: Frames and segments of the padded batch.

    Returns:
        Weights ``(B, T, S)`` float32; every row sums to 1.
    """
    near = (_apart(frames, segments, size).abs() <= _BAND) & length_mask(segments, size[1]).unsqueeze(1)
    return near.float() / near.sum(2, keepdim=True).clamp(min=1)


def guided_attention(weights: Tensor, frames: Tensor, segments: Tensor) -> Tensor:
    """Return the guided attention loss, which penalises attention far from the diagonal, summed over layers.

    ``mean over real (t, s) of A[t, s] (1 - exp(-(t/T - s/S)^2 / (2 * 0.3^2)))`` for each layer (Tachibana et al. 2018).

    Args:
        weights: Attention of the layers, ``(B, N, T, S)``.
        frames: Frames of each item, ``(B,)`` int64.
        segments: Segments of each item's reference, ``(B,)`` int64.

    Returns:
        The loss, a scalar.
    """
    mask = length_mask(frames, weights.shape[2]).unsqueeze(2) & length_mask(segments, weights.shape[3]).unsqueeze(1)
    distance = _places(frames, weights.shape[2]).unsqueeze(2) - _places(segments, weights.shape[3]).unsqueeze(1)
    penalty = (1 - torch.exp(-distance.square() / (2 * _GUIDE_WIDTH**2))).masked_fill(~mask, 0.0)
    return (weights * penalty.unsqueeze(1)).sum() / mask.sum()


class CrossAttention(nn.Module):
    """Attend from content to styles, in a transformer layer with the norms behind (post-norm)."""

    def __init__(self, hidden: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(hidden, hidden, bias=False) for _ in range(4))
        for linear in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(linear.weight)
        self.widen, self.narrow = nn.Linear(hidden, ffn), nn.Linear(ffn, hidden)
        self.attention_norm, self.ffn_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, content: Tensor, styles: Tensor, mask: Tensor, prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return updated content ``(B, T, H)`` and attention weights ``(B, T, S)`` float32, zero outside the mask.

        Args:
            content: Content, ``(B, T, H)``.
            styles: Styles, ``(B, S, H)``.
            mask: Real styles, ``(B, S)`` bool.
            prior: Logarithms of a prior, added to the attention scores, ``(B, 1, T, S)``.
        """
        size, length, hidden = content.shape
        shape = (size, -1, self.heads, hidden // self.heads)
        query = self.query(content).view(shape).transpose(1, 2)
        key, value = (linear(styles).view(shape).transpose(1, 2) for linear in (self.key, self.value))
        scores = (query @ key.transpose(2, 3)).float() / math.sqrt(shape[-1])
        scores = scores if prior is None else scores + prior
        weights = scores.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)
        mixed = (self.dropout(weights).to(value.dtype) @ value).transpose(1, 2).reshape(size, length, hidden)
        content = self.attention_norm(content + self.dropout(self.output(mixed)))
        inner = self.narrow(self.dropout(functional.relu(self.widen(content))))
        return self.ffn_norm(content + self.dropout(inner)), weights.mean(1)


class StyleToContentAttention(nn.Module):
    """Align the styles of a reference with the content of the sentence to be synthesised.

    Args:
        hidden: Width of the model.
        layers: Attention layers.
        heads: Heads of each.
        ffn: Inner width of their feed-forward parts.
        dropout: Dropout.
        band: Standard deviation of a prior around the diagonal, in segments of the reference; 0 for none.
    """

    def __init__(self, hidden: int, layers: int, heads: int, ffn: int, dropout: float, band: float = 0.0) -> None:
        super().__init__()
        self.place = nn.Linear(2 * hidden, hidden)
        self.band = band
        self.layers = nn.ModuleList(CrossAttention(hidden, heads, ffn, dropout) for _ in range(layers))

    def forward(
        self, content: Tensor, frames: Tensor, styles: Tensor, segments: Tensor, forcing: float = 0.0
    ) -> Attended:
        """Return the style of each frame of the content.

        Args:
            content: Content of each frame, ``(B, T, H)``.
            frames: Frames of each item, ``(B,)`` int64.
            styles: Styles of the reference's segments, ``(B, S, H)``.
            segments: Segments of each reference, ``(B,)`` int64.
            forcing: Weight of the styles along the diagonal (:func:`diagonal_band`) in the result, in [0, 1]; the rest
                comes from attention. Attention is computed at any value, so that its weights always have a gradient.
        """
        positions = sinusoids(styles.shape[1], styles.shape[2], styles.device).to(styles.dtype)
        styles = self.place(torch.cat([styles, positions.expand_as(styles)], -1))
        mask = length_mask(segments, styles.shape[1])
        attended, weights, prior = content, [], None
        if self.band:
            apart = _apart(frames, segments, (content.shape[1], styles.shape[1]))
            prior = -0.5 * (apart / self.band).square().unsqueeze(1)
        for layer in self.layers:
            attended, weight = layer(attended, styles, mask, prior)
            weights.append(weight)
        if forcing:
            band = diagonal_band(frames, segments, (content.shape[1], styles.shape[1]))
            attended = forcing * (band.to(styles.dtype) @ styles) + (1 - forcing) * attended
        return Attended(attended, torch.stack(weights, 1))
