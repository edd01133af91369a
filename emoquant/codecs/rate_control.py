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
    """Utterances that were encoded for a target.

    Attributes:
        encodings: What came nearest to the target, for each utterance.
        encodes: Searches that each utterance went through.
        reached: Whether each came within the tolerance (for a corpus target: whether all together did).
    """

    encodings: list[Encoding]
    encodes: list[int]
    reached: list[bool]


class Attempts:
    """Encodes of utterances on the way to a target: the best of each and what was measured."""

    def __init__(self, codec: RealBits, features: Sequence[Features], target: Target, before: int = 0) -> None:
        self.codec, self.features, self.target = codec, features, target.checked()
        self.open = list(range(len(features)))
        self.encodes = [before] * len(features)
        self._best: dict[int, tuple[float, Encoding]] = {}

    def run(self, lmbdas: Sequence[float]) -> list[tuple[int, float, float]]:
        """Encode the open utterances, close those that reached; return (utterance, lambda, measured value) of each."""
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

    With ``c(lmbda)`` the pooled curve, the value of an utterance is nearly proportional to ``c`` (bits) or shifted
    against it (similarity): the first encode is where ``c`` meets the target, the second where the corrected ``c``
    does, and further ones interpolate between those that lie above and below.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: What each utterance should reach.
        curve: A sweep over some utterances like these; many lambdas serve it better than many utterances.
        most: Encodes of an utterance at most.

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
