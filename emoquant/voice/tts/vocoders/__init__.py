"""Vocoders: waveforms from mel spectrograms, with and without trained weights."""

from emoquant.voice.tts.vocoders.base import Vocoder
from emoquant.voice.tts.vocoders.griffin_lim import GriffinLim
from emoquant.voice.tts.vocoders.learned import Learned
from emoquant.voice.tts.vocoders.source_filter import SourceFilter

__all__ = ["GriffinLim", "Learned", "SourceFilter", "Vocoder"]
