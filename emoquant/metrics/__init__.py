"""Measures of what coding does to emotions: pure functions, sums of fixed shape, the sweep over operating points."""

from emoquant.metrics.choice import CodebookChoice, MatchedCodebook
from emoquant.metrics.decisions import kl_bits
from emoquant.metrics.distinct import DistinctOutputs, count_distinct, output_hashes
from emoquant.metrics.drift import attraction, drift_towards, null_drift, random_directions, remaining_distance
from emoquant.metrics.intervals import Blocks
from emoquant.metrics.measures import Measure
from emoquant.metrics.rate import CodeHistogram, bits_per_frame, perplexity, skip_rate, usage
from emoquant.metrics.recognition import (
    accuracy,
    f1,
    label_entropy,
    label_information,
    precision,
    recall,
    unweighted_average_recall,
)
from emoquant.metrics.references import References, ReferenceVectors
from emoquant.metrics.similarity import (
    cosine,
    distortion,
    frame_similarity,
    utterance_similarity,
    utterance_vectors,
)
from emoquant.metrics.spaces import Space, SpaceDirections, SpaceName, make_space, metric_in
from emoquant.metrics.strata import ByAgreement, BySpeaker, Strata
from emoquant.metrics.sweep import SweepMetrics
from emoquant.metrics.triplets import Crossed, CrossedVectors, triplet_rows, triplet_shares
from emoquant.metrics.votes import Votes

__all__ = [
    "Blocks",
    "ByAgreement",
    "BySpeaker",
    "CodeHistogram",
    "CodebookChoice",
    "Crossed",
    "CrossedVectors",
    "DistinctOutputs",
    "MatchedCodebook",
    "Measure",
    "ReferenceVectors",
    "References",
    "Space",
    "SpaceDirections",
    "SpaceName",
    "Strata",
    "SweepMetrics",
    "Votes",
    "accuracy",
    "attraction",
    "bits_per_frame",
    "cosine",
    "count_distinct",
    "distortion",
    "drift_towards",
    "f1",
    "frame_similarity",
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
    "triplet_rows",
    "triplet_shares",
    "unweighted_average_recall",
    "usage",
    "utterance_similarity",
    "utterance_vectors",
]
