"""Trainings and evaluations of voices: the LightningModules that a YAML names."""

from emoquant.voice.tasks.listening import ListeningTask
from emoquant.voice.tasks.schedules import ConditionDropout, Schedule
from emoquant.voice.tasks.synthesis import EmotionTTS
from emoquant.voice.tasks.vocoder import VocoderTask
from emoquant.voice.tasks.voice_losses import LossWeights

__all__ = ["ConditionDropout", "EmotionTTS", "ListeningTask", "LossWeights", "Schedule", "VocoderTask"]
