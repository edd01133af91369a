"""Vocoders: waveforms from mel spectrograms, with and without trained weights."""

from emoquant.tts.vocoders.base import Vocoder
from emoquant.tts.vocoders.griffin_lim import GriffinLim
from emoquant.tts.vocoders.learned import Learned
from emoquant.tts.vocoders.source_filter import SourceFilter

__all__ = ["GriffinLim", "Learned", "SourceFilter", "Vocoder"]
