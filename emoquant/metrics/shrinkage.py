"""What coding does beyond bringing utterances nearer to the training mean, which every lossy code does."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from emoquant.labels import canonical_emotion
from emoquant.metrics.measures import Measure, Observation, gain_over_others
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.references import References
from emoquant.metrics.similarity import cosine


def shrunk_towards(mean: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Return the utterances before coding, moved straight to the mean until they are as near to it as after coding.

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
    """Similarity and preference for neutral beyond those that a move straight to the training mean would give.

    ``excess_similarity`` is the utterance similarity minus that of :func:`shrunk_towards`, and, where there are neutral
    and two emotions more, ``excess_preference_for_neutral`` likewise. Both are 0 for outputs that are the inputs shrunk
    to the mean: an emotion that lies nearer to the mean keeps more of its similarity there, which says nothing of it.

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
        """Return the excess of similarity, that of the preference for neutral if there is one, then 1."""
        mean, centroids = self.mean.to(seen.before.device), self.centroids.to(seen.before.device)
        before, after = seen.before.double(), seen.after.double()
        shrunk = shrunk_towards(mean, before, after)
        columns = [cosine(before, after) - cosine(before, shrunk)]
        if self.neutral >= 0:
            gains = cosine(after[..., None, :], centroids) - cosine(shrunk[..., None, :], centroids)  # (O, B, C)
            columns.append(gain_over_others(gains, seen.emotions, self.neutral))
        return torch.stack([*columns, torch.ones_like(columns[0])], dim=-1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the mean of each over utterances."""
        counts, ratios = sums[..., -1], Ratios(metrics)
        ratios.add("excess_similarity", sums[..., 0], counts, counts)
        if self.neutral >= 0:
            ratios.add("excess_preference_for_neutral", sums[..., 1], counts, counts)
        return ratios.found
