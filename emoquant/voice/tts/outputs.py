"""Results of the voice model."""

from typing import NamedTuple

from torch import Tensor

from emoquant.voice.tts.attention import Attended
from emoquant.voice.tts.bottleneck import Bottleneck
from emoquant.voice.tts.pitch import Melody


class Dropped(NamedTuple):
    """Mark the items that get a learned vector in place of emotion, speaker or style, each ``(B,)`` bool."""

    emotion: Tensor
    speaker: Tensor
    style: Tensor


class LocalStyle(NamedTuple):
    """Hold the local style of one level (frames, phones or words).

    Attributes:
        coded: Quantized styles of the reference's segments.
        segments: Number of segments of each reference, ``(B,)`` int64.
        attended: Style of each frame of the content, by attention to the segments.
    """

    coded: Bottleneck
    segments: Tensor
    attended: Attended


class Output(NamedTuple):
    """Hold the predictions for training utterances, made with their true durations and F0.

    Attributes:
        mels: Mels of the decoder, ``(B, T, M)``; zeros past the end.
        log_durations: Predicted ``log(frames + 1)`` of each phone, ``(B, L)`` float32.
        melody: Predicted F0 and voicing.
        styles: Local styles by level.
        conditions: Conditions of the post-net, without gradient, ``(B, T, C)`` float32.
        nll: Negative log-likelihood of the target mels under the post-net, nats per value, a scalar float32; 0 without
            post-net.
    """

    mels: Tensor
    log_durations: Tensor
    melody: Melody
    styles: dict[str, LocalStyle]
    conditions: Tensor
    nll: Tensor


class Synthesis(NamedTuple):
    """Hold synthesised mels with their F0, voicing and durations, the input of a vocoder.

    Attributes:
        mels: Logarithmic mel spectrograms, ``(B, T, M)`` float32; zeros past the end.
        mel_lengths: Frames of each, ``(B,)`` int64.
        f0: Fundamental frequency in Hz, ``(B, T)`` float32; zeros past the end.
        voiced: Whether a frame is voiced, ``(B, T)`` bool.
        durations: Frames of each phone, ``(B, L)`` int64.
    """

    mels: Tensor
    mel_lengths: Tensor
    f0: Tensor
    voiced: Tensor
    durations: Tensor
