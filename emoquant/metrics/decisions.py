"""Measures of a classifier's decisions after coding: against the labels, and against its decisions before coding.

Unweighted average recall (UAR) counts correct decisions. Coding may make some decisions wrong and as many others right,
which leaves UAR unchanged. Agreement with the decisions before coding, and the divergence of the class probabilities,
show such changes.
"""

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from emoquant.labels import canonical_emotion
from emoquant.metrics import recognition
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.recognition import class_columns, closed_set_logits


def kl_bits(before: Tensor, after: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence ``sum p log2(p / q)`` of class probabilities, in bits.

    ``p`` are the probabilities before coding, ``q`` those after it (Kullback and Leibler 1951, On information and
    sufficiency).

    Args:
        before: Logits, ``(..., L)``; minus infinity for a class that is left out.
        after: Logits that broadcast with them; minus infinity for the same classes.

    Returns:
        Divergence of at least 0, ``(...)`` float64.

    Example:
        >>> kl_bits(torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()).round(decimals=4).item()
        0.2075
    """
    p, q = before.double().log_softmax(-1), after.double().log_softmax(-1)
    parts = torch.where(p > -torch.inf, p.exp() * (p - q), 0.0)
    return parts.sum(-1).clamp_min(0.0) / math.log(2)


class ClassifierMeasure(Measure):
    """Base of the measures that read a classifier's logits.

    Args:
        emotions: Names of the corpus's emotions.
        labels: Classes of the classifier, in the order of its logits; at least two.
        closed_set: Whether classes outside the corpus's emotions are masked (they are left in by default).

    Raises:
        ValueError: The classifier has no class for an emotion.
    """

    #: Sums beside one for each class.
    beside = 1

    def __init__(self, emotions: Sequence[str], labels: Sequence[str], closed_set: bool = False) -> None:
        self.columns = class_columns(emotions, labels)
        self.classes = [canonical_emotion(label) for label in labels]
        self.closed_set = closed_set
        self.width = len(labels) + self.beside

    def heard(self, logits: Tensor) -> Tensor:
        """Return the logits ``(..., L)``; with ``closed_set`` classes outside the corpus's emotions are -infinity."""
        return closed_set_logits(logits, self.columns) if self.closed_set else logits


class Recognition(ClassifierMeasure):
    """Measure recall, precision, F1, UAR, accuracy, information about the label, and the confusion matrix."""

    def sums(self, seen: Observation) -> Tensor:
        """Return the predicted class as a one-hot vector, and 1 to count the utterance."""
        chosen = torch.nn.functional.one_hot(self.heard(seen.logits).argmax(-1), len(self.classes))
        return torch.cat([chosen, torch.ones_like(chosen[..., :1])], dim=-1).double()

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return recall, precision, F1 per emotion, the figures of all emotions, and the confusion matrix as shares."""
        confusion, counts, ratios = sums[..., :-1], sums[..., -1], Ratios(metrics)
        columns = self.columns
        if ratios.wants("recall"):
            ratios.found.append(Figure("recall", recognition.recall(confusion, columns), counts, share=True))
        if ratios.wants("precision"):
            found, taken = recognition.precision(confusion, columns), confusion.sum(-2)[..., columns]
            ratios.found.append(Figure("precision", found, taken, share=True))
        if ratios.wants("f1"):
            scores = recognition.f1(confusion, columns)
            ratios.found.append(Figure("f1", scores, counts, unit=True))
            ratios.add_pooled("f1", scores.mean(-1), counts, unit=True)
        if ratios.wants("uar"):
            ratios.add_pooled("uar", recognition.unweighted_average_recall(confusion, columns), counts, unit=True)
        if ratios.wants("accuracy"):
            ratios.add_pooled("accuracy", recognition.accuracy(confusion, columns), counts, share=True)
        if ratios.wants("label_information"):
            ratios.add_pooled("label_information", recognition.label_information(confusion), counts, jackknife=True)
        if ratios.wants("label_entropy"):
            ratios.add_pooled("label_entropy", recognition.label_entropy(confusion), counts, jackknife=True)
        for name, hits in zip(self.classes, confusion.unbind(-1), strict=True):
            ratios.add(f"predicted/{name}", hits, counts, counts, share=True)
        return ratios.found


class Decisions(ClassifierMeasure):
    """Measure how far decisions and probabilities differ from those before coding, and how sure the classifier is.

    - ``agreement``: share of utterances whose predicted class is the one before coding;
    - ``kl`` (bits): divergence of the probabilities from those before coding (:func:`kl_bits`);
    - ``confidence``: mean of the largest probability;
    - ``margin``: mean difference between the largest and the second largest probability;
    - ``probability/E``: mean probability of class E.

    If all utterances are coded as one output, the last three are of that output and show how clearly it belongs to the
    class that is predicted for it.
    """

    beside = 5

    def sums(self, seen: Observation) -> Tensor:
        """Return agreement, divergence, largest probability, margin, all probabilities, 1 to count the utterance."""
        before, after = self.heard(seen.logits_before), self.heard(seen.logits)
        likely = after.double().softmax(-1)  # (O, B, L)
        first, second = likely.topk(2, dim=-1).values.unbind(-1)
        same = (after.argmax(-1) == before.argmax(-1)).double()
        columns = torch.stack([same, kl_bits(before, after), first, first - second], dim=-1)
        return torch.cat([columns, likely, torch.ones_like(columns[..., :1])], dim=-1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return agreement, divergence, confidence, margin, and the probability of every class over all utterances."""
        same, divergence, first, lead, *likely, counts = sums.unbind(-1)
        ratios = Ratios(metrics)
        ratios.add("agreement", same, counts, counts, share=True)
        ratios.add("kl", divergence, counts, counts)
        ratios.add("confidence", first, counts, counts, unit=True)
        ratios.add("margin", lead, counts, counts, unit=True)
        for name, total in zip(self.classes, likely, strict=True):
            if ratios.wants(metric := f"probability/{name}"):
                ratios.add_pooled(metric, total.sum(-1) / counts.sum(-1), counts, unit=True)
        return ratios.found
