"""Masks of padded sequences, and means and sums that leave out padding."""

import torch
from torch import Tensor

from emoquant.types import length_mask


def masked(frames: Tensor, mask: Tensor) -> Tensor:
    """Return frames ``(B, T, C)`` with zeros where the mask ``(B, T)`` is False, even in place of NaN."""
    return frames.masked_fill(~mask.unsqueeze(-1), 0.0)


def masked_mean(frames: Tensor, lengths: Tensor) -> Tensor:
    """Return the time mean of each sequence, padding left out.

    Args:
        frames: Frames, ``(B, T, D)``.
        lengths: Frames of each sequence, ``(B,)`` int64, at least 1.

    Returns:
        Means, ``(B, D)``, in the type of the frames.
    """
    inside = masked(frames, length_mask(lengths, frames.shape[1]))
    return inside.sum(1) / lengths.unsqueeze(1).to(frames.dtype)


def segment_mean(frames: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean frame of each segment of each sequence.

    Args:
        frames: Frames, ``(B, R, C)``.
        segments: Segment of each frame, ``(B, R)`` int64: 1, 2, ... without gaps; 0 for a frame in no segment.

    Returns:
        Means ``(B, S, C)``, zeros past a sequence's last segment, and number of segments of each, ``(B,)`` int64.
    """
    counts = segments.amax(1)
    size = int(counts.max())
    sums = frames.new_zeros(len(frames), size + 1, frames.shape[-1])
    sums = sums.scatter_add(1, segments.unsqueeze(-1).expand_as(frames), frames)
    sizes = frames.new_zeros(len(frames), size + 1).scatter_add(1, segments, torch.ones_like(frames[..., 0]))
    return sums[:, 1:] / sizes[:, 1:].clamp(min=1).unsqueeze(-1), counts


def segment_sum(values: Tensor, segments: Tensor) -> Tensor:
    """Return the sum of values over each segment, numbered as for :func:`segment_mean`.

    Args:
        values: Values, ``(B, L)``.
        segments: Segment of each, ``(B, L)`` int64.

    Returns:
        Sums ``(B, L)``, since there cannot be more segments than values; zeros past a sequence's last segment.
    """
    sums = values.new_zeros(len(values), values.shape[1] + 1)
    return sums.scatter_add(1, segments, values)[:, 1:]
