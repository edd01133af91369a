"""Measures of what coding does to emotions: pure functions, sums of fixed shape, the sweep over operating points."""

from emoquant.metrics.choice import CodebookChoice, MatchedCodebook
from emoquant.metrics.decisions import Decisions, Recognition, kl_bits
from emoquant.metrics.distinct import DistinctOutputs, count_distinct, output_hashes
from emoquant.metrics.drift import attraction, drift_towards, null_drift, random_directions, remaining_distance
from emoquant.metrics.intervals import Blocks
from emoquant.metrics.measures import Direction, Fidelity, Measure, Observation, Rate
from emoquant.metrics.rate import CodeHistogram, bits_per_frame, perplexity, skip_rate, usage
from emoquant.metrics.ratios import Figure
from emoquant.metrics.recognition import (
    Confusion,
    accuracy,
    f1,
    label_entropy,
    label_information,
    precision,
    recall,
    unweighted_average_recall,
)
from emoquant.metrics.references import References, ReferenceVectors
from emoquant.metrics.shrinkage import Shrinkage
from emoquant.metrics.similarity import (
    cosine,
    distortion,
    frame_similarity,
    utterance_similarity,
    utterance_vectors,
)
from emoquant.metrics.spaces import Space, SpaceDirections, SpaceName, WithinScatter, make_space, metric_in
from emoquant.metrics.strata import ByAgreement, BySpeaker, Strata
from emoquant.metrics.sweep import SweepMetrics
from emoquant.metrics.triplets import Crossed, CrossedVectors, triplet_rows, triplet_shares
from emoquant.metrics.votes import Votes, js_divergence, top2_hits

__all__ = [
    "Blocks",
    "ByAgreement",
    "BySpeaker",
    "CodeHistogram",
    "CodebookChoice",
    "Confusion",
    "Crossed",
    "CrossedVectors",
    "Decisions",
    "Direction",
    "DistinctOutputs",
    "Fidelity",
    "Figure",
    "MatchedCodebook",
    "Measure",
    "Observation",
    "Rate",
    "Recognition",
    "ReferenceVectors",
    "References",
    "Shrinkage",
    "Space",
    "SpaceDirections",
    "SpaceName",
    "Strata",
    "SweepMetrics",
    "Votes",
    "WithinScatter",
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
    "kl_bits",
    "label_entropy",
    "label_information",
    "make_space",
    "metric_in",
    "null_drift",
    "output_hashes",
    "perplexity",
    "precision",
    "random_directions",
    "recall",
    "remaining_distance",
    "skip_rate",
    "top2_hits",
    "triplet_rows",
    "triplet_shares",
    "unweighted_average_recall",
    "usage",
    "utterance_similarity",
    "utterance_vectors",
]
