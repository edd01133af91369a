"""Datasets of the frame features and of the waveforms of a split."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from emoquant.audio.loading import read_audio
from emoquant.data.base import Utterance
from emoquant.data.sampling import Rows
from emoquant.data.store import FeatureStore
from emoquant.data.table import Names, UtteranceTable
from emoquant.types import AudioBatch, Batch

SAMPLE_RATE = 16_000


class SplitDataset(Dataset[Any], ABC):
    """Map :class:`~emoquant.data.sampling.Rows` to collated batches of a split's utterances.

    Attributes:
        utterances: The utterances of the split, a sequence; row ``i`` of a batch is ``utterances[i]``.
        lengths: Length of each in the unit that batches are bounded by, ``(N,)`` int64.
        emotions: Index of each utterance's emotion, ``(N,)`` int64.
        speakers: Index of each utterance's speaker, ``(N,)`` int64.
    """

    def __init__(
        self, utterances: Sequence[Utterance], lengths: np.ndarray, emotions: np.ndarray, speakers: np.ndarray
    ) -> None:
        self.utterances = UtteranceTable.of(utterances)
        self.lengths = lengths
        self.emotions = emotions
        self.speakers = speakers

    def __len__(self) -> int:
        """Utterances of the split."""
        return len(self.lengths)

    def ids(self) -> Iterable[str]:
        """Return the ids of the utterances in order."""
        return self.utterances.strings("id")

    @abstractmethod
    def __getitem__(self, index: Rows) -> Any:  # noqa: ANN401 (Batch or AudioBatch)
        """Return a collated batch."""

    def _labels(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Return emotions, speakers and rows of a batch, ``(B,)`` int64 each."""
        return (
            torch.from_numpy(self.emotions[rows]),
            torch.from_numpy(self.speakers[rows]),
            torch.from_numpy(np.ascontiguousarray(rows, dtype=np.int64)),
        )


class FeatureDataset(SplitDataset):
    """Read a split's frame features from the feature store; see :class:`~emoquant.data.module.EmotionDataModule`.

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

    def select(self, rows: np.ndarray) -> "FeatureDataset":
        """Return a dataset of some rows, ``(M,)`` int64; in its batches rows are numbered from 0 again."""
        labels = self.emotions[rows], self.speakers[rows], self._votes.select(rows)
        return FeatureDataset(self.utterances.select(rows), self._rows[rows], self._store, *labels)

    @property
    def content(self) -> bytes:
        """Digest of the keys of all entries, which tells features of different content apart."""
        return hashlib.sha256(self._store.index.keys(self._rows)).digest()

    def __getitem__(self, index: Rows) -> Batch:
        """Return the features of a batch."""
        features = [self._store.read(row) for row in self._rows[index.rows]]
        lengths = torch.tensor([len(frames) for frames in features])
        votes = torch.from_numpy(np.stack([self._votes[row] for row in index.rows]))
        table = self.utterances.dimensions
        rated = None if table is None else torch.from_numpy(table[index.rows])
        return Batch(pad_sequence(features, batch_first=True), lengths, *self._labels(index.rows), votes, rated)


class AudioDataset(SplitDataset):
    """Read a split's waveforms; see :class:`~emoquant.data.module.AudioDataModule`.

    Args:
        utterances: The utterances.
        lengths: Samples of each (after cropping), ``(N,)``.
        emotions: Their emotions.
        speakers: Their speakers.
        crop: Samples of an utterance at most; of a longer one a random part of that length. None crops nothing.
        seed: Seed of the crops, together with epoch and row.
        in_memory: Whether decoded waveforms are kept, 4 bytes a sample, for the next epochs.
        sample_rate: Samples a second.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        lengths: np.ndarray,
        emotions: np.ndarray,
        speakers: np.ndarray,
        crop: int | None = None,
        seed: int = 0,
        in_memory: bool = False,
        sample_rate: int = SAMPLE_RATE,
    ) -> None:
        super().__init__(utterances, lengths, emotions, speakers)
        self.crop, self.seed, self.sample_rate = crop, seed, sample_rate
        self._kept: dict[int, Tensor] | None = {} if in_memory else None

    def __getitem__(self, index: Rows) -> AudioBatch:
        """Return the waveforms of a batch."""
        waveforms = []
        for row in index.rows:
            waveform = self._waveform(int(row))
            if self.crop is not None and len(waveform) > self.crop:
                random = np.random.default_rng([self.seed, index.epoch, int(row)])
                begin = int(random.integers(len(waveform) - self.crop + 1))
                waveform = waveform[begin : begin + self.crop]
            waveforms.append(waveform)
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        return AudioBatch(pad_sequence(waveforms, batch_first=True), lengths, *self._labels(index.rows))

    def _waveform(self, row: int) -> Tensor:
        if self._kept is not None and row in self._kept:
            return self._kept[row]
        utterance = self.utterances[row]
        waveform = read_audio(utterance.path, utterance.start, utterance.end, self.sample_rate)
        if self._kept is not None:
            self._kept[row] = waveform
        return waveform
