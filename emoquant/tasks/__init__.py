"""What is trained and what is evaluated: the LightningModules that a YAML names."""

from emoquant.tasks.acoustics import AcousticTask
from emoquant.tasks.blends import BlendTask
from emoquant.tasks.classification import ClassificationTask
from emoquant.tasks.codec import CodecTask
from emoquant.tasks.entropy import EntropyTask
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.tasks.ge2e import GE2ETask
from emoquant.tasks.head_weight import HeadWeight
from emoquant.tasks.lda import LDATask
from emoquant.tasks.method_comparison import MethodComparisonTask
from emoquant.tasks.probe import ProbeTask
from emoquant.tasks.quantization import CodebookTask
from emoquant.tasks.transform import TransformTask
from emoquant.tasks.utterance import UtteranceTask

__all__ = [
    "AcousticTask",
    "BlendTask",
    "ClassificationTask",
    "CodebookTask",
    "CodecEvaluationTask",
    "CodecTask",
    "EntropyTask",
    "GE2ETask",
    "HeadWeight",
    "LDATask",
    "MethodComparisonTask",
    "ProbeTask",
    "TransformTask",
    "UtteranceTask",
]
