"""Operating points at wanted rates: the lambdas at which a codec spends so many bits a frame on validation data."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn

from emoquant.codecs.rate_curves import Curves, Target, choose, sweep
from emoquant.codecs.real_bits import RealBits
from emoquant.devices.ranks import from_first, gathered
from emoquant.interfaces.protocols import EmotionData
from emoquant.storage.results import Row

#: Validation utterances that the rates are measured on.
_UTTERANCES = 64
#: A codec whose highest rate is below this share of a wanted one has no point there.
_REACHED = 0.97
#: How often the lambdas that were chosen are measured and chosen again.
_ROUNDS = 2


class RatePoint(NamedTuple):
    """A lambda that was chosen for a rate.

    Attributes:
        lmbda: The lambda, in squared feature units per bit.
        rate: The rate that it was chosen for, in bits a frame.
    """

    lmbda: float
    rate: float


def place_points(codecs: nn.ModuleList, data: EmotionData, rates: Sequence[float]) -> dict[str, list[RatePoint]]:
    """Give codecs operating points at wanted rates, beside those that they have.

    They come after the points that a codec has, in the order of the rates, so that those of several folds belong
    together by their place. One sweep over at most 64 validation utterances tells how the rate of each codec falls with
    lambda; the test split has no part in it. A rate that is out of a codec's reach is left out. Codecs of other kinds
    of points (mixtures, cascades, similarity targets, codecs of audio) keep theirs.

    Args:
        codecs: The codecs; those at whose lambda the rate can be chosen get more :attr:`points`.
        data: The data.
        rates: Wanted bits a frame.

    Returns:
        The points that were chosen, by the name of the codec; the same on all ranks.

    Raises:
        ValueError: A rate is not above 0, or there are no validation utterances.
    """
    if any(not (rate > 0 and math.isfinite(rate)) for rate in rates):
        raise ValueError(f"rates are bits a frame above 0, got {list(rates)}")
    found: dict[str, list[RatePoint]] = {}
    named = [codec for codec in codecs if isinstance(codec, RealBits)]
    if not rates or not named:
        return found
    features = _validation_features(data)
    for codec in named:
        found[codec.name] = from_first(partial(_points, codec, features, rates))
        codec.points = (*codec.points, *(point.lmbda for point in found[codec.name]))
        text = ", ".join(f"{point.rate:g} at λ {point.lmbda:g}" for point in found[codec.name])
        rank_zero_info(f"bits a frame of {codec.name} on validation data: {text}")
    return found


def _points(codec: RealBits, features: Sequence[Tensor], rates: Sequence[float]) -> list[RatePoint]:
    curve = sweep(codec, features).pooled()
    most = float(curve.bits_per_frame.max())
    wanted = [rate for rate in rates if rate <= most / _REACHED]
    chosen: list[float] = []
    for _ in range(_ROUNDS + 1):  # a grid is wide where rates are low: what was chosen is measured, too
        fresh = sorted({*chosen} - {*curve.lmbdas.tolist()})
        if len(fresh) > 1:
            curve = curve.joined(sweep(codec, features, fresh).pooled())
        chosen = [choose(curve, Target(rate))[0] for rate in wanted]
    points = [RatePoint(float(f"{lmbda:.4g}"), rate) for lmbda, rate in zip(chosen, wanted, strict=True) if lmbda > 0]
    return [_beside(point, codec.points) for point in _one_a_lambda(points, curve)]


def _beside(point: RatePoint, used: Sequence[float]) -> RatePoint:
    """Return a point whose lambda is moved by 0.02 % while it is one of those used: a point is found by its lambda."""
    while point.lmbda in used:
        point = point._replace(lmbda=float(f"{point.lmbda * 1.0002:.6g}"))
    return point


def _one_a_lambda(points: Sequence[RatePoint], curve: Curves) -> list[RatePoint]:
    """Return the points without those whose lambda is that of a rate nearer to its own: the rate jumps over theirs."""
    bits = np.interp([point.lmbda for point in points], curve.lmbdas, curve.bits_per_frame[0])
    off = {point: abs(math.log(point.rate / max(at, 1e-12))) for point, at in zip(points, bits, strict=True)}
    nearest = {point.lmbda: point for point in sorted(points, key=off.__getitem__, reverse=True)}
    return [point for point in points if nearest[point.lmbda] == point]


def _validation_features(data: EmotionData) -> list[Tensor]:
    """Return frame features ``(T, D)`` of utterances, evenly taken from the validation split; a collective call."""
    if not len(data.dataset("validation").lengths):
        raise ValueError(
            f"{data.name} has no validation utterances, on which operating points are placed: split it otherwise, or "
            "leave out the option `rates`"
        )
    count = len(data.dataset("validation").lengths)
    wanted = set(np.linspace(0, count - 1, min(count, _UTTERANCES)).round().astype(int).tolist())
    own: dict[int, Tensor] = {}
    for batch in data.val_dataloader():  # of several processes each reads its share
        for place, row in enumerate(batch.utterances.tolist()):
            if row in wanted:
                own[row] = batch.features[place, : batch.lengths[place]]
    found = {row: frames for share in gathered(own) for row, frames in share.items()}
    return [found[row] for row in sorted(found)]


def point_rows(codecs: nn.ModuleList, chosen: Mapping[str, Sequence[RatePoint]], corpus: str) -> list[Row]:
    """Return what is known of operating points, so that they are found again and codecs of encoders compared.

    - ``target_bits_per_frame``: the rate on validation data that a lambda was chosen for;
    - ``relative_lambda``: lambda over the variance of the codec's training frames a dimension.

    Args:
        codecs: The codecs.
        chosen: What :func:`place_points` returned.
        corpus: Name of the corpus in the rows.
    """
    rows: list[Row] = []
    for codec in codecs:
        if isinstance(codec, RealBits):
            targets = [("target_bits_per_frame", each.lmbda, each.rate) for each in chosen.get(codec.name, ())]
            ratios = [("relative_lambda", point, point / float(codec.variance)) for point in codec.points]
            rows += [
                Row.known(corpus, codec.name, metric, value, point) for metric, point, value in (*targets, *ratios)
            ]
    return rows
