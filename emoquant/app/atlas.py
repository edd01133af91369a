"""The emotions of a corpus as a map: mean vectors of utterances, centroids, and the two directions of most variance."""

from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.data.module import EmotionDataModule


class Atlas(NamedTuple):
    """Emotions of a training split.

    Attributes:
        emotions: Names of the emotions.
        points: Time means of utterances on the map, ``(N, 2)``.
        labels: Their emotions, indices into ``emotions``, ``(N,)``.
        centroids: Mean vector of each emotion, ``(C, D)``.
        mean: Mean of all utterances, ``(D,)``.
        axes: Orthonormal directions of most variance between utterances, ``(2, D)``.
        explained: Share of the variance that each axis shows, ``(2,)``.
    """

    emotions: tuple[str, ...]
    points: Tensor
    labels: Tensor
    centroids: Tensor
    mean: Tensor
    axes: Tensor
    explained: Tensor

    def place(self, vectors: Tensor) -> Tensor:
        """Return where vectors ``(..., D)`` lie on the map, ``(..., 2)``."""
        return (vectors - self.mean) @ self.axes.T

    def similarities(self, vector: Tensor) -> dict[str, float]:
        """Return the cosine of a vector ``(D,)`` and every emotion's centroid."""
        found = torch.nn.functional.cosine_similarity(vector[None], self.centroids)
        return dict(zip(self.emotions, found.tolist(), strict=True))


def chart(emotions: tuple[str, ...], vectors: Tensor, labels: Tensor) -> Atlas:
    """Fit the map: centroids and the two principal directions of utterance vectors.

    Args:
        emotions: Names of the emotions.
        vectors: Time means, ``(N, D)``.
        labels: Emotion of each, ``(N,)`` int64.

    Raises:
        ValueError: There are fewer than three utterances, or an emotion has none.
    """
    counts = torch.bincount(labels, minlength=len(emotions))
    if len(vectors) < 3 or not bool(counts.all()):
        lacking = [name for name, count in zip(emotions, counts.tolist(), strict=True) if not count]
        raise ValueError(
            f"a map needs utterances of every emotion, at least three: none of {', '.join(lacking) or 'any'}"
        )
    centroids = torch.stack([vectors[labels == number].mean(0) for number in range(len(emotions))])
    mean = vectors.mean(0)
    _, scales, axes = torch.linalg.svd(vectors - mean, full_matrices=False)
    explained = scales.square()[:2] / scales.square().sum()
    return Atlas(emotions, (vectors - mean) @ axes[:2].T, labels, centroids, mean, axes[:2], explained)


def atlas_of(data: EmotionDataModule) -> Atlas:
    """Return the map of a data module's training split; what its feature store lacks is encoded."""
    data.prepare_data()
    data.setup()
    vectors, labels = [], []
    for batch in data.reference_dataloader():
        vectors.append(batch.features.sum(1) / batch.lengths.unsqueeze(1))
        labels.append(batch.emotions)
    return chart(tuple(data.emotions), torch.cat(vectors), torch.cat(labels))
