"""The utterances of a split as batches for synthesis models."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emoquant.audio.loading import read_audio
from emoquant.data.base import Utterance
from emoquant.data.features import SplitDataset
from emoquant.data.sampling import Rows
from emoquant.types import StyleReference, TTSBatch
from emoquant.voice.alignment.alignment import segments_of_frames
from emoquant.voice.data.items import VoiceItem
from emoquant.voice.data.vectors import Frames
from emoquant.voice.text.text import encode_phones

#: Longest reference of another utterance, relative to the longest utterance of the batch: what batches are bounded by
#: (their padded size) bounds the references too.
REFERENCE_ROOM = 1.5


class VoiceLabels(NamedTuple):
    """What is known of the utterances of a split.

    Attributes:
        emotions: Index of each emotion, ``(N,)`` int64.
        speakers: Index of each speaker, ``(N,)`` int64.
        vectors: Speaker vector of each, ``(N, S)`` float32.
    """

    emotions: np.ndarray
    speakers: np.ndarray
    vectors: Tensor


class VoiceDataset(SplitDataset):
    """Utterances with phones, mel, F0 and frames; see :class:`~emoquant.voice.data.module.TTSDataModule`.

    Args:
        utterances: The utterances.
        items: Their items.
        frames: Their frames of the emotion encoder.
        labels: Emotions, speakers and speaker vectors.
        phones: Symbols; the id of a phone is its index + 1.
        reference: Whether style and emotion are those of the utterance, of another of its speaker and emotion, or of
            the one for half of the items and of the other for half. The other is one of those that are at most
            :data:`REFERENCE_ROOM` times as long as the longest utterance of the batch; the utterance itself where there
            is none.
        seed: Seeds the choice of the other, together with epoch and row.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        items: Sequence[VoiceItem],
        frames: Frames,
        labels: VoiceLabels,
        phones: Sequence[str],
        reference: Literal["same", "other", "both"] = "same",
        seed: int = 0,
    ) -> None:
        lengths = np.array([len(item.mels) for item in items], np.int64)
        super().__init__(utterances, lengths, labels.emotions, labels.speakers)
        self.items, self.frames, self.vectors = items, frames, labels.vectors
        self.reference, self.seed = reference, seed
        self._ids = [encode_phones(item.symbols, phones) for item in items]
        groups: dict[tuple[int, int], list[int]] = {}
        for row, group in enumerate(zip(labels.speakers.tolist(), labels.emotions.tolist(), strict=True)):
            groups.setdefault(group, []).append(row)
        self._groups = {group: np.array(rows) for group, rows in groups.items()}

    def __getitem__(self, index: Rows) -> TTSBatch:
        """Return a collated batch."""
        rows = [int(row) for row in index.rows]
        longest = int(REFERENCE_ROOM * self.lengths[index.rows].max())
        references = [self._reference(row, index.epoch, longest) for row in rows]
        items = [self.items[row] for row in rows]
        mels = [torch.from_numpy(item.mels).float() for item in items]
        phones = [self._ids[row] for row in rows]
        frames = [self.frames[row] for row in references]
        emotions, speakers, numbers = self._labels(index.rows)
        return TTSBatch(
            phones=_padded(phones),
            phone_lengths=_lengths(phones),
            durations=_padded([torch.from_numpy(item.durations) for item in items]),
            words=_padded([torch.from_numpy(item.words) for item in items]),
            mels=_padded(mels),
            mel_lengths=_lengths(mels),
            f0=_padded([torch.from_numpy(item.f0) for item in items]),
            voiced=_padded([torch.from_numpy(item.voiced) for item in items]),
            style=style_of([self.items[row] for row in references]),
            emotion_frames=_padded(frames),
            emotion_lengths=_lengths(frames),
            speaker_vectors=self.vectors[torch.tensor(rows)],
            emotions=emotions,
            speakers=speakers,
            utterances=numbers,
        )

    def waveform(self, row: int, sample_rate: int) -> Tensor:
        """Return the samples of an utterance at a rate, ``(N,)`` float32."""
        utterance = self.utterances[row]
        return read_audio(utterance.path, utterance.start, utterance.end, sample_rate)

    def style(self, row: int) -> StyleReference:
        """Return what the local style encoders hear of an utterance, a batch of one."""
        return style_of([self.items[row]])

    def _reference(self, row: int, epoch: int, longest: int) -> int:
        if self.reference == "same":
            return row
        group = self._groups[int(self.speakers[row]), int(self.emotions[row])]
        others = group[(group != row) & (self.lengths[group] <= longest)]
        random = np.random.default_rng([self.seed, epoch, row])
        if not len(others) or (self.reference == "both" and random.random() < 0.5):
            return row
        return int(others[int(random.integers(len(others)))])


def style_of(items: Sequence[VoiceItem]) -> StyleReference:
    """Return what the local style encoders hear of items."""
    mels = [torch.from_numpy(item.mels).float() for item in items]
    phones = [segments_of_frames(range(len(item.durations)), item.durations.tolist()) for item in items]
    words = [segments_of_frames(item.words.tolist(), item.durations.tolist()) for item in items]
    return StyleReference(
        _padded(mels),
        _lengths(mels),
        _padded([torch.from_numpy(segments) for segments in phones]),
        _padded([torch.from_numpy(segments) for segments in words]),
    )


def _padded(rows: Sequence[Tensor]) -> Tensor:
    return pad_sequence(list(rows), batch_first=True)


def _lengths(rows: Sequence[Tensor]) -> Tensor:
    return torch.tensor([len(row) for row in rows])
