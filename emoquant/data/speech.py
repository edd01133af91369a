"""What the data modules share: corpora, splits, labels and loaders."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader, Sampler

from emoquant.audio.loading import AudioError
from emoquant.console.trainer_flags import is_overfitting
from emoquant.data.base import SPLITS, Corpus, Utterance
from emoquant.data.extraction import ExtractionSettings, extract
from emoquant.data.features import SplitDataset
from emoquant.data.folders import check_ids
from emoquant.data.resuming import TrainingLoader
from emoquant.data.sampling import BucketSampler, ExactSampler, OverfitSampler, Rows, TrainingSampler
from emoquant.data.store import FeatureStore
from emoquant.data.table import Names, UtteranceTable, read_table
from emoquant.devices.ranks import (
    Attempt,
    from_first,
    own_rank,
    require_plain_strategy,
    require_share,
    together,
    world_size,
)
from emoquant.devices.sharding import Share
from emoquant.encoders.base import FrameEncoder
from emoquant.labels import SPELLINGS, STUDY_EMOTIONS, canonical_emotion

#: Split that a stage of the trainer evaluates.
EVALUATED = {"fit": "validation", "validate": "validation", "test": "test", "predict": "test"}


class SpeechDataModule(LightningDataModule, ABC):
    """Corpora divided into splits, as loaders that are exact and seeded on any number of ranks.

    Use it with ``use_distributed_sampler: false``: the samplers shard by themselves.

    Args:
        corpora: A corpus or several, which are joined split by split.
        emotions: Emotions that are kept, in the order of their indices; None for all that occur, those of the study
            first.
        cache_dir: Folder for what is derived from the corpora.
        budget: Largest padded size of a batch; a training batch's is divided among the processes.
        num_workers: Processes that load batches; 0 loads in the training process.
        seed: Seeds the order of the training batches.
        batch_per_process: Whether every process trains on batches of the whole budget, so that a step of several sees
            several times as much.

    Attributes:
        batch_type: Class of the batches that the loaders yield.
        emotions: Canonical names of the emotions; labels index into it. Empty before :meth:`setup` where all are kept.
        speakers: Names of the speakers of all splits after :meth:`setup`, sorted; with several corpora each is
            preceded by its corpus (``"esd/0011"``).
        name: Names of the corpora joined by ``+``.
        fold: Fold that the corpora are divided by, in place of their own splits; None for these.

    Raises:
        ValueError: No corpus, two of one name, or an emotion is unknown or named twice.
    """

    batch_type: type
    name: str
    fold: Share | None = None

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        emotions: Sequence[str] | None = STUDY_EMOTIONS,
        cache_dir: str = ".cache/emoquant",
        budget: int = 1,
        num_workers: int = 0,
        seed: int = 0,
        batch_per_process: bool = False,
    ) -> None:
        super().__init__()
        self.batch_per_process = batch_per_process
        self.corpora = [corpora] if isinstance(corpora, Corpus) else list(corpora)
        names = [corpus.name for corpus in self.corpora]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"expected corpora of different names, not {names}; give each its own name")
        self.emotions = [canonical_emotion(emotion) for emotion in emotions or ()]
        if (emotions is not None and not self.emotions) or len(set(self.emotions)) < len(self.emotions):
            raise ValueError(f"expected emotions of different names, not {list(emotions or ())}")
        self.name = "+".join(names)
        self.speakers: list[str] = []
        self.cache_dir = cache_dir
        self.budget, self.num_workers, self.seed = budget, num_workers, seed
        self._datasets: dict[str, SplitDataset] | None = None
        self._test_share, self._prepared = (0, 1, 0), Attempt()

    def prepare_data(self) -> None:
        """Let every corpus make what it can make; Lightning calls this on one process of each machine."""
        with self._prepared:
            for corpus in self.corpora:
                corpus.prepare()

    def setup(self, stage: str | None = None) -> None:
        """Read the corpora and open their splits; a second call does nothing.

        Raises:
            FileNotFoundError: A corpus is not where it should be.
            ValueError: A corpus has a wrong label or no utterance with one of the emotions.
        """
        if self.trainer is not None:
            require_plain_strategy(self.trainer.strategy)
            for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # set at run time
                if hasattr(callback, "watch_ranks"):
                    callback.watch_ranks()
        self._prepared.settle()
        if self._datasets is None:
            self._datasets = self._open()
        if split := EVALUATED.get(stage or ""):
            require_share(split, len(self._datasets[split]), self._ranks()[1])

    def dataset(self, split: str) -> SplitDataset:
        """Return a split (``"train"``, ``"validation"`` or ``"test"``), which may be empty.

        Raises:
            ValueError: There is no such split.
            RuntimeError: :meth:`setup` was not called.
        """
        if split not in SPLITS:
            raise ValueError(f"split {split!r}: expected one of {list(SPLITS)}")
        if self._datasets is None:
            raise RuntimeError(f"setup() of the data module {self.name!r} must run before its splits are used")
        return self._datasets[split]

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training split, shuffled in buckets of similar length, equally many batches on every rank."""
        return self._bucketed(self._some("train"))

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation split, every utterance once over all ranks."""
        return self._exact("validation")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the test split or a share of it, every utterance once over all ranks (and shares)."""
        return self._exact("test", *self._test_share)

    def share_test(self, number: int, count: int, done: int = 0) -> None:
        """Restrict the test loader to a share of the split, for a job of an array or a run that goes on.

        Args:
            number: The share, from 0.
            count: Shares that the split is divided into.
            done: First batches (of this rank) that are left out.

        Raises:
            ValueError: There are more shares than utterances.
        """
        if count > len(self.dataset("test")):
            raise ValueError(
                f"{count} shares of {len(self.dataset('test'))} test utterances: ask for fewer, at most one each"
            )
        self._test_share = (number, count, done)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the test split, every utterance once over all ranks."""
        return self._exact("test")

    def reference_dataloader(self) -> DataLoader[Any]:
        """Return the training split unshuffled, every utterance once over all ranks (for centroids)."""
        return self._exact("train")

    def _prepare_splits(self, found: Mapping[str, UtteranceTable]) -> None:
        """Do what must be done for all splits before their datasets are made."""

    @abstractmethod
    def _dataset(self, split: str, utterances: Sequence[Utterance], labels: Mapping[str, np.ndarray]) -> SplitDataset:
        """Make the dataset of a split."""

    def _ranks(self) -> tuple[int, int]:
        if self.trainer is not None:
            return self.trainer.global_rank, self.trainer.world_size
        return own_rank(), world_size()

    def _some(self, split: str) -> SplitDataset:
        dataset = self.dataset(split)
        if not len(dataset):
            raise ValueError(
                f"corpus {self.name!r} has no utterance in its split {split!r} with one of {self.emotions}"
            )
        return dataset

    def _exact(self, split: str, number: int = 0, count: int = 1, done: int = 0) -> DataLoader[Any]:
        dataset, rank, world = self._some(split), *self._ranks()
        sampler = ExactSampler(dataset.lengths, self.budget, number * world + rank, count * world, done)
        return self._loader(dataset, sampler)

    def _loader(self, dataset: SplitDataset, sampler: Sampler[Rows]) -> DataLoader[Any]:
        # The dataset collates whole batches: batch_size=None hands it what the sampler yields.
        if self.trainer is not None and is_overfitting(self.trainer):
            return DataLoader(dataset, batch_size=None, sampler=OverfitSampler(sampler))
        workers: dict[str, Any] = {"num_workers": self.num_workers, "persistent_workers": self.num_workers > 0}
        return DataLoader(dataset, batch_size=None, sampler=sampler, pin_memory=torch.cuda.is_available(), **workers)

    def _fill(
        self, store: FeatureStore, encoder: FrameEncoder, utterances: Sequence[Utterance], seconds: float
    ) -> None:
        """Encode what a store lacks of utterances, every rank its share, in batches of so many seconds."""
        (rank, world), trainer = self._ranks(), self.trainer
        device = trainer.strategy.root_device if trainer is not None else "cpu"
        settings = ExtractionSettings(device, seconds, max(2, self.num_workers))
        together(lambda: extract(utterances, encoder, store, rank, world, settings), AudioError)
        from_first(store.merge)
        store.refresh()

    def _bucketed(self, dataset: SplitDataset) -> DataLoader[Any]:
        """Return training batches of similar lengths; this process's part of a batch where they share one."""
        rank, world = self._ranks()
        budget = max(1, self.budget // (1 if self.batch_per_process else world))
        return self._training_loader(dataset, BucketSampler(dataset.lengths, budget, self.seed, rank, world))

    def _training_loader(self, dataset: SplitDataset, sampler: Sampler[Rows]) -> DataLoader[Any]:
        loader = self._loader(dataset, sampler)
        return TrainingLoader(loader, self.trainer) if isinstance(loader.sampler, TrainingSampler) else loader

    def _open(self) -> dict[str, SplitDataset]:
        tables = [read_table(corpus, self.fold) for corpus in self.corpora]
        if not self.emotions:
            present = {kind for table in tables for kind in table.names("emotion").kinds}
            self.emotions = [emotion for emotion in SPELLINGS if emotion in present]
        speakers: list[Names] = []
        left_out: Counter[str] = Counter()
        for place, corpus in enumerate(self.corpora):
            check_ids(corpus.name, tables[place])
            kept = tables[place].names("emotion").among(self.emotions)
            left_out.update(tables[place].select(np.flatnonzero(~kept)).names("emotion"))
            tables[place] = tables[place].select(np.flatnonzero(kept))
            prefix, names = f"{corpus.name}/" if len(self.corpora) > 1 else "", tables[place].names("speaker")
            speakers.append(Names([prefix + (kind or "unknown") for kind in names.kinds], names.codes))
        if not any(map(len, tables)):
            raise ValueError(f"corpus {self.name!r} has no utterance with one of the emotions {self.emotions}")
        if left_out:
            text = ", ".join(f"{count} {emotion}" for emotion, count in sorted(left_out.items()))
            rank_zero_info(f"{self.name}: utterances of other emotions are left out: {text}")
        whole, voices = reduce(UtteranceTable.join, tables), reduce(Names.join, speakers)
        self.speakers = sorted({voices.kinds[code] for code in np.unique(voices.codes)})
        emotions = whole.names("emotion").numbers(self.emotions)
        labels = {"emotions": emotions, "speakers": voices.numbers(self.speakers)}
        rows = {split: np.flatnonzero(whole.names("split").among([split])) for split in SPLITS}
        found = {split: whole.select(rows[split]) for split in SPLITS}
        del tables, whole  # copies of what the splits hold now
        self._prepare_splits(found)
        return {
            split: self._dataset(split, table, {name: numbers[rows[split]] for name, numbers in labels.items()})
            for split, table in found.items()
        }
