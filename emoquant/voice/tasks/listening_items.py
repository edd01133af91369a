"""What a listening task renders: references of the test split, and what is known of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.interfaces.protocols import SpokenData
from emoquant.types import StyleReference, TTSBatch
from emoquant.voice.clips import Clip

#: Names of what the local style encoders may hear under condition B, besides files.
STYLES = ("same", "neutral", "none")


class Rendered(NamedTuple):
    """A clip with its samples, ``(N,)`` float32 in [-1, 1] at the voice's rate."""

    clip: Clip
    waveform: Tensor


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


def spread_over_texts(
    speakers: Sequence[int], emotions: Sequence[int], texts: Sequence[str], per_cell: int
) -> list[int]:
    """Choose utterances of every speaker and emotion such that together they say as many sentences as there are.

    Speaker by speaker and emotion by emotion, the sentence is taken that this emotion had least so far; among equals
    the one that was taken least, then the one that this speaker had least, then the first. So a measure that depends on
    the words (word errors, durations) is of many sentences, and no emotion is tied to one.

    Args:
        speakers: Speaker of each utterance, ``(N,)``.
        emotions: Its emotion, ``(N,)``.
        texts: What it says, ``(N,)``.
        per_cell: Utterances of each speaker and emotion; all where there are fewer.

    Returns:
        Their rows, in order.

    Example:
        >>> spread_over_texts([0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0], ["a", "b", "a", "b", "a", "b"], 1)
        [0, 3, 5]
    """
    cells: dict[tuple[int, int], list[int]] = {}
    for row, cell in enumerate(zip(speakers, emotions, strict=True)):
        cells.setdefault(cell, []).append(row)
    uses: Counter[tuple[str, str]] = Counter()
    chosen = []
    for (speaker, emotion), rows in sorted(cells.items()):
        left, kinds = list(rows), (f"emotion {emotion}", "all", f"speaker {speaker}")
        for _ in range(min(per_cell, len(rows))):
            row = min(left, key=lambda row: (*(uses[kind, texts[row]] for kind in kinds), row))
            left.remove(row)
            chosen.append(row)
            uses.update((kind, texts[row]) for kind in kinds)
    return sorted(chosen)


class ItemSource:
    """Chooses references of the test split and makes items of batches.

    Args:
        data: The data module.
        per_cell: References of each emotion and speaker; sentences take turns (:func:`spread_over_texts`).
        speakers: Speakers whose references are taken; all by default.
        style: What condition B hears: one of :data:`STYLES`, or the style of a file.
        partners: Emotion of a partner by emotion, where pairs of references are mixed.

    Raises:
        ValueError: No reference is left, or partners are wrong.
    """

    def __init__(
        self,
        data: SpokenData,
        per_cell: int,
        speakers: list[str] | None,
        style: str | StyleReference,
        partners: dict[str, str] | None,
    ) -> None:
        self.data, self.style = data, style
        self.dataset = data.dataset("test")
        self.partners: dict[int, int] = data.partners(partners) if partners is not None else {}
        others = {name: "neutral" for name in data.emotions if name != "neutral"}
        self.neutral: dict[int, int] = data.partners(others) if style == "neutral" else {}
        voices, emotions = self.dataset.speakers.tolist(), self.dataset.emotions.tolist()
        texts = [utterance.text for utterance in self.dataset.utterances]
        self.rows = [
            row
            for row in spread_over_texts(voices, emotions, texts, per_cell)
            if (speakers is None or data.speakers[voices[row]] in speakers)
            and (partners is None or row in self.partners)
        ]
        if not self.rows:
            raise ValueError(f"no reference of the speakers {speakers}: the corpus has {data.speakers}")

    @property
    def texts(self) -> list[str]:
        """What the chosen references say, each text once."""
        return list(dict.fromkeys(self.dataset.utterances[row].text for row in self.rows))

    def id_of(self, row: int) -> str:
        """Return the id of an utterance of the test split."""
        return self.dataset.utterances[row].id

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
        return self.dataset.style(self.neutral.get(row, row))


def clip_file(item: str, *parts: object) -> str:
    """Return the name of a clip's file: its parts in order, numbers short, NaN left out."""
    shown = [f"{part:g}" if isinstance(part, float) else str(part) for part in parts if part == part]
    return f"clips/{'-'.join([item, *shown])}.wav"
