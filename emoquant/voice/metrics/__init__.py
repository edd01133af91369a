"""Measures of synthesised speech: pure functions over library cores."""

from emoquant.voice.metrics.distance import compare_speech, mel_cepstral_distortion, melody_errors
from emoquant.voice.metrics.quality import overall_quality
from emoquant.voice.metrics.words import character_errors, word_errors

__all__ = [
    "character_errors",
    "compare_speech",
    "mel_cepstral_distortion",
    "melody_errors",
    "overall_quality",
    "word_errors",
]
