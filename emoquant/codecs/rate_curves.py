"""Rate and similarity over lambda: targets, sweeps and interpolation."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emoquant.codecs.bitstream import stored_lmbda
from emoquant.codecs.real_bits import Features, RealBits
from emoquant.devices.sharding import by_length

Quantity = Literal["bits_per_frame", "similarity"]
QUANTITIES: tuple[Quantity, Quantity] = ("bits_per_frame", "similarity")

#: Frames times lambdas, padding included, that a sweep holds at once; one utterance at one lambda at least.
SWEEP_FRAMES = 1 << 17
#: Lambdas of a sweep whose lambdas are not given.
GRID_POINTS = 32

#: Bits a frame below which a rate counts as 0 on a logarithmic axis.
NO_BITS = 1e-3


class Target(NamedTuple):
    """Hold the target of an encoding: a rate or a similarity.

    Attributes:
        value: Estimated bits a frame, or cosine similarity of the utterance's time means.
        quantity: ``bits_per_frame`` or ``similarity``.
        tolerance: Largest accepted difference, in the unit of ``value``.
    """

    value: float
    quantity: Quantity = "bits_per_frame"
    tolerance: float = 1.0

    def checked(self) -> "Target":
        """Return the target after checking it.

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

    def of(self, quantity: Quantity) -> NDArray[np.float64]:
        """Return the values of a quantity, ``(B, O)``."""
        return self.bits_per_frame if quantity == "bits_per_frame" else self.similarity

    def pooled(self) -> "Curves":
        """Return the curve of all utterances together: bits over all frames, mean similarity of the utterances."""
        bits = (self.bits_per_frame * self.frames[:, None]).sum(axis=0, keepdims=True) / self.frames.sum()
        similarity = self.similarity.mean(axis=0, keepdims=True)
        return Curves(self.lmbdas, bits, similarity, self.frames.sum(keepdims=True))

    def joined(self, other: "Curves") -> "Curves":
        """Return the points of both, in rising order of lambda; ``other`` is of the same utterances."""
        lmbdas = np.concatenate([self.lmbdas, other.lmbdas])
        order = np.argsort(lmbdas)
        bits, similar = (np.concatenate([self.of(each), other.of(each)], axis=1)[:, order] for each in QUANTITIES)
        return Curves(lmbdas[order], bits, similar, self.frames)


def lmbda_grid(codec: RealBits, points: int) -> list[float]:
    """Return 0 and a geometric grid over the range of lambdas that the codec was trained for."""
    if points < 3:
        raise ValueError(f"a grid needs at least 3 points, got {points}")
    low, high = codec.lmbda_range()
    return [0.0, *np.geomspace(low, high, points - 1).tolist()]


def similarity(features: Tensor, coded: Tensor) -> float:
    """Return the cosine similarity of the time means of two utterances ``(T, D)``; 0 where one mean is zero."""
    return float(nn.functional.cosine_similarity(features.double().mean(0), coded.double().mean(0), dim=0))


def sweep(codec: RealBits, features: Sequence[Features], lmbdas: Sequence[float] | None = None) -> Curves:
    """Return rate and similarity of utterances over lambda.

    Args:
        codec: The codec.
        features: Frame features of each utterance, ``(T, D)``.
        lmbdas: Lambdas in rising order; by default half of :data:`GRID_POINTS` from :func:`lmbda_grid`, and as many
            again where the rate of all utterances together falls fastest between those.

    Raises:
        ValueError: There are no utterances, lambdas do not rise, or features do not fit the codec.
    """
    if lmbdas is not None:
        return _measured(codec, features, lmbdas)
    coarse = _measured(codec, features, lmbda_grid(codec, GRID_POINTS // 2))
    fine = _measured(codec, features, _between(coarse, GRID_POINTS - GRID_POINTS // 2))
    return coarse.joined(fine)


def _between(curves: Curves, count: int) -> list[float]:
    """Return more lambdas, each in the middle of the widest gap that is left in the square root of the common rate."""
    roots = np.sqrt(np.minimum.accumulate(curves.pooled().bits_per_frame[0]))
    points = list(zip(curves.lmbdas.tolist(), roots.tolist(), strict=True))
    added = []
    for _ in range(count):
        gaps = [above - below for (_, above), (_, below) in itertools.pairwise(points)]
        place = int(np.argmax(gaps))
        (low, above), (high, below) = points[place : place + 2]
        added.append(math.sqrt(low * high) if low else high / 4)
        points.insert(place + 1, (added[-1], (above + below) / 2))
    return sorted(added)


@torch.no_grad()
def _measured(codec: RealBits, features: Sequence[Features], lmbdas: Sequence[float]) -> Curves:
    grid = [stored_lmbda(lmbda) for lmbda in lmbdas]
    if len(grid) < 2 or any(low >= high for low, high in itertools.pairwise(grid)):
        raise ValueError("lambdas of a sweep must rise, two of them at least")
    if not features:
        raise ValueError("a sweep needs at least one utterance")
    utterances = [torch.as_tensor(each).to(codec.mean.device, torch.float32) for each in features]
    frames = np.array([len(each) for each in utterances])
    bits, similar = np.zeros((len(frames), len(grid))), np.zeros((len(frames), len(grid)))
    for chosen in by_length(frames, SWEEP_FRAMES // len(grid)):
        batch = [utterances[i] for i in chosen]
        lengths = torch.from_numpy(frames[chosen])
        padded = nn.utils.rnn.pad_sequence(batch, batch_first=True)
        side_by_side = max(1, SWEEP_FRAMES // (len(chosen) * padded.shape[1]))
        for first in range(0, len(grid), side_by_side):
            part = slice(first, first + side_by_side)
            coded = codec(padded, lengths, grid[part])
            bits[chosen, part] = (coded.bits.double().sum(2).cpu() / lengths).T.numpy()
            for row, index in enumerate(chosen):
                means = coded.features[:, row, : frames[index]].double().mean(1)
                own = batch[row].double().mean(0, keepdim=True)
                similar[index, part] = nn.functional.cosine_similarity(means, own).cpu().numpy()
    return Curves(np.array(grid), bits, similar, frames)


def choose(curves: Curves, target: Target) -> list[float]:
    """Return the lambda of each curve at which it meets the target, by interpolation on the logarithm of lambda.

    A rate is interpolated on its logarithm, too, as it is nearly a power of lambda between neighbours of the grid. If
    no lambda meets the target, the nearest end of the grid is returned. Curves are replaced by their running minimum,
    so that they fall.
    """
    quantity = target.checked().quantity
    return [meet(curves.lmbdas, row, target.value, quantity) for row in curves.of(quantity)]


def meet(
    lmbdas: NDArray[np.float64], values: NDArray[np.float64], wanted: float, quantity: Quantity = "bits_per_frame"
) -> float:
    """Return the lambda at which a falling curve meets a value, by interpolation; see :func:`choose`."""
    falling = np.minimum.accumulate(values)
    if wanted >= falling[0]:
        return float(lmbdas[0])
    if wanted <= falling[-1]:
        return float(lmbdas[np.argmax(falling <= falling[-1])])
    after = int(np.argmax(falling <= wanted))
    above, middle, below = falling[after - 1], wanted, falling[after]
    if quantity == "bits_per_frame":
        above, middle, below = np.log(np.maximum([above, middle, below], NO_BITS))
    share = (above - middle) / (above - below) if above > below else 1.0  # rates that count as 0 on both sides
    low, high = lmbdas[after - 1], lmbdas[after]
    return float(high * share if low == 0 else low * (high / low) ** share)
