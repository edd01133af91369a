"""The tensors that rooms hand to each other, with their shapes and units.

Axes: ``B`` utterances, ``T`` frames, ``D`` feature dimensions, ``P`` code positions of a frame, ``K`` codewords,
``O`` operating points of a codec, ``C`` emotions.
"""

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Frame features of several utterances, padded to the longest.

    Attributes:
        features: Frame features, ``(B, T, D)`` float32; zeros past the end of an utterance.
        lengths: Frames of each utterance, ``(B,)`` int64, at least 1.
        emotions: Emotion of each utterance as an index into the data module's ``emotions``, ``(B,)`` int64.
        speakers: Speaker as an index into the data module's ``speakers``, ``(B,)`` int64.
        utterances: Row of each utterance in its split, ``(B,)`` int64; unique over all ranks.
        votes: Share of the annotators' votes for each emotion, ``(B, C)`` float32; all zero where nobody voted.
    """

    features: Tensor
    lengths: Tensor
    emotions: Tensor
    speakers: Tensor
    utterances: Tensor
    votes: Tensor


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
            without codes (identity).
        features: Reconstructed frames, ``(O, B, T, D)`` float32; zeros at padded frames.
        bits: Estimated bits of each frame, ``-log2 q`` summed over its positions, ``(O, B, T)`` float32; zeros at
            padded frames.
    """

    codes: Tensor
    features: Tensor
    bits: Tensor
