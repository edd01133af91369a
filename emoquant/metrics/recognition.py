"""Recall, F1 and other figures of confusion matrices: counts of true emotions against predicted classes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.labels import canonical_emotion


def class_columns(emotions: Sequence[str], labels: Sequence[str]) -> Tensor:
    """Return the index of the classifier's class for each emotion, ``(C,)`` int64.

    Args:
        emotions: Canonical names of the corpus's emotions.
        labels: Classes in the order of the logits, in any listed spelling.

    Raises:
        ValueError: The classifier has no class for an emotion.

    Example:
        >>> class_columns(["sad", "angry"], ["生气/angry", "开心/happy", "难过/sad"])
        tensor([2, 0])
    """
    names = [canonical_emotion(label) for label in labels]
    missing = [emotion for emotion in emotions if canonical_emotion(emotion) not in names]
    if missing:
        raise ValueError(
            f"the classifier has no class for {', '.join(missing)}: its classes are {', '.join(names)}; "
            "choose a classifier trained on these emotions or leave them out of the data's `emotions`"
        )
    return torch.tensor([names.index(canonical_emotion(emotion)) for emotion in emotions])


def closed_set_logits(logits: Tensor, columns: Tensor) -> Tensor:
    """Return logits with every class outside the corpus's emotions masked to minus infinity.

    Args:
        logits: ``(..., L)``.
        columns: Classes of the corpus's emotions, ``(C,)`` int64.
    """
    keep = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    keep[columns.to(logits.device)] = True
    return logits.masked_fill(~keep, -torch.inf)


def recall(confusion: Tensor, columns: Tensor) -> Tensor:
    """Return the share of each emotion's utterances that is recognised as that emotion.

    Args:
        confusion: Utterances of emotion ``c`` predicted as class ``l``, ``(..., C, L)``.
        columns: Class of each emotion, ``(C,)`` int64.

    Returns:
        Recall in [0, 1], ``(..., C)`` float64; NaN for an emotion without utterances.

    Example:
        >>> recall(torch.tensor([[3, 1], [0, 2]]), torch.tensor([0, 1])).tolist()
        [0.75, 1.0]
    """
    counts = confusion.double()
    return _diagonal(counts, columns) / counts.sum(-1)


def unweighted_average_recall(confusion: Tensor, columns: Tensor) -> Tensor:
    """Return the mean of the emotions' recalls, ``(...)`` float64; NaN if an emotion has no utterances.

    Args:
        confusion: ``(..., C, L)`` as in :func:`recall`.
        columns: Class of each emotion, ``(C,)`` int64.
    """
    return recall(confusion, columns).mean(-1)


def accuracy(confusion: Tensor, columns: Tensor) -> Tensor:
    """Return the share of all utterances that is recognised, ``(...)`` float64; NaN without utterances.

    Args:
        confusion: ``(..., C, L)`` as in :func:`recall`.
        columns: Class of each emotion, ``(C,)`` int64.
    """
    counts = confusion.double()
    return _diagonal(counts, columns).sum(-1) / counts.sum((-2, -1))


def f1(confusion: Tensor, columns: Tensor) -> Tensor:
    """Return the harmonic mean of precision and recall of each emotion, ``2 TP / (2 TP + FP + FN)``.

    Precision counts only utterances of the corpus's emotions, as the confusion matrix holds no others.

    Args:
        confusion: ``(..., C, L)`` as in :func:`recall`.
        columns: Class of each emotion, ``(C,)`` int64.

    Returns:
        F1 in [0, 1], ``(..., C)`` float64; NaN for an emotion without utterances.

    Example:
        >>> f1(torch.tensor([[3, 1], [0, 2]]), torch.tensor([0, 1])).tolist()
        [0.8571428571428571, 0.8]
    """
    counts = confusion.double()
    hits, actual = _diagonal(counts, columns), counts.sum(-1)
    chosen = counts.sum(-2)[..., columns.to(counts.device)]
    return torch.where(actual > 0, 2 * hits / (actual + chosen), torch.nan)


def precision(confusion: Tensor, columns: Tensor) -> Tensor:
    """Return the share of the utterances predicted as each emotion that are of that emotion.

    Args:
        confusion: ``(..., C, L)`` as in :func:`recall`; all utterances are of the corpus's emotions.
        columns: Class of each emotion, ``(C,)`` int64.

    Returns:
        Precision in [0, 1], ``(..., C)`` float64; NaN for an emotion that is never predicted.

    Example:
        >>> precision(torch.tensor([[3, 1], [0, 2]]), torch.tensor([0, 1])).tolist()
        [1.0, 0.6666666666666666]
    """
    counts = confusion.double()
    return _diagonal(counts, columns) / counts.sum(-2)[..., columns.to(counts.device)]


def label_information(confusion: Tensor) -> Tensor:
    """Return the mutual information of emotion and predicted class, in bits an utterance.

    It is ``H(emotion) + H(class) - H(emotion, class)``, each entropy with Miller's correction for the number of
    utterances (1955, Note on the bias of information estimates). For independent decisions the estimate lies around 0,
    on either side; for a constant decision it is exactly 0.

    Args:
        confusion: ``(..., C, L)`` as in :func:`recall`.

    Returns:
        Bits, ``(...)`` float64; NaN without utterances. A perfect classifier reaches :func:`label_entropy`.

    Example:
        >>> label_information(torch.tensor([[[5, 0], [5, 0]], [[3, 3], [3, 3]]])).round(decimals=3).tolist()
        [0.0, -0.06]
    """
    counts = confusion.double()
    return _entropy(counts.sum(-1)) + _entropy(counts.sum(-2)) - _entropy(counts.flatten(-2))


def label_entropy(confusion: Tensor) -> Tensor:
    """Return the entropy of the emotions in bits, with Miller's correction as in :func:`label_information`.

    Args:
        confusion: ``(..., C, L)`` as in :func:`recall`.
    """
    return _entropy(confusion.double().sum(-1))


def _entropy(counts: Tensor) -> Tensor:
    """Return the entropy of counts ``(..., K)`` in bits, corrected by ``(occupied - 1) / (2 n ln 2)``."""
    number = counts.sum(-1)
    shares = counts / number[..., None]
    plain = -torch.special.xlogy(shares, shares).sum(-1)
    return (plain + ((counts > 0).sum(-1) - 1) / (2 * number)) / math.log(2)


def _diagonal(confusion: Tensor, columns: Tensor) -> Tensor:
    if confusion.shape[-2] != columns.shape[0]:
        raise ValueError(
            f"confusion must have a row for each of {columns.shape[0]} emotions, got {confusion.shape[-2]}"
        )
    rows = torch.arange(columns.shape[0], device=confusion.device)
    return confusion[..., rows, columns.to(confusion.device)]
