"""Corpora as synthesis models read them: phones, durations, mel spectrograms, melody, frames of the emotion encoder."""

from emoquant.voice.data.aligners import Aligner, RenderedAligner, SphinxAligner, TextGridAligner, VoiceAligner
from emoquant.voice.data.learning import LearnedAligner
from emoquant.voice.data.module import TTSDataModule

__all__ = [
    "Aligner",
    "LearnedAligner",
    "RenderedAligner",
    "SphinxAligner",
    "TTSDataModule",
    "TextGridAligner",
    "VoiceAligner",
]
