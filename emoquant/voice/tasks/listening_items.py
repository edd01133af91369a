"""What a listening task renders: references of the test split, and the clips that are planned of each."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.interfaces.protocols import SpokenData
from emoquant.types import StyleReference, TTSBatch
from emoquant.voice.clips import Clip
from emoquant.voice.tts.synthesis import seed_of

#: Calibration clips that need no synthesis.
RECORDINGS = ("ground_truth", "copy_synthesis")
#: Names of what the local style encoders may hear under condition B, besides files.
STYLES = ("same", "neutral", "none")


class Item(NamedTuple):
    """A reference of the test split.

    Attributes:
        clip: What its clips have in common: id, text, emotion, speaker and partner of the reference.
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
    """

    clip: Clip
    frames: Tensor
    mels: Tensor
    f0: Tensor
    voiced: Tensor
    durations: Tensor
    vector: Tensor
    centroid: Tensor
    style: StyleReference | None
    mixed: Tensor


class Plan(NamedTuple):
    """Which clips are made of every reference; nothing is rendered here.

    Attributes:
        conditions: ``"A"``, ``"B"`` or both.
        texts: What is said; None for the reference's own text.
        codecs: Name and operating points of every codec.
        calibration: Whether there are calibration clips.
        style: What condition B hears.
        settings: Digest of everything that changes a clip.
        seed: Seed of the noise.
    """

    conditions: Sequence[str]
    texts: Sequence[str] | None
    codecs: Sequence[tuple[str, Sequence[float]]]
    calibration: bool
    style: str
    settings: str
    seed: int

    def clips_of(self, reference: Clip) -> Iterator[list[Clip]]:
        """Yield the clips of a reference in groups; a group has one text, condition and seed, and is rendered at once.

        Args:
            reference: What its clips have in common.
        """
        reference, item = reference._replace(settings=self.settings), reference.reference
        for kind in RECORDINGS if self.calibration else ():
            yield [reference._replace(file=clip_file(item, kind), kind=kind, partner="", partner_emotion="")]
        for number, text in enumerate([reference.text] if self.texts is None else self.texts):
            seed = seed_of(item, text, str(self.seed))
            for condition in self.conditions:
                style = self.style if condition == "B" else ""
                said = reference._replace(kind="synthesis", condition=condition, text=text, seed=seed, style=style)
                yield [
                    said._replace(file=clip_file(item, number, condition, codec, at), codec=codec, lmbda=float(at))
                    for codec, points in self.codecs
                    for at in points
                ]
                if self.calibration:
                    yield [said._replace(file=clip_file(item, number, condition, "random"), kind="random_vector")]


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
    """Chooses references of the test split and finds them in batches.

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

    @property
    def recordings(self) -> dict[str, list[str]]:
        """Ids of the chosen references of every speaker."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            found.setdefault(self.data.speakers[int(self.dataset.speakers[row])], []).append(self._id_of(row))
        return found

    def files(self, plan: Plan) -> set[str]:
        """Return the files of all clips of all chosen references."""
        groups = (clips for row in self.rows for clips in plan.clips_of(self._clip(row)))
        return {clip.file for clips in groups for clip in clips}

    def planned(self, batch: TTSBatch, plan: Plan) -> list[tuple[Item, list[Clip]]]:
        """Return the chosen references of a batch with their clips, group by group."""
        rows = enumerate(batch.utterances.tolist())
        items = [self._item(batch, at, row) for at, row in rows if row in self.rows]
        return [(item, clips) for item in items for clips in plan.clips_of(item.clip)]

    def _clip(self, row: int) -> Clip:
        """Return what the clips of a reference have in common."""
        utterance, text = self.dataset.utterances[row], self.dataset.utterances[row].text
        speaker = self.data.speakers[int(self.dataset.speakers[row])]
        own = Clip("", "", "", "none", math.nan, utterance.id, text, text, self._emotion(row), speaker, 0, 0.0)
        if row not in self.partners:
            return own
        other = self.partners[row]
        return own._replace(partner=self._id_of(other), partner_emotion=self._emotion(other))

    def _emotion(self, row: int) -> str:
        return self.data.emotions[int(self.dataset.emotions[row])]

    def _id_of(self, row: int) -> str:
        return self.dataset.utterances[row].id

    def _item(self, batch: TTSBatch, at: int, row: int) -> Item:
        length = int(batch.mel_lengths[at])
        frames = batch.emotion_frames[at, : int(batch.emotion_lengths[at])]
        return Item(
            self._clip(row),
            frames,
            batch.mels[at, :length],
            batch.f0[at, :length],
            batch.voiced[at, :length],
            batch.durations[at, : int(batch.phone_lengths[at])],
            batch.speaker_vectors[at],
            self.data.speaker_centroids[int(batch.speakers[at])].to(frames.device),
            self._style(row),
            self._mixed(row, frames),
        )

    def _mixed(self, row: int, frames: Tensor) -> Tensor:
        if row not in self.partners:
            return frames
        theirs = self.dataset.frames[self.partners[row]].to(frames.device)
        size = min(len(frames), len(theirs))
        return torch.cat([frames[:size], theirs[:size]])

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
