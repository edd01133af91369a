"""Ways of rate control that emoquant's own is measured against: slower ones, or without control of each utterance.

* :func:`encode_by_sweep`: a sweep of the utterance over a grid of lambdas, interpolation on the logarithm of lambda and
  refining encodes; right where several targets are wanted of the same utterances, since the sweep is kept;
* :func:`encode_by_bisection`: bisection on the logarithm of lambda, the way of the study;
* :func:`encode_corpus`: one lambda for all utterances.
"""

import math
from collections.abc import Sequence

import numpy as np

from emoquant.codecs.rate_control import Attempts, Controlled, measure
from emoquant.codecs.rate_curves import Curves, Target, choose, meet, sweep
from emoquant.codecs.real_bits import Features, RealBits


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
    if refinements < 1:
        raise ValueError(f"refinements must be at least 1, got {refinements}")
    curves = sweep(codec, features) if curves is None else curves
    attempts = Attempts(codec, features, target)
    attempts.encodes = [len(curves.lmbdas)] * len(features)
    known = [dict(zip(curves.lmbdas.tolist(), row, strict=True)) for row in curves.of(target.quantity).tolist()]
    for _ in range(refinements):
        for i, lmbda, value in attempts.run([_meet_points(known[i], target) for i in attempts.open]):
            known[i][lmbda] = value
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
    attempts = Attempts(codec, features, target)
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


def _meet_points(points: dict[float, float], target: Target) -> float:
    lmbdas = sorted(points)
    return meet(np.array(lmbdas), np.array([points[lmbda] for lmbda in lmbdas]), target.value, target.quantity)
