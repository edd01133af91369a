"""Encoders: from waveforms to frame features, and the heads that read emotions off them."""

from emoquant.encoders.base import EmotionHead, FrameEncoder
from emoquant.encoders.emotion2vec import Emotion2Vec, UntrainedEmotion2Vec, scale_features
from emoquant.encoders.heads import EncoderHead, LinearHead, Probe, ProbeHead
from emoquant.encoders.log_mel import LogMelEncoder
from emoquant.encoders.lstm import LSTMEncoder
from emoquant.encoders.transformers_encoder import TransformersEncoder

__all__ = [
    "Emotion2Vec",
    "EmotionHead",
    "EncoderHead",
    "FrameEncoder",
    "LSTMEncoder",
    "LinearHead",
    "LogMelEncoder",
    "Probe",
    "ProbeHead",
    "TransformersEncoder",
    "UntrainedEmotion2Vec",
    "scale_features",
]
