"""What coding does to emotions, measured: pure functions, sums of fixed shape, and the sweep over operating points."""

from emoquant.metrics.agreement import Agreement, js_divergence, top2_hits
from emoquant.metrics.choice import CodebookChoice
from emoquant.metrics.distinct import DistinctOutputs, count_distinct, output_hashes
from emoquant.metrics.drift import attraction, drift_towards, null_drift, random_directions, remaining_distance
from emoquant.metrics.intervals import Blocks
from emoquant.metrics.measures import Direction, Fidelity, Measure, Observation, Rate, Recognition
from emoquant.metrics.rate import CodeHistogram, bits_per_frame, perplexity, skip_rate, usage
from emoquant.metrics.ratios import Figure
from emoquant.metrics.recognition import Confusion, accuracy, f1, recall, unweighted_average_recall
from emoquant.metrics.references import References, ReferenceVectors
from emoquant.metrics.similarity import (
    cosine,
    distortion,
    frame_similarity,
    utterance_similarity,
    utterance_vectors,
)
from emoquant.metrics.strata import ByAgreement, BySpeaker, Strata
from emoquant.metrics.sweep import SweepMetrics

__all__ = [
    "Agreement",
    "Blocks",
    "ByAgreement",
    "BySpeaker",
    "CodeHistogram",
    "CodebookChoice",
    "Confusion",
    "Direction",
    "DistinctOutputs",
    "Fidelity",
    "Figure",
    "Measure",
    "Observation",
    "Rate",
    "Recognition",
    "ReferenceVectors",
    "References",
    "Strata",
    "SweepMetrics",
    "accuracy",
    "attraction",
    "bits_per_frame",
    "cosine",
    "count_distinct",
    "distortion",
    "drift_towards",
    "f1",
    "frame_similarity",
    "js_divergence",
    "null_drift",
    "output_hashes",
    "perplexity",
    "random_directions",
    "recall",
    "remaining_distance",
    "skip_rate",
    "top2_hits",
    "unweighted_average_recall",
    "usage",
    "utterance_similarity",
    "utterance_vectors",
]
