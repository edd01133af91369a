"""What a listening task renders: references of the test split, and what is known of each."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from emoquant.types import StyleReference, TTSBatch

#: Names of what the local style encoders may hear under condition B, besides files.
STYLES = ("same", "neutral", "none")


class Item(NamedTuple):
    """A reference of the test split.

    Attributes:
        id: Its id.
        text: What it says.
        emotion: Name of its emotion.
        speaker: Name of its speaker.
        frames: Frames of the emotion encoder, ``(F, D)``.
        mels: Its mel spectrogram, ``(T, M)``.
        f0: Hz, ``(T,)``.
        voiced: ``(T,)`` bool.
        durations: Mel frames of each phone, ``(L,)`` int64.
        vector: Its speaker vector, ``(S,)``.
        centroid: The mean vector of its speaker, ``(S,)``.
        style: Local style that condition B gives, a batch of one; None for none.
        mixed: Frames of the codecs: the reference's, or its and a partner's one after the other, each cut to the
            shorter, ``(2 n, D)``.
        partner: Id of the partner; empty without.
        partner_emotion: Name of the partner's emotion; empty without.
    """

    id: str
    text: str
    emotion: str
    speaker: str
    frames: Tensor
    mels: Tensor
    f0: Tensor
    voiced: Tensor
    durations: Tensor
    vector: Tensor
    centroid: Tensor
    style: StyleReference | None
    mixed: Tensor
    partner: str = ""
    partner_emotion: str = ""


class ItemSource:
    """Chooses references of the test split and makes items of batches.

    Args:
        data: A TTS data module, which tasks do not import.
        per_cell: References of each emotion and speaker, the first of the split.
        speakers: Speakers whose references are taken; all by default.
        style: What condition B hears: one of :data:`STYLES`, or the style of a file.
        partners: Emotion of a partner by emotion, where pairs of references are mixed.

    Raises:
        ValueError: No reference is left, or partners are wrong.
    """

    def __init__(
        self,
        data: Any,  # noqa: ANN401 (a data module)
        per_cell: int,
        speakers: list[str] | None,
        style: str | StyleReference,
        partners: dict[str, str] | None,
    ) -> None:
        self.data, self.style = data, style
        self.dataset, taken = data.dataset("test"), dict[tuple[int, int], int]()
        self.partners: dict[int, int] = data.partners(partners) if partners is not None else {}
        others = {name: "neutral" for name in data.emotions if name != "neutral"}
        self.neutral: dict[int, int] = data.partners(others) if style == "neutral" else {}
        self.rows: list[int] = []
        for row, cell in enumerate(zip(self.dataset.speakers.tolist(), self.dataset.emotions.tolist(), strict=True)):
            wanted = speakers is None or data.speakers[cell[0]] in speakers
            wanted = wanted and (partners is None or row in self.partners)
            if wanted and taken.get(cell, 0) < per_cell:
                taken[cell] = taken.get(cell, 0) + 1
                self.rows.append(row)
        if not self.rows:
            raise ValueError(f"no reference of the speakers {speakers}: the corpus has {data.speakers}")

    def id_of(self, row: int) -> str:
        """Return the id of an utterance of the test split."""
        return str(self.dataset.utterances[row].id)

    def others_of_speaker(self, row: int) -> list[int]:
        """Return the other chosen references of a reference's speaker, itself where there is none."""
        speakers = self.dataset.speakers
        return [one for one in self.rows if one != row and speakers[one] == speakers[row]] or [row]

    def items(self, batch: TTSBatch) -> Iterator[Item]:
        """Yield the chosen references of a batch."""
        for at, row in enumerate(batch.utterances.tolist()):
            if row in self.rows:
                yield self._item(batch, at, row)

    def _item(self, batch: TTSBatch, at: int, row: int) -> Item:
        data, utterance, length = self.data, self.dataset.utterances[row], int(batch.mel_lengths[at])
        frames = batch.emotion_frames[at, : int(batch.emotion_lengths[at])]
        speaker = int(batch.speakers[at])
        item = Item(
            utterance.id,
            utterance.text,
            data.emotions[int(batch.emotions[at])],
            data.speakers[speaker],
            frames,
            batch.mels[at, :length],
            batch.f0[at, :length],
            batch.voiced[at, :length],
            batch.durations[at, : int(batch.phone_lengths[at])],
            batch.speaker_vectors[at],
            data.speaker_centroids[speaker].to(frames.device),
            self._style(row),
            frames,
        )
        if row not in self.partners:
            return item
        other = self.partners[row]
        theirs = self.dataset.frames[other].to(frames.device)
        size = min(len(frames), len(theirs))
        mixed = torch.cat([frames[:size], theirs[:size]])
        return item._replace(
            mixed=mixed, partner=self.id_of(other), partner_emotion=data.emotions[int(self.dataset.emotions[other])]
        )

    def _style(self, row: int) -> StyleReference | None:
        if isinstance(self.style, StyleReference):
            return self.style
        if self.style == "none":
            return None
        heard: StyleReference = self.dataset.style(self.neutral.get(row, row))
        return heard
