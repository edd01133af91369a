"""Rate control: encodes that reach a wanted rate or similarity.

Beside a fixed lambda (:meth:`RealBits.encode_batch`: one encode, no control): a sweep over a few utterances, kept for a
whole corpus, tells how rate changes with lambda; every other utterance starts from it and needs two or three encodes
(:func:`encode_by_curve`). `benchmarks/rate_ways.py` holds what it is measured against.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from emoquant.codecs.rate_curves import Curves, Target, meet, similarity
from emoquant.codecs.real_bits import Encoding, Features, RealBits


class Controlled(NamedTuple):
    """Hold utterances that were encoded for a target rate or similarity.

    Attributes:
        encodings: For each utterance the encoding nearest to the target.
        encodes: For each utterance the number of searches.
        reached: Whether each came within the tolerance.
    """

    encodings: list[Encoding]
    encodes: list[int]
    reached: list[bool]


class Attempts:
    """Encode utterances repeatedly for a target, and keep the encoding of each that is nearest to it."""

    def __init__(self, codec: RealBits, features: Sequence[Features], target: Target) -> None:
        self.codec, self.features, self.target = codec, features, target.checked()
        self.open = list(range(len(features)))
        self.encodes = [0] * len(features)
        self._best: dict[int, tuple[float, Encoding]] = {}

    def run(self, lmbdas: Sequence[float]) -> list[tuple[int, float, float]]:
        """Encode the utterances off the target at given lambdas; return (utterance, lambda, measured value) of each."""
        encodings = self.codec.encode_batch([self.features[i] for i in self.open], lmbdas)
        found = []
        for i, encoding in zip(self.open, encodings, strict=True):
            value = measure(self.target, self.features[i], encoding)
            miss = abs(value - self.target.value)
            self.encodes[i] += 1
            if i not in self._best or miss < self._best[i][0]:
                self._best[i] = miss, encoding
            found.append((i, encoding.lmbda, value))
        self.open = [i for i in self.open if self._best[i][0] > self.target.tolerance]
        return found

    def result(self) -> Controlled:
        """Return the best encode of each utterance."""
        best = [self._best[i] for i in range(len(self.features))]
        return Controlled([each for _, each in best], self.encodes, [miss <= self.target.tolerance for miss, _ in best])


def measure(target: Target, features: Features, encoding: Encoding) -> float:
    """Return the target's quantity of an encode: estimated bits a frame, or similarity to the features ``(T, D)``."""
    if target.quantity == "bits_per_frame":
        return float(encoding.bits.double().mean())
    return similarity(torch.as_tensor(features).to(encoding.features.device), encoding.features)


def encode_by_curve(
    codec: RealBits, features: Sequence[Features], target: Target, curve: Curves, most: int = 4
) -> Controlled:
    """Encode each utterance for a target, starting from a curve that was measured on others.

    With ``c(lmbda)`` the pooled curve, an utterance's value is nearly ``c`` times a factor (bits) or ``c`` plus an
    offset (similarity). The first search is at the lambda where ``c`` meets the target, the second where ``c``
    does after correction by the first result. Further ones interpolate between results above and below the target.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: Target of each utterance.
        curve: A sweep over some similar utterances; many lambdas matter more than many utterances.
        most: Maximum number of searches of an utterance.

    Raises:
        ValueError: An argument is out of range or features do not fit the codec.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    pooled = curve.pooled()
    common = np.minimum.accumulate(pooled.of(target.checked().quantity)[0])
    attempts = Attempts(codec, features, target)
    points: list[list[tuple[float, float]]] = [[] for _ in features]  # (common, own value)
    for _ in range(most):
        wanted = [_next_place(points[i], target) for i in attempts.open]
        lmbdas = [meet(pooled.lmbdas, common, value, target.quantity) for value in wanted]
        for (i, _, value), place in zip(attempts.run(lmbdas), wanted, strict=True):
            points[i].append((float(np.clip(place, common[-1], common[0])), value))
        if not attempts.open:
            break
    return attempts.result()


def _next_place(points: Sequence[tuple[float, float]], target: Target) -> float:
    """Return the value of the common curve at which an utterance should meet the target."""
    above = min((point for point in points if point[1] > target.value), default=None)
    below = max((point for point in points if point[1] <= target.value), default=None)
    if above and below:
        share = (target.value - below[1]) / (above[1] - below[1])
        return below[0] + (above[0] - below[0]) * min(max(share, 0.1), 0.9)
    if not points:
        return target.value
    place, value = points[-1]
    if target.quantity == "similarity":
        return place + 1.5 * (target.value - value)
    return place * min(max(target.value / max(value, 1e-3), 0.25), 4.0)
