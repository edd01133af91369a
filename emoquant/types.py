"""The tensors that rooms hand to each other, with their shapes and units.

Axes: ``B`` utterances, ``T`` frames, ``D`` feature dimensions, ``P`` code positions of a frame, ``K`` codewords,
``O`` operating points of a codec, ``C`` emotions. For synthesis: ``L`` phones, ``T`` mel frames of the target, ``R``
mel frames of the style reference, ``F`` frames of the emotion encoder, ``M`` mel bands, ``S`` dimensions of a speaker
vector.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Tell the entries of sequences from the padding behind them.

    Args:
        lengths: Entries of each sequence, ``(B,)`` int64.
        size: Padded length ``T``.

    Returns:
        ``(B, T)`` bool.

    Example:
        >>> length_mask(torch.tensor([1, 3]), 3).int().tolist()
        [[1, 0, 0], [1, 1, 1]]
    """
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


class Utterance(NamedTuple):
    """One labelled utterance.

    Attributes:
        id: Name that is unique in its corpus; it never holds a path separator.
        path: Audio file.
        emotion: Canonical name (:mod:`emoquant.labels`).
        speaker: Name of the speaker, unique in the corpus; empty where unknown.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        text: What is said; empty where unknown.
        language: BCP 47 tag; empty where unknown.
        start: Where the utterance begins in the file, in seconds.
        end: Where it ends, in seconds; None for the end of the file.
        votes: Annotators' votes per canonical emotion (counts or shares); empty where nobody voted.
        dimensions: Annotators' mean ratings of arousal, valence and dominance, on the corpus's scale; those that there
            are.
    """

    id: str
    path: Path
    emotion: str
    speaker: str
    split: str
    text: str = ""
    language: str = ""
    start: float = 0.0
    end: float | None = None
    votes: Mapping[str, float] = {}
    dimensions: Mapping[str, float] = {}


class Batch(NamedTuple):
    """Frame features of several utterances, padded to the longest.

    Attributes:
        features: Frame features, ``(B, T, D)`` float32; zeros past the end of an utterance.
        lengths: Frames of each utterance, ``(B,)`` int64, at least 1.
        emotions: Emotion of each utterance as an index into the data module's ``emotions``, ``(B,)`` int64.
        speakers: Speaker as an index into the data module's ``speakers``, ``(B,)`` int64.
        utterances: Row of each utterance in its split, ``(B,)`` int64; unique over all ranks.
        votes: Share of the annotators' votes for each emotion, ``(B, C)`` float32; all zero where nobody voted.
        dimensions: Ratings of arousal, valence and dominance, ``(B, 3)`` float64, NaN where there is none; None where
            the corpus has none.
    """

    features: Tensor
    lengths: Tensor
    emotions: Tensor
    speakers: Tensor
    utterances: Tensor
    votes: Tensor
    dimensions: Tensor | None = None

    def part(self, begin: int, end: int) -> "Batch":
        """Return the utterances from one place to another, padded as they are here."""
        return Batch(*(None if value is None else value[begin:end] for value in self))  # type: ignore[arg-type]


class AudioBatch(NamedTuple):
    """Waveforms of several utterances, padded to the longest.

    Attributes:
        waveforms: Mono samples at 16 kHz in [-1, 1], ``(B, N)`` float32; zeros past the end of an utterance.
        lengths: Samples of each utterance, ``(B,)`` int64.
        emotions: As in :class:`Batch`.
        speakers: As in :class:`Batch`.
        utterances: As in :class:`Batch`.
    """

    waveforms: Tensor
    lengths: Tensor
    emotions: Tensor
    speakers: Tensor
    utterances: Tensor


class Quantized(NamedTuple):
    """Codes of frames and what they decode to.

    Attributes:
        codes: Chosen codeword per position, ``(B, T, P)`` int64 in ``[0, K]`` (``K`` is SKIP); -1 at padded frames.
        features: Reconstructed frames, ``(B, T, D)`` float32; zeros at padded frames.
    """

    codes: Tensor
    features: Tensor


class Coded(NamedTuple):
    """What a codec made of a batch at each of its operating points.

    Attributes:
        codes: ``(O, B, T, P)`` int16 in ``[0, K]`` (``K`` is SKIP); -1 at padded frames. ``P`` is 0 for a codec
            without codes (identity). Of a transform codec: indices of coefficients, ``P = D``, a row for each frame.
        features: Reconstructed frames, ``(O, B, T, D)`` float32; zeros at padded frames.
        bits: Estimated bits of each frame, ``-log2 q`` summed over its positions, ``(O, B, T)`` float32; zeros at
            padded frames.
    """

    codes: Tensor
    features: Tensor
    bits: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> "Coded":
        """Return the same with a function applied to every tensor."""
        return Coded(*map(change, self))


class Counted(NamedTuple):
    """What a codec made of a batch, with its bits counted in other ways as well.

    Attributes:
        coded: Codes, features and estimated bits.
        extra: Bits of each frame by each other way (:attr:`emoquant.codecs.Codec.extra`), ``(O, B, T, M)`` float32.
    """

    coded: Coded
    extra: Tensor


class StyleReference(NamedTuple):
    """The speech whose local style (melody, rhythm, articulation) a synthesis imitates.

    Attributes:
        mels: Logarithmic mel spectrograms, ``(B, R, M)`` float32; zeros past the end.
        lengths: Mel frames of each reference, ``(B,)`` int64, at least 1.
        phones: Phone segment of each frame, ``(B, R)`` int64: 1, 2, ... without gaps, never falling; 0 at padding.
        words: Word segment of each frame, likewise.
    """

    mels: Tensor
    lengths: Tensor
    phones: Tensor
    words: Tensor


class TTSBatch(NamedTuple):
    """Utterances with everything that a synthesis model learns from, padded to the longest.

    Attributes:
        phones: Phones as 1 + index into the data module's ``phones``, ``(B, L)`` int64; 0 at padding.
        phone_lengths: Phones of each utterance, ``(B,)`` int64, at least 1.
        durations: Mel frames of each phone, ``(B, L)`` int64; they sum to ``mel_lengths``.
        words: Word of each phone, ``(B, L)`` int64: 1, 2, ... without gaps, never falling; 0 at padding.
        mels: Logarithmic mel spectrograms, ``(B, T, M)`` float32; zeros past the end.
        mel_lengths: Mel frames of each utterance, ``(B,)`` int64, at least 1.
        f0: Fundamental frequency in Hz, interpolated through unvoiced frames, ``(B, T)`` float32; zeros past the end.
        voiced: Whether a frame is voiced, ``(B, T)`` bool.
        style: The utterance itself, or another of the same speaker and emotion.
        emotion_frames: Frames of the emotion encoder on the style reference, ``(B, F, D)`` float32; zeros past the end.
        emotion_lengths: Frames of the emotion encoder, ``(B,)`` int64, at least 1.
        speaker_vectors: Speaker vectors of unit norm, ``(B, S)`` float32.
        emotions: As in :class:`Batch`.
        speakers: As in :class:`Batch`.
        utterances: As in :class:`Batch`.
    """

    phones: Tensor
    phone_lengths: Tensor
    durations: Tensor
    words: Tensor
    mels: Tensor
    mel_lengths: Tensor
    f0: Tensor
    voiced: Tensor
    style: StyleReference
    emotion_frames: Tensor
    emotion_lengths: Tensor
    speaker_vectors: Tensor
    emotions: Tensor
    speakers: Tensor
    utterances: Tensor
