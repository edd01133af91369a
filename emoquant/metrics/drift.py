"""The direction in which coding moves utterances: to neutral, to another emotion, to the training mean."""

import math

import torch
from torch import Tensor

from emoquant.metrics.similarity import cosine


def drift_towards(features: Tensor, coded: Tensor, own: Tensor, target: Tensor) -> Tensor:
    """Return how much more coding raised each utterance's similarity to a target than to its own emotion.

    With ``s`` the cosine similarity and ``lead(x) = s(x, target) - s(x, own)``, the drift is
    ``lead(coded) - lead(features)``. With the neutral centroid as target this is the drift to neutral. With the
    training mean or the all-SKIP reconstruction as target it shows whether that drift is a collapse.

    Args:
        features: Utterance vectors before coding, ``(B, D)``.
        coded: The same utterances after coding, ``(..., B, D)``.
        own: Centroid of the utterances' emotion, ``(D,)`` or ``(B, D)``.
        target: Target vector, ``(D,)``.

    Returns:
        Drift per utterance in [-4, 4], without unit, ``(..., B)`` float64; 0 if coding changed nothing; NaN
        everywhere if the target is the zero vector, which has no direction.

    Example:
        >>> own, neutral = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> coded = torch.tensor([[0.6, 0.8]])
        >>> drift_towards(torch.tensor([[1.0, 0.0]]), coded, own, neutral).round(decimals=6).tolist()
        [1.2]
    """
    before = cosine(features, target) - cosine(features, own)
    after = cosine(coded, target) - cosine(coded, own)
    return after - before if bool(target.any()) else torch.full_like(after, torch.nan)


def attraction(features: Tensor, coded: Tensor, centroid: Tensor) -> Tensor:
    """Return the change of each utterance's angle to a centroid by coding, in degrees; negative means attracted.

    ``angle(coded, centroid) - angle(features, centroid)``, of time means.

    Args:
        features: Utterance vectors before coding, ``(B, D)``.
        coded: The same utterances after coding, ``(..., B, D)``.
        centroid: The centroid, ``(D,)``.

    Returns:
        Degrees in [-180, 180], ``(..., B)`` float64. A zero vector counts as at right angles to everything.

    Example:
        >>> happy = torch.tensor([0.0, 1.0])
        >>> attraction(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]), happy).round().tolist()
        [-45.0]
    """
    return angle(coded, centroid) - angle(features, centroid)


def angle(first: Tensor, second: Tensor) -> Tensor:
    """Return the angle between vectors in degrees, 0 to 180, ``(...)`` float64.

    Args:
        first: Vectors, ``(..., D)``.
        second: Vectors that broadcast with the first, ``(..., D)``.
    """
    return torch.rad2deg(torch.arccos(cosine(first, second)))


def random_directions(dim: int, pairs: int, seed: int = 0) -> Tensor:
    """Return random unit vectors in opposite pairs, ``(2 * pairs, D)`` float64, determined by the seed.

    Args:
        dim: Feature dimensions ``D``.
        pairs: Number of independent directions; the opposite of each is added, so that first-order effects cancel.
        seed: Seed of the directions.
    """
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(pairs, dim, generator=generator, dtype=torch.float64)
    vectors = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return torch.cat([vectors, -vectors])


def null_drift(features: Tensor, coded: Tensor, own: Tensor, target: Tensor, directions: Tensor) -> Tensor:
    """Return the mean drift of displacements as long as those by coding, but in random directions.

    Each utterance vector is moved by ``|coded - features|`` along every direction. The mean of the resulting
    :func:`drift_towards` is the null hypothesis that coding has no preferred direction.

    Args:
        features: Utterance vectors before coding, ``(B, D)``.
        coded: The same utterances after coding, ``(..., B, D)``.
        own: Centroid of the utterances' emotion, ``(B, D)``.
        target: Target vector, ``(D,)``.
        directions: Unit vectors, ``(J, D)`` (see :func:`random_directions`).

    Returns:
        Drift per utterance, ``(..., B)`` float64; NaN if the target is the zero vector.
    """
    before = features.double()
    lengths = torch.linalg.vector_norm(coded.double() - before, dim=-1)[..., None]  # (..., B, 1)
    squares = before.square().sum(-1)[:, None]
    along = before @ directions.T  # (B, J)
    norms = (squares + lengths.square() + 2 * lengths * along).clamp_min(0).sqrt()  # (..., B, J)

    def similarity(centroid: Tensor) -> Tensor:
        centroid = torch.nn.functional.normalize(centroid.double(), dim=-1)
        dots = (before * centroid).sum(-1)[:, None] + lengths * (directions @ centroid.mT).mT
        return torch.where(norms > 0, dots / norms.clamp_min(torch.finfo(torch.float64).tiny), 0.0).mean(-1)

    if not bool(target.any()):
        return torch.full(coded.shape[:-1], torch.nan, dtype=torch.float64, device=coded.device)
    lead = similarity(target.expand_as(own)) - similarity(own)
    return lead - (cosine(features, target) - cosine(features, own))


def remaining_distance(features: Tensor, coded: Tensor, target: Tensor) -> Tensor:
    """Return each utterance's distance to a target after coding over that before, ``|x^ - t| / |x - t|``.

    Unlike a cosine it is defined for the zero vector as target, where it is the ratio of the vectors' norms.

    Args:
        features: Utterance vectors before coding, ``(B, D)``.
        coded: The same utterances after coding, ``(..., B, D)``.
        target: A point of feature space, ``(D,)``.

    Returns:
        Ratios from 0 (collapsed onto the target), 1 where coding changed nothing, ``(..., B)`` float64; NaN where the
        utterance was at the target before.
    """
    before = torch.linalg.vector_norm(features.double() - target, dim=-1)
    after = torch.linalg.vector_norm(coded.double() - target, dim=-1)
    return torch.where(before > 0, after / before, math.nan)
