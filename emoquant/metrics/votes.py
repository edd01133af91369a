"""Comparison of a classifier's probabilities with the distribution of the annotators' votes."""

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.recognition import class_columns


def entropy_bits(shares: Tensor) -> Tensor:
    """Return the entropy of distributions in bits, ``(...)`` float64; NaN for one of all zeros.

    Args:
        shares: Non-negative weights, ``(..., C)``; they are divided by their sum.

    Example:
        >>> entropy_bits(torch.tensor([[1.0, 0.0], [0.5, 0.5]])).abs().tolist()
        [0.0, 1.0]
    """
    values = shares.double()
    values = values / values.sum(-1, keepdim=True)
    return -torch.special.xlogy(values, values).sum(-1) / torch.log(torch.tensor(2.0, dtype=torch.float64))


def js_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of distributions in bits, ``H((p + q) / 2) - (H(p) + H(q)) / 2``.

    Lin 1991, Divergence measures based on the Shannon entropy.

    Args:
        first: Non-negative weights, ``(..., C)``; they are divided by their sum.
        second: Weights that broadcast with the first, ``(..., C)``.

    Returns:
        Divergence in [0, 1], ``(...)`` float64; 0 for equal, 1 for disjoint distributions, NaN for one of all zeros.

    Example:
        >>> js_divergence(torch.tensor([1.0, 0.0]), torch.tensor([[1.0, 0.0], [0.0, 3.0]])).tolist()
        [0.0, 1.0]
    """
    p, q = (values.double() / values.double().sum(-1, keepdim=True) for values in (first, second))
    return (entropy_bits((p + q) / 2) - (entropy_bits(p) + entropy_bits(q)) / 2).clamp(0.0, 1.0)


def top2_hits(scores: Tensor, votes: Tensor) -> Tensor:
    """Return whether the two likeliest emotions are the two with most votes, in any order.

    If emotions tie for second place, any of them counts. If one emotion has all votes, it must be one of the two.

    Args:
        scores: Scores of the emotions, larger is likelier, ``(..., C)`` with at least two emotions.
        votes: Votes or shares, broadcasting with the scores, ``(..., C)``.

    Returns:
        Hits, ``(...)`` bool; False where nobody voted.

    Example:
        >>> scores = torch.tensor([0.1, 0.5, 0.4])
        >>> top2_hits(scores, torch.tensor([[0, 1, 2], [2, 1, 0], [0, 3, 0]])).tolist()
        [True, False, True]
    """
    votes = votes.expand(scores.shape[:-1] + votes.shape[-1:]) if votes.ndim < scores.ndim else votes
    scores = scores.expand(votes.shape)
    chosen = torch.zeros(votes.shape, dtype=torch.bool, device=votes.device)
    chosen.scatter_(-1, scores.topk(2, dim=-1).indices, True)
    second = votes.topk(2, dim=-1).values[..., 1:]
    most_in = (chosen | (votes <= second)).all(-1)  # whatever beats the second place is chosen
    enough = ((votes >= second) | ~chosen).all(-1)  # whatever is chosen has the votes for it
    return most_in & enough & (votes.amax(-1) > 0)


class Votes(Measure):
    """Measure the ambiguity of the annotators' votes and how well the classifier's probabilities match them.

    - ``vote_entropy`` (bits): entropy of the votes, the same at every operating point;
    - ``js_divergence`` (bits): divergence of votes and probabilities (:func:`js_divergence`);
    - ``vote_cross_entropy`` (bits): cross-entropy of the votes under the probabilities;
    - ``top2_accuracy``: share of utterances whose two likeliest emotions are the two with most votes.

    Only the corpus's emotions count: votes and probabilities of others are left out and the rest is divided by its sum.
    Utterances without votes are not counted.

    Args:
        emotions: Names of the corpus's emotions, at least two.
        labels: Classes of the classifier, in the order of its logits.
        classifier: Name of the classifier in the rows.

    Raises:
        ValueError: The classifier has no class for an emotion.
    """

    width = 5

    def __init__(self, emotions: Sequence[str], labels: Sequence[str], classifier: str = "") -> None:
        self.classifier = classifier
        self.columns = class_columns(emotions, labels)

    def sums(self, seen: Observation) -> Tensor:
        """Return vote entropy, divergence, cross-entropy, top-2 hit, 1 to count the utterance; all 0 without votes."""
        voted = seen.votes.sum(-1) > 0
        votes = torch.where(voted[:, None], seen.votes, torch.ones_like(seen.votes))
        chosen = seen.logits[..., self.columns.to(seen.logits.device)].double()  # (O, B, C)
        likely, shares = chosen.softmax(-1), votes.double() / votes.double().sum(-1, keepdim=True)
        divergence = js_divergence(likely, votes)
        columns = [
            entropy_bits(votes).expand(divergence.shape),
            divergence,
            -(shares * chosen.log_softmax(-1)).sum(-1) / math.log(2),
            top2_hits(likely, votes),
            torch.ones_like(divergence),
        ]
        return torch.stack([column * voted for column in columns], dim=-1).double()

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return vote entropy, divergence, cross-entropy and top-2 accuracy."""
        entropy, divergence, cross, hits, counts = sums.unbind(-1)
        ratios = Ratios(metrics)
        ratios.add("vote_entropy", entropy, counts, counts)
        ratios.add("js_divergence", divergence, counts, counts, unit=True)
        ratios.add("vote_cross_entropy", cross, counts, counts)
        ratios.add("top2_accuracy", hits, counts, counts, share=True)
        return ratios.found
