"""Bits for a task: errors count by what they change in the decisions of classifiers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.encoders.base import EmotionHead


class HeadWeight:
    """What an error counts: its square, plus what it changes in the decisions of classifiers of time means.

    Args:
        heads: The classifiers, such as the head of an encoder or probes.
        share: How often the Fisher information of their decisions counts; at 1 as much as squared error, over the time
            means of the training split.

    Raises:
        ValueError: There is no classifier, or the share is not above 0.
    """

    def __init__(self, heads: EmotionHead | list[EmotionHead], share: float = 30.0) -> None:
        self.heads = heads if isinstance(heads, list) else [heads]
        if not self.heads or not 0 < share < math.inf:
            raise ValueError(f"a weight needs a head and a share above 0, got {len(self.heads)} heads and {share}")
        self.share = share

    def metrics(self, vectors: Tensor) -> Tensor:
        """Return the metrics of time means and of the rest for time means ``(N, D)`` of training; ``(2, D, D)``.

        Raises:
            ValueError: A classifier reads vectors of another dimension.
        """
        for head in self.heads:
            if head.dim != vectors.shape[1]:
                raise ValueError(
                    f"a head of the weight reads {head.dim} dimensions, the features have {vectors.shape[1]}: take "
                    "one of the data's encoder"
                )
        covariance = torch.cov(vectors.double().T, correction=0)
        return mixed_metrics(fisher_information(self.heads, vectors), covariance, self.share)


def fisher_information(heads: Sequence[EmotionHead], vectors: Tensor) -> Tensor:
    """Return the mean Fisher information of classifiers' decisions about utterance vectors, summed over classifiers.

    A small error ``e`` of a vector changes the probabilities by ``e' F e / 2`` nats of Kullback-Leibler divergence
    (Amari 2016, *Information geometry and its applications*).

    Args:
        heads: The classifiers.
        vectors: Time means, ``(N, D)`` float32.

    Returns:
        ``(D, D)`` float64.
    """
    total = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64)
    for head in heads:
        for vector in vectors.cpu():
            slopes = torch.autograd.functional.jacobian(lambda v, head=head: head(v.unsqueeze(0))[0], vector).double()
            shares = head(vector.unsqueeze(0))[0].double().softmax(-1).detach()
            centred = slopes - shares @ slopes
            total += centred.T @ (shares.unsqueeze(1) * centred)
    return total / len(vectors)


def mixed_metrics(information: Tensor, covariance: Tensor, share: float) -> Tensor:
    """Return ``squared error + share x information`` for time means, and squared error for what differs from them.

    Args:
        information: ``(D, D)``; scaled such that it counts as much as squared error, over vectors of the covariance.
        covariance: Of the time means, ``(D, D)``.
        share: How often the information counts.

    Returns:
        ``(2, D, D)`` float64, for :meth:`Weighting.set`.

    Raises:
        ValueError: The classifiers say the same of all vectors.
    """
    spread = float((information * covariance).sum())
    if not spread > 0:
        raise ValueError("the classifiers do not tell the training vectors apart: name others, or none")
    scaled = information * (float(covariance.trace()) / spread)
    plain = torch.eye(len(information), dtype=torch.float64)
    return torch.stack([plain + share * scaled, plain])
