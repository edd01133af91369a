"""Rate control: the lambda that gives a wanted rate or similarity, per utterance or for a corpus.

Three ways, to be compared: a fixed lambda (:meth:`RealBits.encode_batch`, one encode an utterance, no control); one
sweep over a grid of lambdas, interpolation on the logarithm of lambda and one refining encode (:func:`encode_by_sweep`);
and bisection on the logarithm of lambda (:func:`encode_by_bisection`), the way of the study.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoquant.codecs.real_bits import Encoding, Features, RealBits

#: Frames times lambdas, padding included, that a sweep holds at once.
SWEEP_FRAMES = 1 << 17
GRID_POINTS = 28


class Target(NamedTuple):
    """What an encode should reach.

    Attributes:
        value: Estimated bits a frame, or cosine similarity of the utterance's time means.
        quantity: Which of both.
        tolerance: Largest distance that counts as reached, in the unit of ``value``.
    """

    value: float
    quantity: Literal["bits_per_frame", "similarity"] = "bits_per_frame"
    tolerance: float = 1.0

    def checked(self) -> "Target":
        """Return the target.

        Raises:
            ValueError: The value is out of range.
        """
        if self.quantity not in ("bits_per_frame", "similarity"):
            raise ValueError(f"a target is bits_per_frame or similarity, got {self.quantity!r}")
        highest = math.inf if self.quantity == "bits_per_frame" else 1.0
        lowest = 0.0 if self.quantity == "bits_per_frame" else -1.0
        if not (lowest <= self.value <= highest and math.isfinite(self.value)):
            raise ValueError(f"{self.quantity} must lie in [{lowest:g}, {highest:g}], got {self.value}")
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be above 0, got {self.tolerance}")
        return self


class Curves(NamedTuple):
    """What a sweep measured: ``B`` utterances at ``O`` lambdas in rising order.

    Attributes:
        lmbdas: ``(O,)``, in squared feature units per bit.
        bits_per_frame: Estimated bits a frame, ``(B, O)``.
        similarity: Cosine similarity of the time means, ``(B, O)``.
        frames: Frames of each utterance, ``(B,)``.
    """

    lmbdas: NDArray[np.float64]
    bits_per_frame: NDArray[np.float64]
    similarity: NDArray[np.float64]
    frames: NDArray[np.int64]

    def pooled(self) -> "Curves":
        """Return the curve of all utterances together: bits over all frames, mean similarity of the utterances."""
        bits = (self.bits_per_frame * self.frames[:, None]).sum(axis=0, keepdims=True) / self.frames.sum()
        similarity = self.similarity.mean(axis=0, keepdims=True)
        return Curves(self.lmbdas, bits, similarity, self.frames.sum(keepdims=True))


class Controlled(NamedTuple):
    """Utterances that were encoded for a target.

    Attributes:
        encodings: What the search made of each.
        encodes: Searches that each utterance went through.
        reached: Whether each came within the tolerance.
    """

    encodings: list[Encoding]
    encodes: list[int]
    reached: list[bool]


def lmbda_grid(codec: RealBits, points: int = GRID_POINTS) -> list[float]:
    """Return 0 and a geometric grid over the range of lambdas that the codec was trained for."""
    if points < 3:
        raise ValueError(f"a grid needs at least 3 points, got {points}")
    low, high = _range(codec)
    return [0.0, *np.geomspace(low, high, points - 1).tolist()]


def similarity(features: Tensor, coded: Tensor) -> float:
    """Return the cosine similarity of the time means of two utterances ``(T, D)``; 0 where one mean is zero."""
    return float(nn.functional.cosine_similarity(features.double().mean(0), coded.double().mean(0), dim=0))


@torch.no_grad()
def sweep(codec: RealBits, features: Sequence[Features], lmbdas: Sequence[float] | None = None) -> Curves:
    """Return rate and similarity of utterances over lambda.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        lmbdas: Lambdas in rising order; :func:`lmbda_grid` by default.

    Raises:
        ValueError: There are no utterances, lambdas do not rise, or features do not fit the codec.
    """
    grid = [float(np.float32(lmbda)) for lmbda in (lmbda_grid(codec) if lmbdas is None else lmbdas)]
    if len(grid) < 2 or any(low >= high for low, high in zip(grid, grid[1:], strict=False)):
        raise ValueError("lambdas of a sweep must rise, two of them at least")
    if not features:
        raise ValueError("a sweep needs at least one utterance")
    utterances = [torch.as_tensor(each).to(codec.quantizer.scale.device, torch.float32) for each in features]
    frames = np.array([len(each) for each in utterances])
    bits, similar = np.zeros((len(frames), len(grid))), np.zeros((len(frames), len(grid)))
    for chosen in _chunks(frames, SWEEP_FRAMES // len(grid)):
        batch = [utterances[i] for i in chosen]
        lengths = torch.from_numpy(frames[chosen])
        coded = codec(nn.utils.rnn.pad_sequence(batch, batch_first=True), lengths, grid)
        bits[chosen] = (coded.bits.double().sum(2).cpu() / lengths).T.numpy()
        for row, index in enumerate(chosen):
            means = coded.features[:, row, : frames[index]].double().mean(1)
            own = batch[row].double().mean(0, keepdim=True)
            similar[index] = nn.functional.cosine_similarity(means, own).cpu().numpy()
    return Curves(np.array(grid), bits, similar, frames)


def choose(curves: Curves, target: Target) -> list[float]:
    """Return the lambda of each curve at which it meets the target, by interpolation on the logarithm of lambda.

    Where no lambda reaches the target it is the nearest end of the grid. A curve that rises somewhere is read as its
    running minimum.
    """
    measured = curves.bits_per_frame if target.checked().quantity == "bits_per_frame" else curves.similarity
    return [_meet(curves.lmbdas, row, target.value) for row in measured]


def encode_by_sweep(
    codec: RealBits,
    features: Sequence[Features],
    target: Target,
    scope: Literal["utterance", "corpus"] = "utterance",
    refinements: int = 1,
    curves: Curves | None = None,
) -> Controlled:
    """Encode utterances for a target by one sweep, interpolation and refining encodes.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: What each utterance, or all of them together, should reach.
        scope: ``"utterance"`` for a lambda of its own for each, ``"corpus"`` for one that all share.
        refinements: Encodes after the sweep at most; each that misses becomes a point of the curve for the next.
        curves: What :func:`sweep` measured before on these utterances.

    Raises:
        ValueError: An argument is out of range or features do not fit the codec.
    """
    if scope not in ("utterance", "corpus") or refinements < 1:
        raise ValueError(f"scope must be utterance or corpus and refinements at least 1, got {scope!r}, {refinements}")
    curves = sweep(codec, features) if curves is None else curves
    if scope == "corpus":
        return _encode_corpus(codec, features, target, curves)
    known = [_points(curves, target, row) for row in range(len(features))]
    searches = [len(curves.lmbdas)] * len(features)
    found: dict[int, Encoding] = {}
    missing = list(range(len(features)))
    for _ in range(refinements):
        lmbdas = [_meet(*_sorted(known[i]), target.value) for i in missing]
        for i, encoding in zip(missing, codec.encode_batch([features[i] for i in missing], lmbdas), strict=True):
            reached = _measure(target, features[i], encoding)
            known[i].append((encoding.lmbda, reached))
            searches[i] += 1
            if i not in found or _miss(target, features[i], encoding) < _miss(target, features[i], found[i]):
                found[i] = encoding
        missing = [i for i in missing if _miss(target, features[i], found[i]) > target.tolerance]
        if not missing:
            break
    encodings = [found[i] for i in range(len(features))]
    return Controlled(encodings, searches, [i not in missing for i in range(len(features))])


def encode_by_bisection(codec: RealBits, features: Sequence[Features], target: Target, most: int = 80) -> Controlled:
    """Encode utterances for a target by bisection on the logarithm of lambda, each for itself.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        target: What each utterance should reach.
        most: Encodes of an utterance at most; it also ends when the interval of lambda is narrower than 0.01 %.

    Raises:
        ValueError: The target is out of range or features do not fit the codec.
    """
    target.checked()
    low, high = (np.full(len(features), math.log(end)) for end in _range(codec))
    found: dict[int, Encoding] = {}
    searches = [0] * len(features)
    open_ones = list(range(len(features)))
    for _ in range(most):
        middles = [(low[i] + high[i]) / 2 for i in open_ones]
        encodings = codec.encode_batch([features[i] for i in open_ones], [math.exp(x) for x in middles])
        for i, middle, encoding in zip(open_ones, middles, encodings, strict=True):
            searches[i] += 1
            if i not in found or _miss(target, features[i], encoding) < _miss(target, features[i], found[i]):
                found[i] = encoding
            if _measure(target, features[i], encoding) > target.value:
                low[i] = middle
            else:
                high[i] = middle
        reached = {i: _miss(target, features[i], found[i]) <= target.tolerance for i in open_ones}
        open_ones = [i for i in open_ones if not reached[i] and high[i] - low[i] > 1e-4]
        if not open_ones:
            break
    within = [_miss(target, features[i], found[i]) <= target.tolerance for i in range(len(features))]
    return Controlled([found[i] for i in range(len(features))], searches, within)


def _encode_corpus(codec: RealBits, features: Sequence[Features], target: Target, curves: Curves) -> Controlled:
    encodings = codec.encode_batch(features, choose(curves.pooled(), target)[0])
    if target.quantity == "bits_per_frame":
        total = sum(float(each.bits.double().sum()) for each in encodings)
        reached = total / sum(len(each.bits) for each in encodings)
    else:
        reached = float(np.mean([_measure(target, *pair) for pair in zip(features, encodings, strict=True)]))
    within = abs(reached - target.value) <= target.tolerance
    return Controlled(encodings, [len(curves.lmbdas) + 1] * len(features), [within] * len(features))


def _range(codec: RealBits) -> tuple[float, float]:
    scale, basis = float(codec.quantizer.scale), codec.entropy.basis
    return scale * basis.low, scale * basis.high


def _measure(target: Target, features: Features, encoding: Encoding) -> float:
    if target.quantity == "bits_per_frame":
        return float(encoding.bits.double().mean())
    return similarity(torch.as_tensor(features).to(encoding.features.device), encoding.features)


def _miss(target: Target, features: Features, encoding: Encoding) -> float:
    return abs(_measure(target, features, encoding) - target.value)


def _points(curves: Curves, target: Target, row: int) -> list[tuple[float, float]]:
    measured = curves.bits_per_frame if target.checked().quantity == "bits_per_frame" else curves.similarity
    return list(zip(curves.lmbdas.tolist(), measured[row].tolist(), strict=True))


def _sorted(points: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ordered = np.array(sorted(points))
    return ordered[:, 0], ordered[:, 1]


def _meet(lmbdas: NDArray[np.float64], values: NDArray[np.float64], wanted: float) -> float:
    falling = np.minimum.accumulate(values)
    if wanted >= falling[0]:
        return float(lmbdas[0])
    if wanted <= falling[-1]:
        return float(lmbdas[np.argmax(falling <= falling[-1])])
    after = int(np.argmax(falling <= wanted))
    share = (falling[after - 1] - wanted) / (falling[after - 1] - falling[after])
    low, high = lmbdas[after - 1], lmbdas[after]
    return float(high * share if low == 0 else low * (high / low) ** share)


def _chunks(frames: NDArray[np.int64], most: int) -> Iterator[list[int]]:
    order = np.argsort(-frames, kind="stable").tolist()
    while order:
        count = max(1, most // int(frames[order[0]]))
        yield order[:count]
        order = order[count:]
