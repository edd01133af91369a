"""What watches a run: results and reports on disk, curves, figures, embeddings and audio in TensorBoard."""

from emoquant.callbacks.audio import AudioSamples
from emoquant.callbacks.codebooks import CodebookMonitor
from emoquant.callbacks.confusion import ConfusionFigures
from emoquant.callbacks.embeddings import EmbeddingProjector
from emoquant.callbacks.export import EncoderExport
from emoquant.callbacks.failing import FailTogether
from emoquant.callbacks.lambda_sweep import LambdaSweep
from emoquant.callbacks.listening import ListeningWriter
from emoquant.callbacks.progress import SweepProgress
from emoquant.callbacks.references import PairedReferences
from emoquant.callbacks.results import ResultsWriter
from emoquant.callbacks.resuming import Preemption, SeededSteps, WholeCheckpoints
from emoquant.callbacks.synthesis import SynthesisSamples
from emoquant.callbacks.training_emotions import TrainingEmotions

__all__ = [
    "AudioSamples",
    "CodebookMonitor",
    "ConfusionFigures",
    "EmbeddingProjector",
    "EncoderExport",
    "FailTogether",
    "LambdaSweep",
    "ListeningWriter",
    "PairedReferences",
    "Preemption",
    "ResultsWriter",
    "SeededSteps",
    "SweepProgress",
    "SynthesisSamples",
    "TrainingEmotions",
    "WholeCheckpoints",
]
