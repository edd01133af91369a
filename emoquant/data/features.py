"""Frame features of a split, as batches are made of them."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from emoquant.data.base import Utterance
from emoquant.data.sampling import Rows
from emoquant.data.speech import SplitDataset
from emoquant.data.store import FeatureStore
from emoquant.data.table import Names
from emoquant.types import Batch


class FeatureDataset(SplitDataset):
    """Frame features of a split, read from the feature store; see :class:`~emoquant.data.module.EmotionDataModule`.

    Args:
        utterances: The utterances.
        rows: Row of each in the store's index, ``(N,)``.
        store: The store.
        emotions: Their emotions.
        speakers: Their speakers.
        votes: Shares of the annotators' votes, ``(C,)`` float32 a row.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        rows: np.ndarray,
        store: FeatureStore,
        emotions: np.ndarray,
        speakers: np.ndarray,
        votes: Names,
    ) -> None:
        super().__init__(utterances, store.frames(rows), emotions, speakers)
        self._rows, self._store, self._votes = rows, store, votes

    @property
    def content(self) -> bytes:
        """What tells these features from others of the same names and lengths: a digest of their entries' keys."""
        return hashlib.sha256(self._store.index.keys(self._rows)).digest()

    def __getitem__(self, index: Rows) -> Batch:
        """Return the features of a batch."""
        features = [self._store.read(row) for row in self._rows[index.rows]]
        lengths = torch.tensor([len(frames) for frames in features])
        votes = torch.from_numpy(np.stack([self._votes[row] for row in index.rows]))
        table = self.utterances.dimensions
        rated = None if table is None else torch.from_numpy(table[index.rows])
        return Batch(pad_sequence(features, batch_first=True), lengths, *self._labels(index.rows), votes, rated)
