"""Similarity and preference for neutral, compared with a plain shrinkage towards the training mean."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from emoquant.labels import canonical_emotion
from emoquant.metrics.measures import Measure, Observation, gain_over_others
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.references import References
from emoquant.metrics.similarity import cosine


def shrunk_towards(mean: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Return the vectors before coding, shrunk towards the mean to the distance from it that they have after coding.

    Args:
        mean: The training mean, ``(D,)`` float64.
        before: Utterance vectors before coding, ``(B, D)`` float64.
        after: The same after coding, ``(..., B, D)`` float64.

    Returns:
        Vectors ``(..., B, D)``; the mean itself for an utterance that lies on it.

    Example:
        >>> shrunk_towards(torch.zeros(2), torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 1.0]])).tolist()
        [[1.0, 0.0]]
    """
    distance = (before - mean).norm(dim=-1)
    left = torch.where(distance > 0, (after - mean).norm(dim=-1) / distance, 0.0)
    return mean + left[..., None] * (before - mean)


class Shrinkage(Measure):
    """Measure similarity and preference for neutral in excess of those of a shrinkage towards the training mean.

    ``excess_similarity`` is the utterance similarity minus the similarity of :func:`shrunk_towards` with the vectors
    before coding. ``excess_preference_for_neutral`` is the preference for neutral minus that of the shrunk vectors, if
    the corpus has neutral and two more emotions. Both are 0 if coding only shrinks vectors towards the mean. Without
    the correction, emotions near the mean would seem to keep more similarity.

    Args:
        emotions: Names of the emotions.
        references: Their centroids and the training mean.
    """

    def __init__(self, emotions: Sequence[str], references: References) -> None:
        names = [canonical_emotion(emotion) for emotion in emotions]
        self.neutral = names.index("neutral") if "neutral" in names and len(names) > 2 else -1
        self.centroids, self.mean = references.centroids, references.mean
        self.width = 2 + (self.neutral >= 0)

    def sums(self, seen: Observation) -> Tensor:
        """Return excess similarity, excess preference for neutral if defined, and 1 to count the utterance."""
        mean, centroids = self.mean.to(seen.before.device), self.centroids.to(seen.before.device)
        before, after = seen.before.double(), seen.after.double()
        shrunk = shrunk_towards(mean, before, after)
        columns = [cosine(before, after) - cosine(before, shrunk)]
        if self.neutral >= 0:
            gains = cosine(after[..., None, :], centroids) - cosine(shrunk[..., None, :], centroids)  # (O, B, C)
            columns.append(gain_over_others(gains, seen.emotions, self.neutral))
        return torch.stack([*columns, torch.ones_like(columns[0])], dim=-1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the means of excess similarity and excess preference over utterances."""
        counts, ratios = sums[..., -1], Ratios(metrics)
        ratios.add("excess_similarity", sums[..., 0], counts, counts)
        if self.neutral >= 0:
            ratios.add("excess_preference_for_neutral", sums[..., 1], counts, counts)
        return ratios.found
