"""What codecs of audio leave of speech beside emotion: speaker, words, F0 and quality."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.audio.loading import resampled
from emoquant.encoders.base import FrameEncoder
from emoquant.voice.metrics.distance import melody_errors
from emoquant.voice.metrics.words import character_errors
from emoquant.voice.text.recognition import SAMPLE_RATE, Recognizer


class Said(NamedTuple):
    """What is said in a recording, and in which language.

    Attributes:
        text: The words; empty where they are unknown.
        language: BCP 47 tag; empty where it is unknown.
    """

    text: str
    language: str


class Heard(NamedTuple):
    """What is heard in a recording, or in what a codec made of it.

    Attributes:
        speaker: Speaker vector, ``(S,)``; of no dimension without a speaker encoder.
        errors: Wrong letters of the recogniser's text; NaN without a recogniser or a text.
        letters: Letters that were said; NaN likewise.
        correlation: Correlation of the log F0 with the recording's, of frames voiced in both; NaN where there are none.
        quality: Predicted quality, 1 to 5; NaN without a predictor.
    """

    speaker: Tensor
    errors: float
    letters: float
    correlation: float
    quality: float


class Listener:
    """Measures speaker, words, F0 and quality of a waveform.

    Args:
        speaker_encoder: Encoder whose time mean is the speaker vector; None to leave speakers out.
        recognizer: Recogniser that writes down what is said; None to leave words out.
        melody: Whether F0 is compared with the recording's; needs WORLD (the extra ``speech``).
        quality: Predictor of quality from samples ``(N,)`` at 16 kHz, such as
            :func:`~emoquant.voice.metrics.quality.overall_quality`; None to leave quality out.
    """

    def __init__(
        self,
        speaker_encoder: FrameEncoder | None = None,
        recognizer: Recognizer | None = None,
        melody: bool = True,
        quality: Callable[[Tensor], float] | None = None,
    ) -> None:
        self.speaker_encoder = None if speaker_encoder is None else speaker_encoder.eval()
        self.recognizer, self.melody, self.quality = recognizer, melody, quality

    @torch.no_grad()
    def __call__(self, waveform: Tensor, rate: int, said: Said, recording: Tensor | None = None) -> Heard:
        """Return what is heard.

        Args:
            waveform: Samples ``(N,)``.
            rate: Samples a second of both.
            said: What the recording says.
            recording: The recording that the waveform was decoded from, ``(N,)``; None for the recording itself.

        Raises:
            ImportError: A package that a measure needs is not installed.
            ValueError: The recogniser does not know the language.
        """
        speaker, errors, letters, correlation = torch.zeros(0), math.nan, math.nan, math.nan
        heard = resampled(waveform, rate, SAMPLE_RATE)
        if self.speaker_encoder is not None:
            given = resampled(waveform, rate, self.speaker_encoder.sample_rate)
            frames, _ = self.speaker_encoder(given[None], torch.tensor([len(given)]))
            speaker = frames[0].mean(0)
        if self.recognizer is not None and said.text:
            text = self.recognizer(heard, said.language.split("-")[0] or None)
            errors, letters = character_errors(text, said.text)
        if self.melody and recording is not None:
            correlation = melody_errors(heard, resampled(recording, rate, SAMPLE_RATE), warp=False).correlation
        quality = math.nan if self.quality is None else self.quality(heard)
        return Heard(speaker, errors, letters, correlation, quality)
