"""Cutting long utterances into windows that overlap, and joining the frames of the windows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor


class Windows(NamedTuple):
    """How long utterances are cut.

    Attributes:
        window: Longest stretch that is encoded at once, in seconds.
        overlap: What two windows share, in seconds.
        sample_rate: Samples a second.
        hop: Samples from one frame to the next.
        field: Samples that a frame is computed from.
    """

    window: float
    overlap: float
    sample_rate: int
    hop: int
    field: int

    @property
    def samples(self) -> int:
        """Samples of a window: whole frames."""
        frames = max(1, (round(self.window * self.sample_rate) - self.field) // self.hop + 1)
        return (frames - 1) * self.hop + self.field

    @property
    def step(self) -> int:
        """Samples from the start of one window to that of the next: whole frames."""
        return max(1, round((self.window - self.overlap) * self.sample_rate) // self.hop) * self.hop


def plan_windows(length: int, windows: Windows) -> list[tuple[int, int]]:
    """Return first and last sample (exclusive) of the windows of an utterance.

    Windows begin at multiples of the step, so that their frames lie on the frames of the whole. The last one ends with
    the utterance and is at least as long as the overlap.

    Args:
        length: Samples of the utterance.
        windows: How to cut.

    Example:
        >>> plan_windows(250, Windows(1.0, 0.2, 100, 10, 20))
        [(0, 100), (80, 180), (160, 250)]
    """
    if length <= windows.samples:
        return [(0, length)]
    starts = [0]
    while starts[-1] + windows.samples < length:
        starts.append(starts[-1] + windows.step)
    return [(start, min(start + windows.samples, length)) for start in starts]


def join_windows(parts: Sequence[Tensor], plan: Sequence[tuple[int, int]], windows: Windows) -> Tensor:
    """Return the frames of an utterance from those of its windows.

    Where two windows overlap, the first half of the shared frames comes from the earlier window, the second half from
    the later one: every frame has context on both sides.

    Args:
        parts: Frames of each window, ``(T_i, D)``.
        plan: What :func:`plan_windows` returned.
        windows: How it was cut.

    Returns:
        ``(T, D)``, as many frames as the whole utterance has.
    """
    firsts = [start // windows.hop for start, _ in plan]
    lasts = [first + len(part) for first, part in zip(firsts, parts, strict=True)]
    cuts = [
        firsts[0],
        *((first + last + 1) // 2 for first, last in zip(firsts[1:], lasts[:-1], strict=True)),
        lasts[-1],
    ]
    spans = zip(parts, firsts, pairwise(cuts), strict=True)
    return torch.cat([part[begin - first : end - first] for part, first, (begin, end) in spans])
