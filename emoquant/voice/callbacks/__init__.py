"""Callbacks of voices: clips, scores and figures of synthesised speech."""

from emoquant.voice.callbacks.listening import ListeningWriter
from emoquant.voice.callbacks.synthesis import SynthesisSamples

__all__ = ["ListeningWriter", "SynthesisSamples"]
