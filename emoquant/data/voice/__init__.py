"""Corpora as synthesis models read them: phones, durations, mel spectrograms, melody, frames of the emotion encoder."""

from emoquant.data.voice.aligners import Aligner, RenderedAligner, SphinxAligner, TextGridAligner, VoiceAligner
from emoquant.data.voice.learning import LearnedAligner
from emoquant.data.voice.module import TTSDataModule

__all__ = [
    "Aligner",
    "LearnedAligner",
    "RenderedAligner",
    "SphinxAligner",
    "TTSDataModule",
    "TextGridAligner",
    "VoiceAligner",
]
