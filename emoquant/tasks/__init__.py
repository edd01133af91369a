"""What is trained and what is evaluated: the LightningModules that a YAML names."""

from emoquant.tasks.codec import CodecTask
from emoquant.tasks.entropy import EntropyTask
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.tasks.quantization import CodebookTask
from emoquant.tasks.synthesis import ConditionDropout, EmotionTTS, Schedule
from emoquant.tasks.voice_losses import LossWeights

__all__ = [
    "CodebookTask",
    "CodecEvaluationTask",
    "CodecTask",
    "ConditionDropout",
    "EmotionTTS",
    "EntropyTask",
    "LossWeights",
    "Schedule",
]
