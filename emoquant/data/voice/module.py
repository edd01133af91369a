"""The data module of synthesis models."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from emoquant.data.base import Corpus, Utterance
from emoquant.data.extraction import ExtractionSettings, extract, open_store
from emoquant.data.rendered import RenderedCorpus
from emoquant.data.speech import SpeechDataModule, SplitDataset
from emoquant.data.store import FeatureStore
from emoquant.data.voice.aligners import Aligner, RenderedAligner
from emoquant.data.voice.cache import ItemCache
from emoquant.data.voice.dataset import VoiceDataset
from emoquant.data.voice.items import Analysis, VoiceItem
from emoquant.data.voice.vectors import Frames, centroids, named_vectors
from emoquant.encoders.base import FrameEncoder
from emoquant.labels import STUDY_EMOTIONS
from emoquant.speech.mel import MelSpec

#: Dimensions of the speaker vectors that need no encoder.
_NAMED_DIM = 256


class TTSDataModule(SpeechDataModule):
    """Utterances for synthesis models; yields :class:`~emoquant.types.TTSBatch`.

    What the caches lack (phones, mel, F0; frames of the encoders) is made in :meth:`setup`, by every rank its share.

    Args:
        corpora: A corpus or several, which are joined split by split; every utterance needs its text.
        aligner: Where phones and durations come from; the exact times by default, where all corpora are rendered.
        encoder: The emotion encoder; emotion2vec-tiny from ``checkpoints/`` by default.
        speaker_encoder: Its time means are the speaker vectors; without one every speaker has a fixed unit vector,
            which is a closed set that leaks nothing of the emotion.
        speaker_vectors: Whether an utterance comes with its own vector or with its speaker's centroid.
        reference: What is heard of style and emotion in training: ``"same"``, the utterance itself, or ``"other"``,
            another of the same speaker and emotion (the same where there is none). Never ``"other"`` in validation.
        mel: Mel specification.
        f0_floor: Lowest F0 in Hz.
        f0_ceiling: Highest F0 in Hz.
        emotions: Emotions that are kept, in the order of their indices.
        cache_dir: Folder of the caches.
        frames_per_batch: Bound of a batch: utterances times the longest of them, in mel frames.
        min_frames: Shorter utterances are left out; their number is logged.
        num_workers: Processes that load batches; 0 loads in the training process.
        seed: Seeds the order of the training batches and the references.

    Attributes:
        phones: Symbols of all splits, sorted; a phone's id in a batch is its index + 1.
        front_end: Name of the front end that gives these symbols for new texts.
        dim: Dimensions of the emotion frames.
        speaker_dim: Dimensions of the speaker vectors.
        f0_mean: Mean F0 of the training split's voiced frames, Hz.
        f0_std: Its standard deviation, Hz.
        emotion_mean: Mean of the training utterances' emotion vectors, ``(D,)``.
        emotion_std: Their standard deviation, ``(D,)``.
        speaker_centroids: Mean speaker vectors of the training split, unit norm, ``(speakers, S)``.
        encoder_name: The emotion encoder in words, for the checkpoint.

    Raises:
        ValueError: A number is out of range, or see :class:`~emoquant.data.speech.SpeechDataModule`.
    """

    def __init__(
        self,
        corpora: Corpus | list[Corpus],
        aligner: Aligner | None = None,
        encoder: FrameEncoder | None = None,
        speaker_encoder: FrameEncoder | None = None,
        speaker_vectors: Literal["utterance", "centroid"] = "centroid",
        reference: Literal["same", "other"] = "same",
        mel: MelSpec | None = None,
        f0_floor: float = 60.0,
        f0_ceiling: float = 750.0,
        emotions: Sequence[str] = STUDY_EMOTIONS,
        cache_dir: str = ".cache/emoquant",
        frames_per_batch: int = 4000,
        min_frames: int = 32,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(corpora, emotions, cache_dir, frames_per_batch, num_workers, seed)
        if frames_per_batch < 1 or min_frames < 1:
            raise ValueError(f"frames_per_batch is {frames_per_batch}, min_frames {min_frames}: expected at least 1")
        if reference not in ("same", "other") or speaker_vectors not in ("utterance", "centroid"):
            raise ValueError(f"reference {reference!r} or speaker_vectors {speaker_vectors!r} is unknown")
        self.aligner = aligner if aligner is not None else self._default_aligner()
        self.encoder = encoder if encoder is not None else _default_encoder()
        self.speaker_encoder, self.speaker_vectors, self.reference = speaker_encoder, speaker_vectors, reference
        self.analysis = Analysis(mel if mel is not None else MelSpec(), f0_floor, f0_ceiling)
        self.mel, self.front_end = self.analysis.mel, self.aligner.front_end
        self.dim = self.encoder.dim
        self.speaker_dim = speaker_encoder.dim if speaker_encoder is not None else _NAMED_DIM
        self.min_frames = min_frames
        self.encoder_name = f"{type(self.encoder).__name__}:{self.encoder.fingerprint()[:16]}"
        self.phones: list[str] = []
        self.f0_mean, self.f0_std = 0.0, 1.0
        self.emotion_mean, self.emotion_std = torch.zeros(self.dim), torch.ones(self.dim)
        self.speaker_centroids = torch.zeros(0, self.speaker_dim)
        self._items: dict[Utterance_Key, VoiceItem] = {}
        self._stores: tuple[FeatureStore, FeatureStore | None] | None = None

    def setup(self, stage: str | None = None) -> None:
        """Read the corpora, fill the caches and compute the statistics; a second call does nothing."""
        fresh = self._datasets is None
        super().setup(stage)
        if fresh:
            self._measure()
