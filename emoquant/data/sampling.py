"""Which utterances form a batch, and which rank gets it.

Batches are bounded by their padded size (utterances times the longest of them), so that short and long utterances fill
memory alike; an utterance that is longer than the bound forms a batch of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Sampler, SequentialSampler

from emoquant.devices.sharding import by_length


class Rows(NamedTuple):
    """One batch.

    Attributes:
        rows: Rows of the split, ``(B,)`` int64.
        epoch: Epoch that the batch belongs to; seeds what is random in it.
    """

    rows: np.ndarray
    epoch: int


class TrainingSampler(Sampler[Rows]):
    """A sampler whose order depends on seed and epoch alone, and that can begin within an epoch.

    Args:
        seed: Seeds the order, together with the epoch.
        rank: This process.
        world_size: Number of processes.
    """

    def __init__(self, seed: int, rank: int, world_size: int) -> None:
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.epoch, self._begin = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch (Lightning calls it); one that was chosen before keeps its place."""
        if epoch != self.epoch:
            self.epoch, self._begin = epoch, 0

    def go_on(self, epoch: int, batches: int) -> None:
        """Leave out the first batches of an epoch, for a run that was interrupted after them."""
        self.epoch, self._begin = epoch, batches


class BucketSampler(TrainingSampler):
    """Training batches: shuffled, of similar lengths, equally many for every rank.

    Utterances are sorted by length into buckets once; in every epoch each bucket is shuffled and cut into batches, and
    the batches of all buckets are shuffled and dealt to the ranks. In an epoch every utterance comes once over all
    ranks. The number of batches is brought to a multiple of the ranks by making batches smaller, so nothing is lost or
    repeated. Only where that cannot be, since every batch holds a single utterance already, the last round is filled
    with the epoch's first batches again: fewer repetitions than ranks. Seed, epoch and ranks decide the order; the
    number of batches is the same in every epoch.

    Args:
        lengths: Length of every utterance, ``(N,)``.
        budget: Largest padded size of a batch, in the unit of the lengths.
        seed: Seeds the shuffling, together with the epoch.
        rank: This process.
        world_size: Number of processes.

    Raises:
        ValueError: There is no utterance, or the budget or the rank is out of range.
    """

    def __init__(
        self, lengths: Sequence[int] | np.ndarray, budget: int, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        self._lengths = _checked(lengths, budget, rank, world_size)
        if not len(self._lengths):
            raise ValueError("there is no utterance to train on")
        super().__init__(seed, rank, world_size)
        order = np.argsort(self._lengths, kind="stable")
        self._buckets = [order[begin:end] for begin, end in _bucket_edges(self._lengths[order], budget)]
        counts = [-(-len(bucket) // max(1, budget // self._lengths[bucket[-1]])) for bucket in self._buckets]
        self._counts = _rounded(counts, [len(bucket) for bucket in self._buckets], world_size)

    def __len__(self) -> int:
        """Batches of this rank in an epoch."""
        return -(-sum(self._counts) // self.world_size)

    def __iter__(self) -> Iterator[Rows]:
        """Yield the batches of this rank."""
        random = np.random.default_rng([self.seed, self.epoch])
        batches: list[np.ndarray] = []
        for bucket, count in zip(self._buckets, self._counts, strict=True):
            batches += np.array_split(random.permutation(bucket), count)
        order = random.permutation(len(batches))
        order = np.resize(order, len(self) * self.world_size)  # repeats only batches of single rows
        for index in order[self.rank :: self.world_size][self._begin :]:
            yield Rows(batches[index], self.epoch)


class ExactSampler(Sampler[Rows]):
    """Batches that hold every utterance exactly once over all ranks, whatever their number; longest first.

    Ranks differ by at most one batch, so no step may wait for other ranks. With fewer utterances than ranks some ranks
    have no batch.

    Args:
        lengths: Length of every utterance, ``(N,)``.
        budget: Largest padded size of a batch, in the unit of the lengths.
        rank: This process.
        world_size: Number of processes.
        begin: First batches of this rank that are left out.

    Raises:
        ValueError: The budget or the rank is out of range.
    """

    def __init__(
        self, lengths: Sequence[int] | np.ndarray, budget: int, rank: int = 0, world_size: int = 1, begin: int = 0
    ) -> None:
        lengths = _checked(lengths, budget, rank, world_size)
        batches = [np.array(rows) for rows in by_length(lengths, budget)]
        while len(batches) < min(world_size, len(lengths)):
            largest = max(range(len(batches)), key=lambda index: len(batches[index]))
            batches[largest : largest + 1] = np.array_split(batches[largest], 2)
        self._batches = batches[rank::world_size][begin:]

    def __len__(self) -> int:
        """Batches of this rank."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Rows]:
        """Yield the batches of this rank."""
        for rows in self._batches:
            yield Rows(rows, 0)


class OverfitSampler(SequentialSampler):
    """The same batches in the same order in every epoch, for the trainer's ``overfit_batches``.

    Lightning puts a sampler of its own in the place of every one that is not sequential; it would give single rows
    where the datasets take the rows of a whole batch.

    Args:
        batches: Sampler of the batches; those of its first epoch are repeated.
    """

    def __init__(self, batches: Sampler[Rows]) -> None:
        self._batches = list(batches)
        super().__init__(self._batches)

    def __len__(self) -> int:
        """Batches of this rank."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of this rank."""
        return iter(self._batches)


def _checked(lengths: Sequence[int] | np.ndarray, budget: int, rank: int, world_size: int) -> np.ndarray:
    if budget < 1 or not 0 <= rank < world_size:
        raise ValueError(f"expected a budget of at least 1 and 0 <= rank < ranks, not {budget}, {rank}, {world_size}")
    checked = np.asarray(lengths, dtype=np.int64)
    if len(checked) and checked.min() < 1:
        raise ValueError(f"utterance {int(checked.argmin())} has length {int(checked.min())}, expected at least 1")
    return checked


def _bucket_edges(ordered: np.ndarray, budget: int, ratio: float = 1.25, batches: int = 3) -> list[tuple[int, int]]:
    """Return begin and end of buckets of sorted lengths: similar in length, but at least a few batches large."""
    edges, begin, total = [], 0, len(ordered)
    while begin < total:
        end = int(np.searchsorted(ordered, ordered[begin] * ratio, side="right"))
        while end < total and end - begin < batches * max(1, budget // int(ordered[end - 1])):
            end += 1
        if total - end < batches * max(1, budget // int(ordered[-1])):
            end = total
        edges.append((begin, end))
        begin = end
    return edges


def _rounded(counts: list[int], sizes: list[int], multiple: int) -> list[int]:
    """Return batch counts of buckets, raised so that they sum to a multiple if there are rows enough for that."""
    counts = list(counts)
    target = -(-sum(counts) // multiple) * multiple
    while sum(counts) < min(target, sum(sizes)):
        open_buckets = [index for index, (count, size) in enumerate(zip(counts, sizes, strict=True)) if count < size]
        counts[max(open_buckets, key=lambda index: sizes[index] / counts[index])] += 1
    return counts
