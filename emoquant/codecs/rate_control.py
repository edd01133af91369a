"""Rate control: encodes that reach a wanted rate or similarity, per utterance or for a corpus.

Beside a fixed lambda (:meth:`RealBits.encode_batch`: one encode, no control) there are three ways:

* :func:`encode_by_sweep`: a sweep of the utterance over a grid of lambdas, interpolation on the logarithm of lambda and
  refining encodes; right where several targets are wanted of the same utterances, since the sweep is kept;
* :func:`encode_by_curve`: a sweep over a few utterances, kept for a whole corpus, tells how rate changes with lambda;
  every other utterance starts from it and needs two or three encodes;
* :func:`encode_by_bisection`: bisection on the logarithm of lambda, the way of the study.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch

from emoquant.codecs.rate_curves import Curves, Target, choose, meet, similarity, sweep
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


class _Attempts:
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
        best = [self._best[i] for i in range(len(self.features))]
        return Controlled([each for _, each in best], self.encodes, [miss <= self.target.tolerance for miss, _ in best])


def measure(target: Target, features: Features, encoding: Encoding) -> float:
    """Return the target's quantity of an encode: estimated bits a frame, or similarity to the features ``(T, D)``."""
    if target.quantity == "bits_per_frame":
        return float(encoding.bits.double().mean())
    return similarity(torch.as_tensor(features).to(encoding.features.device), encoding.features)


def encode_by_sweep(
    codec: RealBits, features: Sequence[Features], target: Target, refinements: int = 4, curves: Curves | None = None
) -> Controlled:
    """Encode each utterance for a target by a sweep of its own, interpolation and refining encodes.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: What each utterance should reach.
        refinements: Encodes after the sweep at most; each that misses becomes a point of the curve for the next. Near
            its target the rate of a single utterance is jagged (by half a bit at 50 bits a frame, say), so that
            even an exact interpolation misses +-1 bit here and there.
        curves: What :func:`sweep` measured before on these utterances.

    Raises:
        ValueError: An argument is out of range or features do not fit the codec.
    """
    _check_count("refinements", refinements)
    curves = sweep(codec, features) if curves is None else curves
    attempts = _Attempts(codec, features, target, before=len(curves.lmbdas))
    known = [dict(zip(curves.lmbdas.tolist(), row, strict=True)) for row in curves.of(target.quantity).tolist()]
    for _ in range(refinements):
        for i, lmbda, value in attempts.run([_meet_points(known[i], target) for i in attempts.open]):
            known[i][lmbda] = value
        if not attempts.open:
            break
    return attempts.result()


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
    _check_count("most", most)
    pooled = curve.pooled()
    common = np.minimum.accumulate(pooled.of(target.checked().quantity)[0])
    attempts = _Attempts(codec, features, target)
    points: list[list[tuple[float, float]]] = [[] for _ in features]  # (common, own value)
    for _ in range(most):
        wanted = [_next_place(points[i], target) for i in attempts.open]
        lmbdas = [meet(pooled.lmbdas, common, value, target.quantity) for value in wanted]
        for (i, _, value), place in zip(attempts.run(lmbdas), wanted, strict=True):
            points[i].append((float(np.clip(place, common[-1], common[0])), value))
        if not attempts.open:
            break
    return attempts.result()


def encode_by_bisection(codec: RealBits, features: Sequence[Features], target: Target, most: int = 80) -> Controlled:
    """Encode utterances for a target by bisection on the logarithm of lambda, each for itself.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: What each utterance should reach.
        most: Encodes of an utterance at most; none is spent on an interval of lambda narrower than 0.01 %.

    Raises:
        ValueError: The target is out of range or features do not fit the codec.
    """
    _check_count("most", most)
    attempts = _Attempts(codec, features, target)
    low, high = (np.full(len(features), math.log(end)) for end in codec.lmbda_range())
    for _ in range(most):
        middle = (low + high) / 2
        for i, _, value in attempts.run([math.exp(middle[i]) for i in attempts.open]):
            if value > target.value:
                low[i] = middle[i]
            else:
                high[i] = middle[i]
        attempts.open = [i for i in attempts.open if high[i] - low[i] > 1e-4]
        if not attempts.open:
            break
    return attempts.result()


def encode_corpus(
    codec: RealBits, features: Sequence[Features], target: Target, curves: Curves | None = None
) -> Controlled:
    """Encode utterances at the one lambda at which all of them together meet a target.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: Bits over all frames, or mean similarity of the utterances.
        curves: What :func:`sweep` measured before, on these utterances or on others like them.

    Raises:
        ValueError: An argument is out of range or features do not fit the codec.
    """
    own = curves is None
    curves = sweep(codec, features) if curves is None else curves
    encodings = codec.encode_batch(features, choose(curves.pooled(), target)[0])
    values = [measure(target, *pair) for pair in zip(features, encodings, strict=True)]
    weights = [len(each.bits) if target.quantity == "bits_per_frame" else 1 for each in encodings]
    within = abs(float(np.average(values, weights=weights)) - target.value) <= target.tolerance
    count = 1 + own * len(curves.lmbdas)
    return Controlled(encodings, [count] * len(features), [within] * len(features))


def _check_count(name: Literal["refinements", "most"], count: int) -> None:
    if count < 1:
        raise ValueError(f"{name} must be at least 1, got {count}")


def _meet_points(points: dict[float, float], target: Target) -> float:
    lmbdas = sorted(points)
    return meet(np.array(lmbdas), np.array([points[lmbda] for lmbda in lmbdas]), target.value, target.quantity)


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
