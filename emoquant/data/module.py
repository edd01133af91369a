"""The data modules: frame features for codecs, waveforms for encoders."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities import rank_zero_info
from torch.utils.data import DataLoader

from emoquant.audio.loading import SHORTEST, AudioError, audio_seconds
from emoquant.data.base import Corpus, Utterance
from emoquant.data.extraction import find_entries, open_store
from emoquant.data.features import SAMPLE_RATE, AudioDataset, FeatureDataset, SplitDataset
from emoquant.data.pairing import PairedDataset, partner_rows
from emoquant.data.selection import rows_by_share
from emoquant.data.speech import SpeechDataModule
from emoquant.data.store import FeatureStore, Precision
from emoquant.data.table import Names, UtteranceTable
from emoquant.devices.ranks import any_rank
from emoquant.devices.sharding import parse_shard
from emoquant.encoders.base import FrameEncoder
from emoquant.encoders.emotion2vec import Emotion2Vec
from emoquant.interfaces.protocols import AudioData, EmotionData
from emoquant.labels import STUDY_EMOTIONS, opposite_emotions
from emoquant.storage.origin import Origin
from emoquant.types import AudioBatch, Batch


class EmotionDataModule(SpeechDataModule):
    """Frame features with their emotions, for codecs; yields :class:`~emoquant.types.Batch`.

    What the feature store lacks is encoded in :meth:`setup`, by every rank its share; the encoder's weights are needed
    only then.

    Args:
        corpora: A corpus or several, which are joined split by split.
        encoder: The encoder; emotion2vec-tiny from ``checkpoints/`` by default.
        emotions: Emotions that are kept, in the order of their indices; None for all that occur.
        cache_dir: Folder of the feature store.
        frames_per_batch: Bound of a batch: utterances times the longest of them, in frames.
        precision: Number format of the store; ``"float16"`` halves it at a relative error of at most 2^-11.
        extraction_seconds: Bound of a batch of the encoder, in seconds of audio.
        num_workers: Processes that load batches (and threads that read audio); 0 loads in the training process.
        seed: Seeds the order of the training batches and the choice of utterances by ``train_emotions``.
        train_emotions: Share of each emotion of the training split, of which only the ratios count: ``{angry: 1}`` for
            a codebook of one emotion, ``{happy: 1, sad: 1}`` for a mixed one. Validation and test keep every emotion.
            None trains on all utterances.
        train_utterances: Most training utterances under ``train_emotions``, to give every codebook equally many; as
            many as the proportions allow by default.
        partners: Makes every test item two references, one after the other: an utterance and its partner, of the same
            speaker and another emotion. The emotion of the partner by emotion (``{happy: sad, sad: happy}``; emotions
            that are not named are left out), or ``"opposite"`` (:func:`~emoquant.labels.opposite_emotions`). None for
            single utterances.
        batch_per_process: Whether every process trains on batches of this size; by default they share one between
            them, so that a step sees as many frames on any number of devices.
        fold: Fold (``0/5``) that divides the corpora in place of their own splits.

    Raises:
        ValueError: A number is out of range, or see :class:`~emoquant.data.speech.SpeechDataModule`.
    """

    batch_type: type = Batch

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        encoder: FrameEncoder | None = None,
        emotions: Sequence[str] | None = STUDY_EMOTIONS,
        cache_dir: str = ".cache/emoquant",
        frames_per_batch: int = 8000,
        precision: Precision = "float32",
        extraction_seconds: float = 60.0,
        num_workers: int = 0,
        seed: int = 0,
        train_emotions: Mapping[str, float] | None = None,
        train_utterances: int | None = None,
        partners: dict[str, str] | Literal["opposite"] | None = None,
        batch_per_process: bool = False,
        fold: str | None = None,
    ) -> None:
        self.fold = parse_shard(fold, "fold") if fold is not None else None
        super().__init__(corpora, emotions, cache_dir, frames_per_batch, num_workers, seed, batch_per_process)
        self.train_emotions, self.train_utterances, self.partners = train_emotions, train_utterances, partners
        if frames_per_batch < 1 or extraction_seconds <= 0:
            raise ValueError(
                f"frames_per_batch is {frames_per_batch}, extraction_seconds {extraction_seconds}: expected more than 0"
            )
        self.encoder = encoder if encoder is not None else Emotion2Vec()
        self.precision, self.extraction_seconds = precision, extraction_seconds
        self._store: FeatureStore | None = None
        self._rows: dict[str, np.ndarray] = {}
        self._training: SplitDataset | None = None

    @property
    def dim(self) -> int:
        """Feature dimensions ``D`` of the encoder."""
        return self.encoder.dim

    @cached_property
    def origin(self) -> Origin:
        """What codecs and classifiers that are trained on the features remember of the encoder."""
        return self.encoder.identify()

    @property
    def training_shares(self) -> dict[str, float]:
        """Share of each emotion among the training utterances; emotions without any are left out.

        Raises:
            RuntimeError: :meth:`setup` was not called.
        """
        dataset = self.dataset("train") if self._training is None else self._training
        counts = np.bincount(dataset.emotions, minlength=len(self.emotions)).tolist()
        return {name: count / len(dataset) for name, count in zip(self.emotions, counts, strict=True) if count}

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled batches of the training split, or of the part that ``train_emotions`` leaves of it."""
        return self._bucketed(self._some("train") if self._training is None else self._training)

    def _open(self) -> dict[str, SplitDataset]:
        """Open the splits, restrict the training split and pair the test split."""
        datasets = super()._open()
        train, test = datasets["train"], datasets["test"]
        if self.train_emotions is not None:
            shares = dict(self.train_emotions)
            rows = rows_by_share(train.emotions, self.emotions, shares, self.train_utterances, self.seed)
            assert isinstance(train, FeatureDataset)
            self._training = train.select(rows)
            rank_zero_info(f"training on {len(rows)} utterances of {', '.join(shares)}")
        if self.partners is not None:
            wanted = opposite_emotions(self.emotions) if self.partners == "opposite" else self.partners
            datasets["test"] = PairedDataset(test, *partner_rows(test.emotions, test.speakers, self.emotions, wanted))
        return datasets

    def _prepare_splits(self, found: Mapping[str, UtteranceTable]) -> None:
        """Find every utterance in the store and fill what it lacks, every rank its share."""
        self._store = store = open_store(self.encoder, self.cache_dir, self.precision)
        self._rows = {split: find_entries(store, table) for split, table in found.items()}
        lacking = [t[row] for split, t in found.items() for row in np.flatnonzero(self._rows[split] < 0).tolist()]
        if any_rank(bool(lacking)):  # and no rank begins to write before all have counted
            self._fill(store, self.encoder, lacking, self.extraction_seconds)
            self._rows = {split: find_entries(store, table) for split, table in found.items()}
        store.index.release_sources()

    def _dataset(self, split: str, utterances: Sequence[Utterance], labels: Mapping[str, np.ndarray]) -> SplitDataset:
        assert self._store is not None
        rows = self._rows[split]
        if (rows < 0).any():
            first = utterances[int((rows < 0).argmax())]
            raise RuntimeError(
                f"{int((rows < 0).sum())} utterances have no features, the first is {first.id!r}; another process "
                "failed to encode them and says why"
            )
        votes = UtteranceTable.of(utterances).names("votes")
        shares = np.array([_shares(dict(kind), self.emotions) for kind in votes.kinds], np.float32)
        votes = Names(list(shares), votes.codes)
        return FeatureDataset(utterances, rows, self._store, labels["emotions"], labels["speakers"], votes)


class AudioDataModule(SpeechDataModule):
    """Waveforms with their emotions, for encoders and vocoders; yields :class:`~emoquant.types.AudioBatch`.

    Args:
        corpora: A corpus or several, which are joined split by split.
        emotions: Emotions that are kept, in the order of their indices.
        cache_dir: Folder for what is derived from the corpora.
        seconds_per_batch: Bound of a batch: utterances times the longest of them, in seconds.
        crop_seconds: Longest training utterance; of longer ones every epoch hears another random part. Validation and
            test are never cropped.
        in_memory: Whether decoded waveforms are kept in memory, 4 bytes a sample in every process that loads (ranks
            times workers), so that later epochs decode nothing.
        num_workers: Processes that load batches; 0 loads in the training process.
        seed: Seeds the order of the training batches and the crops.
        sample_rate: Samples a second: 16,000 for the emotion encoders, that of the mels for vocoders.
        batch_per_process: Whether every process trains on batches of this size; by default they share one between
            them, so that a step sees as many seconds on any number of devices.

    Raises:
        ValueError: A number is out of range, or see :class:`~emoquant.data.speech.SpeechDataModule`.
    """

    batch_type: type = AudioBatch

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        emotions: Sequence[str] = STUDY_EMOTIONS,
        cache_dir: str = ".cache/emoquant",
        seconds_per_batch: float = 60.0,
        crop_seconds: float | None = None,
        in_memory: bool = False,
        num_workers: int = 0,
        seed: int = 0,
        sample_rate: int = SAMPLE_RATE,
        batch_per_process: bool = False,
    ) -> None:
        shortest = SHORTEST / SAMPLE_RATE
        if seconds_per_batch < shortest or (crop_seconds is not None and crop_seconds < shortest):
            raise ValueError(
                f"seconds_per_batch is {seconds_per_batch}, crop_seconds {crop_seconds}: expected at least {shortest} s"
            )
        budget = int(seconds_per_batch * sample_rate)
        super().__init__(corpora, emotions, cache_dir, budget, num_workers, seed, batch_per_process)
        self.crop_seconds, self.in_memory, self.sample_rate = crop_seconds, in_memory, sample_rate

    def _dataset(self, split: str, utterances: Sequence[Utterance], labels: Mapping[str, np.ndarray]) -> SplitDataset:
        lengths = np.array([_samples(utterance, self.sample_rate) for utterance in utterances], np.int64)
        crop = round(self.crop_seconds * self.sample_rate) if self.crop_seconds and split == "train" else None
        if crop is not None:
            lengths = np.minimum(lengths, crop)
        emotions, speakers = labels["emotions"], labels["speakers"]
        return AudioDataset(utterances, lengths, emotions, speakers, crop, self.seed, self.in_memory, self.sample_rate)


# For mypy: what tasks and callbacks ask for is what these offer.
_emotion_data: type[EmotionData] = EmotionDataModule
_audio_data: type[AudioData] = AudioDataModule


def _samples(utterance: Utterance, rate: int) -> int:
    """Return the samples of an utterance at a rate, from its times or the header of its file."""
    end = utterance.end if utterance.end is not None else audio_seconds(utterance.path)
    samples = round((end - utterance.start) * rate)
    if samples < SHORTEST:
        raise AudioError(
            f"{utterance.path}: too short: utterance {utterance.id!r} has {samples} samples at {rate} Hz where "
            f"at least {SHORTEST} are needed; leave it out of the manifest"
        )
    return samples


def _shares(votes: Mapping[str, float], emotions: Sequence[str]) -> list[float]:
    """Return the share of all votes for each emotion; zeros where nobody voted."""
    total = sum(votes.values())
    return [votes.get(emotion, 0.0) / total if total else 0.0 for emotion in emotions]
