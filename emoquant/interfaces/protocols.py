"""What tasks and callbacks read of a data module, as protocols: they meet in the YAML and import nothing of each other.

A data module of one's own needs no base class: it offers the members of the protocol that its task asks for.

=====================  =======================================  ==============================================
protocol               a data module of the project that fits   batches
=====================  =======================================  ==============================================
:class:`LabelledData`  every one                                any
:class:`FrameData`     ``EmotionDataModule``                    :class:`~emoquant.types.Batch`
:class:`EmotionData`   ``EmotionDataModule``                    :class:`~emoquant.types.Batch`
:class:`AudioData`     ``AudioDataModule``                      :class:`~emoquant.types.AudioBatch`
:class:`VoiceData`     ``TTSDataModule``                        :class:`~emoquant.types.TTSBatch`
:class:`SpokenData`    ``TTSDataModule``                        :class:`~emoquant.types.TTSBatch`
=====================  =======================================  ==============================================
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from emoquant.audio.mel import MelSettings
from emoquant.encoders.base import FrameEncoder
from emoquant.storage.origin import Origin
from emoquant.types import StyleReference


class Batches(Protocol):
    """A loader: batches, and how many there are."""

    def __iter__(self) -> Iterator[Any]:
        """Yield batches."""

    def __len__(self) -> int:
        """Return their number."""


class LabelledUtterance(Protocol):
    """One utterance of a split; :class:`emoquant.data.base.Utterance` says more of each attribute."""

    @property
    def id(self) -> str:
        """Name that is unique in its corpus."""

    @property
    def path(self) -> Path:
        """Audio file."""

    @property
    def emotion(self) -> str:
        """Canonical name of the emotion."""

    @property
    def text(self) -> str:
        """What is said; empty where unknown."""

    @property
    def start(self) -> float:
        """Where it begins in the file, in seconds."""

    @property
    def end(self) -> float | None:
        """Where it ends, in seconds; None for the end of the file."""

    @property
    def votes(self) -> Mapping[str, float]:
        """Annotators' votes per emotion; empty where nobody voted."""


class LabelledSplit(Protocol):
    """The utterances of a split; row ``i`` of a batch is ``utterances[i]``."""

    @property
    def utterances(self) -> Sequence[LabelledUtterance]:
        """The utterances."""

    @property
    def lengths(self) -> np.ndarray:
        """Length of each in the unit that batches are bounded by, ``(N,)`` int64."""

    @property
    def emotions(self) -> np.ndarray:
        """Index of each utterance's emotion, ``(N,)`` int64."""

    @property
    def speakers(self) -> np.ndarray:
        """Index of each utterance's speaker, ``(N,)`` int64."""

    def ids(self) -> Iterable[str]:
        """Return the ids of the utterances in order."""


class FramesByRow(Protocol):
    """Frames of the utterances of a split."""

    def __getitem__(self, row: int, /) -> Tensor:
        """Return those of an utterance, ``(F, D)`` float32."""


class SpokenSplit(LabelledSplit, Protocol):
    """The utterances of a split with what synthesis hears of them."""

    @property
    def frames(self) -> FramesByRow:
        """Frames of the emotion encoder."""

    def style(self, row: int) -> StyleReference:
        """Return what the local style encoders hear of an utterance, a batch of one."""

    def waveform(self, row: int, sample_rate: int) -> Tensor:
        """Return the samples ``(N,)`` of an utterance at a rate in Hz."""


class FrameData(Protocol):
    """Frame features that a codec can be trained on, in batches of :class:`~emoquant.types.Batch`.

    Attributes:
        name: Name of the corpora.
        emotions: Canonical names of the emotions.
    """

    name: str
    emotions: list[str]

    @property
    def dim(self) -> int:
        """Dimensions ``D`` of a frame."""

    @property
    def origin(self) -> Origin | None:
        """What codecs and classifiers remember of the encoder; None where nobody knows it."""


class LabelledData(Protocol):
    """Labelled utterances in splits.

    Attributes:
        batch_type: Class of the batches that the loaders yield.
        name: Name of the corpora.
        emotions: Canonical names of the emotions; labels index into it.
        speakers: Names of the speakers; labels index into it.
        budget: Largest padded size of a batch, in the unit of the splits' lengths.
    """

    batch_type: type
    name: str
    emotions: list[str]
    speakers: list[str]
    budget: int

    def dataset(self, split: str) -> LabelledSplit:
        """Return a split: ``"train"``, ``"validation"`` or ``"test"``."""

    def reference_dataloader(self) -> Batches:
        """Return the training split unshuffled, every utterance once over all ranks."""


class FeatureData(LabelledData, Protocol):
    """Labelled utterances with frames of an emotion encoder."""

    @property
    def dim(self) -> int:
        """Dimensions ``D`` of a frame."""

    @property
    def encoder(self) -> FrameEncoder | None:
        """The encoder; None where the frames come from elsewhere."""

    @property
    def origin(self) -> Origin | None:
        """What codecs and classifiers remember of the encoder; None where nobody knows it."""


class EmotionData(FeatureData, Protocol):
    """Frame features for codecs and probes, in batches of :class:`~emoquant.types.Batch`."""

    @property
    def fold(self) -> tuple[int, int] | None:
        """Number and count of the folds that divide the data, from 0; None for splits of their own."""

    @property
    def training_shares(self) -> Mapping[str, float]:
        """Share of each emotion among the training utterances; emotions without any are left out."""

    def val_dataloader(self) -> Batches:
        """Return the validation split, every utterance once over all ranks."""

    def share_test(self, number: int, count: int, done: int = 0) -> None:
        """Restrict the test loader to share ``number`` of ``count``, without its first ``done`` batches."""


class AudioData(LabelledData, Protocol):
    """Waveforms for encoders and vocoders, in batches of :class:`~emoquant.types.AudioBatch`.

    Attributes:
        sample_rate: Samples a second.
    """

    sample_rate: int


class VoiceData(FeatureData, Protocol):
    """Speech for training voices, in batches of :class:`~emoquant.types.TTSBatch`.

    Attributes:
        phones: Symbols; a phone's id in a batch is its index + 1.
        mel: Mel specification.
        speaker_dim: Dimensions of a speaker vector.
        f0_mean: Mean F0 of voiced training frames, Hz.
        f0_std: Its standard deviation, Hz.
        speaker_log_f0: Mean ln F0 of each speaker's voiced training frames, ``(speakers,)``; the mean of all for
            speakers without any.
        log_f0_std: Standard deviation of ln F0 around its speaker's mean.
        emotion_mean: Mean of the training utterances' emotion vectors, ``(D,)``.
        emotion_std: Their standard deviation, ``(D,)``.
        speaker_centroids: Mean speaker vectors, ``(speakers, S)``.
    """

    phones: list[str]
    mel: MelSettings
    speaker_dim: int
    f0_mean: float
    f0_std: float
    speaker_log_f0: Tensor
    log_f0_std: float
    emotion_mean: Tensor
    emotion_std: Tensor
    speaker_centroids: Tensor

    @property
    def front_end(self) -> str:
        """Name of the text front end that the phones come from."""

    @property
    def encoder_name(self) -> str:
        """The emotion encoder in words."""


class SpokenData(VoiceData, Protocol):
    """Speech that a voice is listened to with: :class:`VoiceData` and what its clips are held against.

    Attributes:
        emotion_centroids: Mean emotion vector of each emotion, ``(emotions, D)``.
        speaker_encoder: Encoder of the speaker vectors; None where every speaker has a fixed one.
        speaker_vectors: Whether an utterance has its own vector or its speaker's.
        precision: Number format of the frames.
    """

    emotion_centroids: Tensor
    speaker_encoder: FrameEncoder | None

    @property
    def encoder(self) -> FrameEncoder:
        """The emotion encoder."""

    @property
    def speaker_vectors(self) -> str:
        """``"utterance"`` or ``"centroid"``."""

    @property
    def precision(self) -> str:
        """``"float32"`` or ``"float16"``."""

    @property
    def analysis(self) -> object:
        """Settings of mel and F0, comparable and printable."""

    def dataset(self, split: str) -> SpokenSplit:
        """Return a split: ``"train"``, ``"validation"`` or ``"test"``."""

    def partners(self, partners: Mapping[str, str] | None = None) -> dict[int, int]:
        """Return rows of the test split with the row of a partner of another emotion."""

    def waveform(self, name: str) -> Tensor:
        """Return the samples ``(N,)`` of an utterance of the test split by its id."""
