"""What the voice model returns."""

from typing import NamedTuple

from torch import Tensor

from emoquant.voice.tts.attention import Attended
from emoquant.voice.tts.bottleneck import Bottleneck
from emoquant.voice.tts.pitch import Melody


class Dropped(NamedTuple):
    """Which items get a learned vector in place of a condition; each ``(B,)`` bool."""

    emotion: Tensor
    speaker: Tensor
    style: Tensor


class LocalStyle(NamedTuple):
    """One level of local style.

    Attributes:
        coded: Styles of the reference's segments after their codebook.
        segments: Segments of each reference, ``(B,)`` int64.
        attended: The styles laid onto the content.
    """

    coded: Bottleneck
    segments: Tensor
    attended: Attended


class Output(NamedTuple):
    """What the model says about a batch whose durations and melody it was given.

    Attributes:
        mels: Mels of the decoder, ``(B, T, M)``; zeros past the end.
        log_durations: Predicted ``log(frames + 1)`` of each phone, ``(B, L)`` float32.
        melody: Predicted melody.
        styles: Local styles by level.
        conditions: What the post-net is conditioned on, without gradient, ``(B, T, C)`` float32.
        nll: Minus the log density of the target mels under the post-net, nats for each value, a scalar float32.
    """

    mels: Tensor
    log_durations: Tensor
    melody: Melody
    styles: dict[str, LocalStyle]
    conditions: Tensor
    nll: Tensor


class Synthesis(NamedTuple):
    """Synthesised speech before the vocoder.

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
