"""Measures of a further classifier: features are coded once, and every classifier classifies them."""

from collections.abc import Collection, Sequence
from typing import Protocol

from torch import Tensor

from emoquant.metrics.decisions import ClassifierMeasure, Decisions, Recognition
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure


class Classifier(Protocol):
    """Interface of a frozen classifier of utterance vectors, with its ``labels`` and feature dimensions ``dim``."""

    labels: list[str]
    dim: int

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return logits ``(..., L)`` of utterance vectors ``(..., D)``."""


class NamedClassifier(Classifier, Protocol):
    """Interface of a classifier with a name for the column ``classifier`` of ``results.csv``."""

    name: str


class ByClassifier(Measure):
    """Apply a measure to the logits of a given classifier instead of those of the sweep's classifier.

    Args:
        measure: The measure.
        classifier: The classifier, on the device of the features; its weights are never changed.
    """

    def __init__(self, measure: ClassifierMeasure, classifier: NamedClassifier) -> None:
        self.measure, self.own, self.classifier = measure, classifier, classifier.name
        self.width = measure.width

    def sums(self, seen: Observation) -> Tensor:
        """Return the measure's sums, computed from this classifier's logits; see :meth:`Measure.sums`."""
        after, before = (self.own(vectors).float() for vectors in (seen.after, seen.before))
        return self.measure.sums(seen._replace(logits=after, logits_before=before))

    def reads(self, metrics: Collection[str]) -> list[int]:
        """Return the indices of the sums that these metrics are computed from; see :meth:`Measure.reads`."""
        return self.measure.reads(metrics)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the figures of the measure; see :meth:`Measure.figures`."""
        return self.measure.figures(sums, metrics)


def classifier_measures(
    classifier: NamedClassifier, emotions: Sequence[str], closed_set: bool = False
) -> list[Measure]:
    """Return the measures that a sweep makes with a further classifier: recognition and decisions.

    Args:
        classifier: The classifier; its name is in the rows.
        emotions: Names of the corpus's emotions.
        closed_set: Whether it may only choose among them.

    Raises:
        ValueError: It has no class for an emotion.
    """
    kinds = (Recognition, Decisions)
    return [ByClassifier(kind(emotions, classifier.labels, closed_set), classifier) for kind in kinds]
