"""Vectors of utterances and speakers: time means of frames, statistics over a split."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emoquant.data.base import Utterance
from emoquant.data.extraction import find_entries
from emoquant.data.store import FeatureStore


class Frames:
    """Frames of utterances in a feature store, by row of a split.

    Args:
        store: The store.
        utterances: The utterances.

    Raises:
        RuntimeError: The store lacks one.
    """

    def __init__(self, store: FeatureStore, utterances: Sequence[Utterance]) -> None:
        self._store, self._rows = store, find_entries(store, utterances)
        if (self._rows < 0).any():
            first = utterances[int((self._rows < 0).argmax())]
            raise RuntimeError(
                f"{int((self._rows < 0).sum())} utterances have no frames, the first is {first.id!r}; another process "
                "failed to encode them and says why"
            )

    def __getitem__(self, row: int) -> Tensor:
        """Return the frames of an utterance, ``(F, D)`` float32."""
        return self._store.read(int(self._rows[row]))

    def counts(self) -> np.ndarray:
        """Return the number of frames of each utterance, ``(N,)`` int64."""
        return self._store.frames(self._rows)

    def means(self) -> Tensor:
        """Return the time mean of each utterance's frames, ``(N, D)`` float32."""
        found = [self[row].mean(0) for row in range(len(self._rows))]
        return torch.stack(found) if found else torch.zeros(0, self._store.dim)


def named_vectors(names: Sequence[str], dim: int) -> Tensor:
    """Return a fixed unit vector per name, ``(N, dim)`` float32: a stand-in for speaker vectors in a closed set.

    Args:
        names: Names; equal names get equal vectors on every machine.
        dim: Dimensions.

    Example:
        >>> bool((named_vectors(["ann"], 8) == named_vectors(["ann", "bob"], 8)[0]).all())
        True
    """
    vectors = torch.zeros(len(names), dim)
    for row, name in enumerate(names):
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        vectors[row] = torch.from_numpy(np.random.default_rng(seed).standard_normal(dim)).float()
    return torch.nn.functional.normalize(vectors, dim=-1)


def centroids(vectors: Tensor, groups: Tensor, count: int) -> Tensor:
    """Return the mean vector of each group, scaled to unit norm, ``(count, S)``; zeros where a group is empty.

    Args:
        vectors: ``(N, S)``.
        groups: Group of each, ``(N,)`` int64.
        count: Number of groups.
    """
    sums = torch.zeros(count, vectors.shape[1]).index_add_(0, groups, vectors.float())
    return torch.nn.functional.normalize(sums, dim=-1)


def speaker_statistics(values: np.ndarray, speakers: np.ndarray, count: int) -> tuple[Tensor, float]:
    """Return the mean of each speaker's values, ``(count,)`` float32, and the standard deviation around these means.

    Args:
        values: Values, ``(N,)``.
        speakers: Speaker of each, ``(N,)`` int64.
        count: Number of speakers; one without values gets the mean of all.
    """
    counts = np.bincount(speakers, minlength=count)
    sums = np.bincount(speakers, values, minlength=count)
    means = np.where(counts > 0, sums / counts.clip(1), values.mean())
    return torch.from_numpy(means).float(), float(max((values - means[speakers]).std(), 1e-3))
