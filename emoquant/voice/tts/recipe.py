"""Emotion recipes: operations on the frames of a reference before their time mean conditions a voice.

A recipe is a list of steps, applied in their order. Frames can also be computed otherwise and given in place of a
recording: weighted sums of the frames of several, the centroid of an emotion as a single frame, or the output of a
codec of :mod:`emoquant.codecs.compose` (neutral first, mixtures).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.codecs.base import Codec

#: A reference recording: an audio file, or mono samples at 16 kHz ``(N,)``.
Audio = Path | str | Tensor


class Emotion(NamedTuple):
    """Hold the emotion frames of a reference after some steps of a recipe, with the rate of their quantization.

    Attributes:
        frames: Frames, ``(F, D)`` float32; a single frame after a step that gives one vector.
        bits: Estimated bits a frame of the last quantization; NaN before any.
        skips: Share of codes that are SKIP in the last quantization; NaN before any.
    """

    frames: Tensor
    bits: float = float("nan")
    skips: float = float("nan")

    @property
    def vector(self) -> Tensor:
        """Emotion vector that conditions the voice: the time mean of the frames, ``(D,)``."""
        return self.frames.mean(0)


#: An operation of a recipe: takes the emotion before it, returns the one after it.
Step = Callable[[Emotion], Emotion]


class Quantize:
    """Quantize the frames by a codec at one of its operating points.

    Args:
        codec: The codec.
        lmbda: Lagrange multiplier in squared feature units per bit (or another kind of point that the codec has).
    """

    def __init__(self, codec: Codec, lmbda: float) -> None:
        self.codec, self.lmbda = codec, lmbda

    def __call__(self, emotion: Emotion) -> Emotion:
        """Return the quantized emotion."""
        return quantize(emotion.frames, self.codec, [self.lmbda])[0]


class Intensity:
    """Shift the frames on the line from neutral to the emotion, to weaken or to exaggerate it.

    Args:
        amount: Position on that line: 0 is neutral, 1 leaves the emotion as it is, at most 1.5.
        neutral: Neutral vector ``(D,)``: a centroid, or the time mean of a neutral recording.

    Raises:
        ValueError: The amount is not in [0, 1.5].

    Example:
        >>> louder = Intensity(1.5, torch.tensor([0.0, 1.0]))
        >>> louder(Emotion(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))).vector.tolist()
        [3.0, -0.5]
    """

    def __init__(self, amount: float, neutral: Tensor) -> None:
        if not 0 <= amount <= 1.5:
            raise ValueError(f"intensity is {amount}, expected 0 (neutral) to 1.5, with 1 for the emotion as it is")
        self.amount, self.vector = amount, neutral

    def __call__(self, emotion: Emotion) -> Emotion:
        """Return the weaker or stronger emotion."""
        away = emotion.vector - self.vector.to(emotion.frames)
        return emotion._replace(frames=emotion.frames + (self.amount - 1) * away)


@torch.no_grad()
def quantize(frames: Tensor, codec: Codec, points: Sequence[float]) -> list[Emotion]:
    """Quantize frames by a codec at several operating points, in one search; return one emotion for each point.

    Args:
        frames: Frames, ``(F, D)``.
        codec: The codec.
        points: Operating points.
    """
    coded = codec(frames[None], torch.tensor([len(frames)], device=frames.device), list(points))
    found = []
    for features, bits, codes in zip(coded.features, coded.bits, coded.codes, strict=True):
        skips = float((codes == codec.codewords).float().mean()) if codes.numel() else float("nan")
        found.append(Emotion(features[0], float(bits.mean()), skips))
    return found
