"""The data module of synthesis models."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from emoquant.audio.loading import AudioError, audio_seconds, read_audio
from emoquant.audio.mel import MelSettings
from emoquant.data.base import Corpus, Utterance
from emoquant.data.extraction import ExtractionSettings, extract, open_store
from emoquant.data.pairing import partner_rows
from emoquant.data.rendered import RenderedCorpus
from emoquant.data.speech import SpeechDataModule, SplitDataset
from emoquant.data.store import FeatureStore, Precision
from emoquant.devices.ranks import from_first, together
from emoquant.encoders.base import FrameEncoder
from emoquant.interfaces.protocols import SpokenData
from emoquant.labels import STUDY_EMOTIONS
from emoquant.storage.origin import Origin
from emoquant.types import TTSBatch
from emoquant.voice.data.aligners import Aligner, RenderedAligner
from emoquant.voice.data.cache import CorpusError, ItemCache
from emoquant.voice.data.dataset import VoiceDataset, VoiceLabels
from emoquant.voice.data.items import Analysis, VoiceItem, with_boundaries
from emoquant.voice.data.vectors import Frames, centroids, named_vectors, speaker_statistics

#: Dimensions of the speaker vectors that need no encoder.
_NAMED_DIM = 256


class TTSDataModule(SpeechDataModule):
    """Utterances for synthesis models; yields :class:`~emoquant.types.TTSBatch`.

    What the caches lack (phones, mel, F0; frames of the encoders) is made in :meth:`setup`, by every rank its share.
    Mel spectrograms of all splits are held in memory, 36 MB an hour of speech.

    Args:
        corpora: A corpus or several, which are joined split by split; every utterance needs its text.
        aligner: Where phones and durations come from; the exact times by default, where all corpora are rendered.
        encoder: The emotion encoder; emotion2vec-tiny from ``checkpoints/`` by default.
        speaker_encoder: Its time means are the speaker vectors; without one every speaker has a fixed unit vector,
            which is a closed set that leaks nothing of the emotion.
        speaker_vectors: Whether an utterance comes with its own vector or with its speaker's centroid.
        reference: What is heard of style and emotion in training: ``"same"``, the utterance itself, or ``"other"``,
            another of the same speaker and emotion, or ``"both"``, each for half of the items. The other is at most
            half as long again as the longest utterance of the batch, since references are padded like these; where
            there is none, it is the utterance itself. Validation takes the utterance itself.
        boundaries: Whether a symbol of no length stands between words that no pause divides, as in GenerSpeech.
        mel: Mel settings; those of the public 22.05 kHz vocoders by default. Audio is read at their rate; encoders and
            aligners get 16 kHz.
        f0_floor: Lowest F0 in Hz.
        f0_ceiling: Highest F0 in Hz.
        emotions: Emotions that are kept, in the order of their indices.
        cache_dir: Folder of the caches.
        frames_per_batch: Bound of a batch: utterances times the longest of them, in mel frames.
        min_frames: Shorter utterances are left out; their number is logged.
        precision: Number format of the stores of frames; that of the codecs' data, so that both share them.
        extraction_seconds: Bound of a batch of the encoders, in seconds of audio.
        num_workers: Processes that load batches; 0 loads in the training process.
        seed: Seeds the order of the training batches and the references.
        batch_per_process: Whether every process trains on batches of this size; by default they share one between
            them.

    Attributes:
        phones: Symbols of all splits, sorted; a phone's id in a batch is its index + 1.
        dim: Dimensions of the emotion frames.
        speaker_dim: Dimensions of the speaker vectors.
        f0_mean: Mean F0 of the training split's voiced frames, Hz.
        f0_std: Its standard deviation, Hz.
        speaker_log_f0: Mean ln F0 of each speaker's voiced training frames, ``(speakers,)``; the mean of all for
            speakers without any.
        log_f0_std: Standard deviation of ln F0 around its speaker's mean.
        emotion_mean: Mean of the training utterances' emotion vectors, ``(D,)``.
        emotion_std: Their standard deviation, ``(D,)``.
        emotion_centroids: Their mean over each emotion, ``(emotions, D)``; NaN for one without training utterances.
        speaker_centroids: Mean speaker vectors of the training split, unit norm, ``(speakers, S)``.

    Raises:
        ValueError: A number is out of range, or see :class:`~emoquant.data.speech.SpeechDataModule`.
            :meth:`setup`: two utterances have one id.
    """

    batch_type: type = TTSBatch

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        aligner: Aligner | None = None,
        encoder: FrameEncoder | None = None,
        speaker_encoder: FrameEncoder | None = None,
        speaker_vectors: Literal["utterance", "centroid"] = "centroid",
        reference: Literal["same", "other", "both"] = "same",
        boundaries: bool = False,
        mel: MelSettings | None = None,
        f0_floor: float = 60.0,
        f0_ceiling: float = 750.0,
        emotions: Sequence[str] = STUDY_EMOTIONS,
        cache_dir: str = ".cache/emoquant",
        frames_per_batch: int = 4000,
        min_frames: int = 32,
        num_workers: int = 0,
        seed: int = 0,
        precision: Precision = "float32",
        extraction_seconds: float = 60.0,
        batch_per_process: bool = False,
    ) -> None:
        super().__init__(corpora, emotions, cache_dir, frames_per_batch, num_workers, seed, batch_per_process)
        _require_sizes(frames_per_batch, min_frames, extraction_seconds)
        if reference not in ("same", "other", "both") or speaker_vectors not in ("utterance", "centroid"):
            raise ValueError(f"reference {reference!r} or speaker_vectors {speaker_vectors!r} is unknown")
        self.aligner = aligner if aligner is not None else self._default_aligner()
        self.encoder = encoder if encoder is not None else _default_encoder()
        self.speaker_encoder, self.speaker_vectors, self.reference = speaker_encoder, speaker_vectors, reference
        self.analysis = Analysis(mel if mel is not None else MelSettings(), f0_floor, f0_ceiling)
        self.mel, self.boundaries = self.analysis.mel, boundaries
        self.dim = self.encoder.dim
        self.speaker_dim = speaker_encoder.dim if speaker_encoder is not None else _NAMED_DIM
        self.min_frames, self.precision, self.extraction_seconds = min_frames, precision, extraction_seconds
        self.phones, self.f0_mean, self.f0_std, self.log_f0_std = list[str](), 0.0, 1.0, 1.0
        self.emotion_mean, self.emotion_std = torch.zeros(self.dim), torch.ones(self.dim)
        self.emotion_centroids = torch.full((len(self.emotions), self.dim), torch.nan)
        self.speaker_centroids, self.speaker_log_f0 = torch.zeros(0, self.speaker_dim), torch.zeros(0)
        self._items, self._cache = dict[Path, VoiceItem](), ItemCache(cache_dir, self.aligner, self.analysis)
        self._store: FeatureStore | None = None
        self._speaker_store: FeatureStore | None = None

    @property
    def front_end(self) -> str:
        """Name of the front end that gives the symbols of :attr:`phones` for new texts."""
        return f"words:{self.aligner.front_end}" if self.boundaries else self.aligner.front_end

    @cached_property
    def encoder_name(self) -> str:
        """The emotion encoder in words, for the checkpoint."""
        return f"{type(self.encoder).__name__}:{self.encoder.fingerprint()[:16]}"

    @cached_property
    def origin(self) -> Origin:
        """What codecs that are trained on the emotion frames remember of the encoder."""
        return self.encoder.identify()

    def _default_aligner(self) -> Aligner:
        if all(isinstance(corpus, RenderedCorpus) for corpus in self.corpora):
            return RenderedAligner()
        raise ValueError(
            f"corpus {self.name!r} has no exact phone times: set aligner to VoiceAligner (any language of espeak-ng), "
            "TextGridAligner (files of the Montreal Forced Aligner) or SphinxAligner (English)"
        )

    def _prepare_splits(self, found: Mapping[str, Sequence[Utterance]]) -> None:
        """Fill the caches, every rank its share, and read the items."""
        _require_own_ids(found)
        utterances = [utterance for split in found.values() for utterance in split if self._is_long(utterance)]
        total = sum(len(split) for split in found.values())
        if len(utterances) < total:
            rank_zero_info(f"{self.name}: {total - len(utterances)} utterances shorter than {self.min_frames} frames")
        self.aligner.open(self.corpora)
        self._store = self._frames_of(self.encoder, utterances)
        if self.speaker_encoder is not None:
            self._speaker_store = self._frames_of(self.speaker_encoder, utterances)
        together(lambda: self._cache.fill(utterances, *self._ranks()), CorpusError)
        for utterance in utterances:
            item = self._cache.read(utterance)
            if item is None:
                raise RuntimeError(f"utterance {utterance.id!r} is not cached; another process failed and says why")
            self._items[self._cache.path(utterance)] = with_boundaries(item) if self.boundaries else item
        self.phones = sorted({symbol for item in self._items.values() for symbol in item.symbols})

    def _frames_of(self, encoder: FrameEncoder, utterances: Sequence[Utterance]) -> FeatureStore:
        store = open_store(encoder, self.cache_dir, self.precision)
        (rank, world), trainer = self._ranks(), self.trainer
        device = trainer.strategy.root_device if trainer is not None else "cpu"
        settings = ExtractionSettings(device, self.extraction_seconds, max(2, self.num_workers))
        together(lambda: extract(utterances, encoder, store, rank, world, settings), AudioError)
        from_first(store.merge)
        store.refresh()
        return store

    def _is_long(self, utterance: Utterance) -> bool:
        try:
            end = utterance.end if utterance.end is not None else audio_seconds(utterance.path)
        except AudioError:
            return True  # reported with all that is wrong where it is read
        return self.mel.frames(int((end - utterance.start) * self.mel.sample_rate)) >= self.min_frames

    def _dataset(self, split: str, utterances: Sequence[Utterance], labels: Mapping[str, np.ndarray]) -> SplitDataset:
        kept = np.array([self._is_long(utterance) for utterance in utterances], bool)
        utterances = [utterance for utterance, keep in zip(utterances, kept, strict=True) if keep]
        emotions, speakers = labels["emotions"][kept], labels["speakers"][kept]
        assert self._store is not None
        items = [self._items[self._cache.path(utterance)] for utterance in utterances]
        frames = Frames(self._store, utterances)
        self._check_clock(utterances, items, frames)
        own = self._own_vectors(utterances, speakers)
        if split == "train":
            self._measure(items, frames, emotions, speakers)
            self.speaker_centroids = centroids(own, torch.from_numpy(speakers), len(self.speakers))
        vectors = own
        if self.speaker_vectors == "centroid" and len(own):
            central = self.speaker_centroids[torch.from_numpy(speakers)]
            vectors = torch.where(central.norm(dim=-1, keepdim=True) > 0, central, own)
        reference = self.reference if split == "train" else "same"
        voices = VoiceLabels(emotions, speakers, vectors)
        return VoiceDataset(utterances, items, frames, voices, self.phones, reference, self.seed)

    def _own_vectors(self, utterances: Sequence[Utterance], speakers: np.ndarray) -> Tensor:
        """Return a speaker vector of each utterance, ``(N, S)`` of unit norm."""
        if self._speaker_store is None:
            return named_vectors(self.speakers, self.speaker_dim)[torch.from_numpy(speakers)]
        return torch.nn.functional.normalize(Frames(self._speaker_store, utterances).means(), dim=-1)

    def _measure(self, items: Sequence[VoiceItem], frames: Frames, emotions: np.ndarray, speakers: np.ndarray) -> None:
        """Compute the statistics of the training split."""
        if not items:
            raise ValueError(f"corpus {self.name!r} has no training utterance of at least {self.min_frames} frames")
        voiced = np.concatenate([item.f0[item.voiced] for item in items]).astype(np.float64)
        self.f0_mean, self.f0_std = float(voiced.mean()), float(max(voiced.std(), 1.0))
        owners = np.repeat(speakers, [int(item.voiced.sum()) for item in items])
        self.speaker_log_f0, self.log_f0_std = speaker_statistics(np.log(voiced), owners, len(self.speakers))
        means = frames.means()
        self.emotion_mean, self.emotion_std = means.mean(0), means.std(0, unbiased=False).clamp_min(1e-5)
        groups = [means[torch.from_numpy(emotions == emotion)] for emotion in range(len(self.emotions))]
        self.emotion_centroids = torch.stack([group.mean(0) for group in groups])

    def dataset(self, split: str) -> VoiceDataset:
        """Return a split; see :class:`~emoquant.data.speech.SpeechDataModule`."""
        found = super().dataset(split)
        assert isinstance(found, VoiceDataset)
        return found

    def partners(self, partners: Mapping[str, str] | None = None) -> dict[int, int]:
        """Return rows of the test split with the row of a partner: the same speaker, another emotion.

        Args:
            partners: Emotion of the partner by emotion; see :func:`~emoquant.data.pairing.partner_rows`.

        Raises:
            ValueError: Partners are wrong or missing.
        """
        whole = self.dataset("test")
        rows, others = partner_rows(whole.emotions, whole.speakers, self.emotions, partners)
        return dict(zip(rows.tolist(), others.tolist(), strict=True))

    def waveform(self, name: str) -> Tensor:
        """Return the samples of an utterance of the test split by its id, ``(N,)`` float32 at the mel's rate."""
        for utterance in self.dataset("test").utterances:
            if utterance.id == name:
                return read_audio(utterance.path, utterance.start, utterance.end, self.mel.sample_rate)
        raise ValueError(f"the test split of {self.name!r} has no utterance {name!r}")

    def _check_clock(self, utterances: Sequence[Utterance], items: Sequence[VoiceItem], frames: Frames) -> None:
        """Check that frames and mel spectrograms are as long in seconds, where the encoder has a frame every 0.1 s."""
        if self.encoder.frame_rate < 10:
            return
        for utterance, item, count in zip(utterances, items, frames.counts(), strict=True):
            apart = abs(count / self.encoder.frame_rate - len(item.mels) / self.mel.frame_rate)
            if apart > 0.1:
                raise ValueError(
                    f"utterance {utterance.id!r}: {count} frames of the encoder at {self.encoder.frame_rate} Hz and "
                    f"{len(item.mels)} mel frames are {apart:.2f} s apart; expected at most 0.1 s"
                )


# For mypy: what tasks and callbacks ask for is what this offers.
_spoken_data: type[SpokenData] = TTSDataModule


def _require_own_ids(found: Mapping[str, Sequence[Utterance]]) -> None:
    """Check that no two utterances of joined corpora have one id, by which clips are named."""
    seen: dict[str, Path] = {}
    for utterance in (utterance for split in found.values() for utterance in split):
        if utterance.id in seen:
            raise ValueError(
                f"{seen[utterance.id]} and {utterance.path} have the same id {utterance.id!r}, by which clips are "
                "named: give the utterances of joined corpora ids of their own (the column id of a manifest)"
            )
        seen[utterance.id] = utterance.path


def _default_encoder() -> FrameEncoder:
    from emoquant.encoders.emotion2vec import Emotion2Vec

    return Emotion2Vec("checkpoints/emotion2vec-tiny")


def _require_sizes(frames_per_batch: int, min_frames: int, extraction_seconds: float) -> None:
    if frames_per_batch < 1 or min_frames < 1 or extraction_seconds <= 0:
        raise ValueError(
            f"frames_per_batch, min_frames and extraction_seconds are {frames_per_batch}, {min_frames} and "
            f"{extraction_seconds}: expected at least 1, at least 1 and more than 0"
        )
