"""Speaker verification: equal error rate of utterances against the means of speakers' recordings."""

from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.metrics.similarity import cosine


class Trials(NamedTuple):
    """Hold verification trials: comparisons of an utterance with a speaker.

    Attributes:
        scores: Similarity score of each trial, ``(M,)``.
        own: Whether the utterance is of the speaker (a target trial), ``(M,)`` bool.
        utterances: Row of the utterance of each trial, ``(M,)`` int64.
    """

    scores: Tensor
    own: Tensor
    utterances: Tensor


def trials(vectors: Tensor, recordings: Tensor, speakers: Tensor) -> Trials:
    """Return trials of every utterance against the mean of each speaker's recordings, scored by cosine.

    The recording of the utterance under test is left out of the mean of its speaker.

    Args:
        vectors: Speaker vectors of the utterances under test, ``(N, D)``.
        recordings: Speaker vectors of the same utterances as they were recorded, ``(N, D)``.
        speakers: Speaker of each, ``(N,)`` int64.

    Raises:
        ValueError: There are fewer than two speakers, or one has a single utterance.
    """
    kinds, place, counts = speakers.unique(return_inverse=True, return_counts=True)
    if len(kinds) < 2 or int(counts.min()) < 2:
        raise ValueError("speakers are compared where there are two at least, with two utterances each")
    unit = torch.nn.functional.normalize(recordings.double(), dim=-1)
    known = torch.nn.functional.one_hot(place).double()
    sums = known.T @ unit  # (S, D)
    means = sums[None] - known[:, :, None] * unit[:, None]
    scores = cosine(vectors.double()[:, None], means)
    rows = torch.arange(len(vectors))[:, None].expand_as(scores)
    return Trials(scores.flatten(), known.bool().flatten(), rows.flatten())


def equal_error_rates(found: Trials, weights: Tensor) -> Tensor:
    """Return the equal error rates of bootstrap replicates, ``(R,)`` float64 in [0, 1].

    The equal error rate is the mean of false rejection and false acceptance rate at the threshold at which they differ
    least.

    Args:
        found: The verification trials.
        weights: How often each utterance counts in each replicate, ``(R, N)`` float64.

    Example:
        >>> four = Trials(torch.tensor([0.9, 0.2, 0.3, 0.1]), torch.tensor([True, True, False, False]), torch.arange(4))
        >>> equal_error_rates(four, torch.ones(1, 4, dtype=torch.float64)).tolist()
        [0.5]
    """
    values, order = found.scores.sort(descending=True)
    last = torch.cat([values[1:] != values[:-1], torch.tensor([True])])  # equal scores are accepted together
    counts = weights[:, found.utterances[order]]
    own = found.own[order].double()
    refused = 1 - ((counts * own).cumsum(1) / (counts * own).sum(1, keepdim=True))[:, last]
    accepted = ((counts * (1 - own)).cumsum(1) / (counts * (1 - own)).sum(1, keepdim=True))[:, last]
    nearest = (refused - accepted).abs().argmin(1, keepdim=True)
    return ((refused + accepted) / 2).gather(1, nearest)[:, 0]
