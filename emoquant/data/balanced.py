"""Training batches in which corpora and emotions have chosen shares, however many utterances they have."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from emoquant.data.base import Corpus
from emoquant.data.features import SplitDataset
from emoquant.data.module import AudioDataModule
from emoquant.data.sampling import Rows, TrainingSampler
from emoquant.labels import canonical_emotion


class BalancedSampler(TrainingSampler):
    """Draws utterances by weight, with repetition; seeded per epoch, equally many batches on every rank.

    Args:
        weights: Weight of every utterance, ``(N,)``.
        batches: Batches of an epoch over all ranks, a multiple of them.
        batch_size: Utterances of a batch.
        seed: Seeds the draws, together with the epoch.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self, weights: np.ndarray, batches: int, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        if batches < world_size or batch_size < 1 or not weights.sum() > 0:
            raise ValueError(
                f"expected at least a batch for each of {world_size} ranks, utterances in it and positive weights, "
                f"not {batches} batches of {batch_size} and weights that sum to {weights.sum()}"
            )
        self._shares = weights / weights.sum()
        self._batches, self._size = batches // world_size, batch_size
        super().__init__(seed, rank, world_size)

    def __len__(self) -> int:
        """Batches of this rank in an epoch."""
        return self._batches

    def __iter__(self) -> Iterator[Rows]:
        """Yield the batches of this rank."""
        random = np.random.default_rng([self.seed, self.epoch])
        drawn = random.choice(len(self._shares), (self._batches, self.world_size, self._size), p=self._shares)
        for rows in drawn[self._begin :, self.rank]:
            yield Rows(rows, self.epoch)


class BalancedAudioDataModule(AudioDataModule):
    """Waveforms as of :class:`AudioDataModule`, but training draws corpora and emotions by chosen shares.

    Validation and test are as there. An utterance that is drawn twice in an epoch is the same part of itself; choose
    short epochs.

    Args:
        corpora: A corpus or several.
        batch_size: Utterances of a training batch.
        batches_per_epoch: Training batches of an epoch over all ranks.
        corpus_shares: Share of a corpus in the training batches, by name; 1 where not named, all shares together
            count as a whole.
        emotion_shares: Share of an emotion within its corpus likewise.
        train_on: Splits that training draws from; with ``["train", "validation"]`` nothing is left to choose by.
        others: Options of :class:`AudioDataModule`; the bound of a batch is that of validation and test, the seed is of
            draws and crops. ``batch_per_process`` is none of them: ``batch_size`` is that of every process.

    Raises:
        ValueError: A name is unknown, a share is negative, or ``batch_per_process`` is given.
    """

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        *,
        batch_size: int = 24,
        batches_per_epoch: int = 200,
        corpus_shares: dict[str, float] | None = None,
        emotion_shares: dict[str, float] | None = None,
        train_on: Sequence[str] = ("train",),
        **others: Any,  # noqa: ANN401 - options of AudioDataModule
    ) -> None:
        super().__init__(corpora, **others)
        if self.batch_per_process:
            raise ValueError("batch_per_process is no option here: batch_size is that of every process; leave it out")
        self.batch_size, self.batches_per_epoch = batch_size, batches_per_epoch
        self.corpus_shares = dict(corpus_shares or {})
        self.emotion_shares = {canonical_emotion(name): share for name, share in (emotion_shares or {}).items()}
        self.train_on = tuple(train_on)
        unknown = set(self.corpus_shares) - {corpus.name for corpus in self.corpora}
        unknown |= set(self.emotion_shares) - set(self.emotions)
        if unknown or set(self.train_on) - {"train", "validation"} or "train" not in self.train_on:
            raise ValueError(
                f"corpus_shares and emotion_shares name {sorted(unknown)}, which are not there, or train_on="
                f"{list(train_on)} is not 'train' with or without 'validation'"
            )
        if any(share < 0 for share in (*self.corpus_shares.values(), *self.emotion_shares.values())):
            raise ValueError("shares must not be negative")

    def train_dataloader(self) -> DataLoader[Any]:
        """Return training batches drawn by the shares, equally many on every rank."""
        dataset, (rank, world) = self._some("train"), self._ranks()
        batches = self.batches_per_epoch // world * world
        sampler = BalancedSampler(self._draw_weights(dataset), batches, self.batch_size, self.seed, rank, world)
        return self._training_loader(dataset, sampler)

    def _open(self) -> dict[str, SplitDataset]:
        datasets = super()._open()
        if "validation" in self.train_on and len(datasets["validation"]):
            parts = [datasets["train"], datasets["validation"]]
            utterances = parts[0].utterances.join(parts[1].utterances)
            labels: Mapping[str, np.ndarray] = {
                "emotions": np.concatenate([part.emotions for part in parts]),
                "speakers": np.concatenate([part.speakers for part in parts]),
            }
            datasets["train"] = self._dataset("train", utterances, labels)
        return datasets

    def _draw_weights(self, dataset: SplitDataset) -> np.ndarray:
        """Return the weight of every utterance: its cell's share, dealt out to the utterances of the cell."""
        corpora = [self.speakers[speaker].split("/")[0] for speaker in dataset.speakers]
        if len(self.corpora) == 1:
            corpora = [self.corpora[0].name] * len(corpora)
        cells = list(zip(corpora, [self.emotions[emotion] for emotion in dataset.emotions], strict=True))
        sizes, within = Counter(cells), defaultdict[str, float](float)
        for corpus, emotion in sizes:
            within[corpus] += self.emotion_shares.get(emotion, 1.0)
        shares = {cell: self.corpus_shares.get(cell[0], 1.0) * self.emotion_shares.get(cell[1], 1.0) for cell in sizes}
        weights = {cell: shares[cell] / max(within[cell[0]], 1e-12) / size for cell, size in sizes.items()}
        return np.array([weights[cell] for cell in cells])
