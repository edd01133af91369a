"""Emotion recipes: operations on the frames of a reference before their time mean conditions a voice."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.labels import canonical_emotion

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


class Step(ABC):
    """Base class of the operations of a recipe."""

    @abstractmethod
    def __call__(self, emotion: Emotion, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return the emotion after this step.

        Args:
            emotion: The emotion before.
            encode: Gives the frames ``(F, D)`` of further references.
        """


class Quantize(Step):
    """Quantize the frames by a codec at one of its operating points.

    Args:
        codec: The codec.
        lmbda: Lagrange multiplier in squared feature units per bit (or another kind of point that the codec has).
    """

    def __init__(self, codec: Codec, lmbda: float) -> None:
        self.codec, self.lmbda = codec, lmbda

    def __call__(self, emotion: Emotion, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return the quantized emotion; see the base class."""
        return quantize(emotion.frames, self.codec, [self.lmbda])[0]


class NeutralFirst(Step):
    """Move the frames towards neutral: to their reconstruction by a neutral codec, or by a shift to a neutral vector.

    Args:
        neutral: Codec whose codebook was trained on neutral speech, or the neutral centroid ``(D,)``.
        share: Share of the way, in [0, 1]; 1 goes all the way.
        lmbda: Operating point of the codec.

    Raises:
        ValueError: The share is not in [0, 1].
    """

    def __init__(self, neutral: Codec | Tensor, share: float = 1.0, lmbda: float = 0.0) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share is {share}, expected a number in [0, 1]")
        self.neutral, self.share, self.lmbda = neutral, share, lmbda

    def __call__(self, emotion: Emotion, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return the emotion nearer to neutral; see the base class."""
        target = emotion._replace(frames=emotion.frames.mean(0, keepdim=True))
        if isinstance(self.neutral, Tensor):
            shift = self.neutral - target.vector
            return emotion._replace(frames=emotion.frames + self.share * shift)
        coded = quantize(emotion.frames, self.neutral, [self.lmbda])[0]
        return coded._replace(frames=torch.lerp(emotion.frames, coded.frames, self.share))


class Mix(Step):
    """Mix further references into the first one, by weighted sums.

    Args:
        references: The further references.
        weights: Weight of each; the first reference has the rest to 1.
        level: ``"vector"`` mixes time means; ``"frame"`` mixes frames, after interpolating the further references to
            the first one's length, so that a codec can follow.

    Raises:
        ValueError: The number of weights is not that of references, a weight is negative or their sum is above 1.
    """

    def __init__(
        self, references: Sequence[Audio], weights: Sequence[float], level: Literal["vector", "frame"] = "vector"
    ) -> None:
        if len(references) != len(weights) or not references or min(weights) < 0 or sum(weights) > 1 + 1e-9:
            raise ValueError(f"expected one weight >= 0 a reference, at most 1 together; got {list(weights)}")
        if level not in ("vector", "frame"):
            raise ValueError(f"level {level!r}: expected 'vector' or 'frame'")
        self.references, self.weights, self.level = list(references), list(weights), level

    def __call__(self, emotion: Emotion, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return the mixture; see the base class."""
        mixed = (1 - sum(self.weights)) * self._shaped(emotion.frames, len(emotion.frames))
        for reference, weight in zip(self.references, self.weights, strict=True):
            mixed = mixed + weight * self._shaped(encode(reference), len(emotion.frames))
        return emotion._replace(frames=mixed)

    def _shaped(self, frames: Tensor, length: int) -> Tensor:
        if self.level == "vector":
            return frames.mean(0, keepdim=True)
        return torch.nn.functional.interpolate(frames.T[None], size=length, mode="linear", align_corners=False)[0].T


class Centroid(Step):
    """Replace the reference's frames by the mean vector of an emotion.

    Args:
        emotion: Name of the emotion.
        centroids: Mean vector ``(D,)`` of each emotion, by canonical name.

    Raises:
        ValueError: There is no centroid of this emotion.
    """

    def __init__(self, emotion: str, centroids: Mapping[str, Tensor]) -> None:
        name = canonical_emotion(emotion)
        if name not in centroids:
            raise ValueError(f"no centroid of {emotion!r}: there are those of {', '.join(sorted(centroids))}")
        self.vector = centroids[name]

    def __call__(self, emotion: Emotion, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return the centroid; see the base class."""
        return emotion._replace(frames=self.vector[None].to(emotion.frames))


class Intensity(Step):
    """Shift the frames on the line from neutral to the emotion, to weaken or to exaggerate it.

    Args:
        amount: Position on that line: 0 is neutral, 1 leaves the emotion as it is, at most 1.5.
        neutral: Neutral vector ``(D,)``: a centroid, or the time mean of a neutral recording.

    Raises:
        ValueError: The amount is not in [0, 1.5].

    Example:
        >>> louder = EmotionRecipe(Intensity(1.5, torch.tensor([0.0, 1.0])))
        >>> louder(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), encode=None).vector.tolist()
        [3.0, -0.5]
    """

    def __init__(self, amount: float, neutral: Tensor) -> None:
        if not 0 <= amount <= 1.5:
            raise ValueError(f"intensity is {amount}, expected 0 (neutral) to 1.5, with 1 for the emotion as it is")
        self.amount, self.vector = amount, neutral

    def __call__(self, emotion: Emotion, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return the weaker or stronger emotion; see the base class."""
        away = emotion.vector - self.vector.to(emotion.frames)
        return emotion._replace(frames=emotion.frames + (self.amount - 1) * away)


class EmotionRecipe:
    """Apply steps to a reference's emotion frames in the given order; without steps they stay as they are.

    Args:
        steps: The steps.

    Example:
        >>> recipe = EmotionRecipe(NeutralFirst(torch.tensor([0.0, 1.0])))
        >>> recipe(torch.tensor([[1.0, 0.0], [3.0, 0.0]]), encode=None).vector.tolist()
        [0.0, 1.0]
    """

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    @property
    def codecs(self) -> list[Codec]:
        """Codecs that the steps use."""
        found = [getattr(step, "codec", getattr(step, "neutral", None)) for step in self.steps]
        return [codec for codec in found if isinstance(codec, Codec)]

    def __call__(self, frames: Tensor, encode: Callable[[Audio], Tensor]) -> Emotion:
        """Return what the recipe makes of the frames ``(F, D)`` of a reference.

        Args:
            frames: Frames of the reference.
            encode: Gives the frames of further references.
        """
        emotion = Emotion(frames)
        for step in self.steps:
            emotion = step(emotion, encode)
        return emotion


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
