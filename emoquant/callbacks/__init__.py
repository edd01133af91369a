"""Callbacks of the trainer: results and reports on disk; curves, figures, embeddings and audio in the logger."""

from emoquant.callbacks.audio import AudioSamples
from emoquant.callbacks.codebooks import CodebookMonitor
from emoquant.callbacks.confusion import ConfusionFigures
from emoquant.callbacks.embeddings import EmbeddingProjector
from emoquant.callbacks.export import EncoderExport
from emoquant.callbacks.failing import FailTogether
from emoquant.callbacks.lambda_sweep import LambdaSweep
from emoquant.callbacks.progress import SweepProgress
from emoquant.callbacks.results import ResultsWriter
from emoquant.callbacks.resuming import Preemption, ResumedProgress, SeededSteps, WholeCheckpoints
from emoquant.callbacks.settings import RunSettings
from emoquant.callbacks.summary import PartsSummary

__all__ = [
    "AudioSamples",
    "CodebookMonitor",
    "ConfusionFigures",
    "EmbeddingProjector",
    "EncoderExport",
    "FailTogether",
    "LambdaSweep",
    "PartsSummary",
    "Preemption",
    "ResultsWriter",
    "ResumedProgress",
    "RunSettings",
    "SeededSteps",
    "SweepProgress",
    "WholeCheckpoints",
]
