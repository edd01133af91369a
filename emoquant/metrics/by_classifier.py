"""Measures of a further classifier: the codecs' outputs are made once, and every classifier hears them."""

from collections.abc import Collection, Sequence
from typing import Protocol

from torch import Tensor

from emoquant.metrics.decisions import ClassifierMeasure, Decisions, Recognition
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure


class Classifier(Protocol):
    """A frozen classifier of utterance vectors: its classes, its dimension and its logits."""

    labels: list[str]
    dim: int

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return logits ``(..., L)`` of utterance vectors ``(..., D)``."""


class NamedClassifier(Classifier, Protocol):
    """A classifier that rows call by a name."""

    name: str


class ByClassifier(Measure):
    """A measure that reads the logits of a classifier of its own instead of the sweep's.

    Args:
        measure: The measure.
        classifier: The classifier; it is used, never changed, and lies on the device of the features.
    """

    def __init__(self, measure: ClassifierMeasure, classifier: NamedClassifier) -> None:
        self.measure, self.own, self.classifier = measure, classifier, classifier.name
        self.width = measure.width

    def sums(self, seen: Observation) -> Tensor:
        """Return the sums of the measure with this classifier's logits."""
        after, before = (self.own(vectors).float() for vectors in (seen.after, seen.before))
        return self.measure.sums(seen._replace(logits=after, logits_before=before))

    def reads(self, metrics: Collection[str]) -> list[int]:
        """Return which of its sums the figures of these metrics read."""
        return self.measure.reads(metrics)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the figures of the measure."""
        return self.measure.figures(sums, metrics)


def classifier_measures(
    classifier: NamedClassifier, emotions: Sequence[str], closed_set: bool = False
) -> list[Measure]:
    """Return what a sweep measures with a further classifier.

    Args:
        classifier: The classifier; its name is in the rows.
        emotions: Names of the corpus's emotions.
        closed_set: Whether it may only choose among them.

    Raises:
        ValueError: It has no class for an emotion.
    """
    kinds = (Recognition, Decisions)
    return [ByClassifier(kind(emotions, classifier.labels, closed_set), classifier) for kind in kinds]
