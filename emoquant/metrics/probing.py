"""Linear probes: cross-validated classifiers that tell how much of a property (emotion, speaker, text) vectors hold."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.types import length_mask

#: Strengths of the ridge penalty that are tried, relative to the mean eigenvalue of the kernel.
_PENALTIES = tuple(10.0**power for power in range(-5, 3))


class Question(NamedTuple):
    """Hold a classification task on the utterances of a split: classes and folds for cross-validation.

    Attributes:
        classes: Class of each utterance, ``(N,)`` int64; -1 for an utterance that does not take part.
        folds: Fold of each utterance, ``(N,)`` int64; a fold is classified by a probe trained on the other folds.
        names: Names of the classes.
    """

    classes: Tensor
    folds: Tensor
    names: list[str]


def question(labels: Sequence[str], groups: Sequence[str], folds: int = 5) -> Question | None:
    """Return a classification task whose folds share no group, so that a probe cannot use the group as a clue.

    Args:
        labels: Class of each utterance; empty where it is unknown.
        groups: Group of each utterance: its speaker if emotions or texts are classified, its text if speakers are.
        folds: Number of folds at most.

    Returns:
        The task, with the classes that occur in at least two groups; None if there are fewer than two of them.

    Example:
        >>> question(["a", "b", "a", "b"], ["x", "x", "y", "y"]).folds.tolist()
        [0, 0, 1, 1]
        >>> question(["a", "b"], ["x", "y"]) is None
        True
    """
    found: dict[str, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        found.setdefault(label, set()).add(group)
    names = sorted(label for label, where in found.items() if label and len(where) > 1)
    if len(names) < 2:
        return None
    kept = [group for label, group in zip(labels, groups, strict=True) if label in names]
    parts = {group: place % folds for place, group in enumerate(sorted(set(kept)))}
    place = {name: index for index, name in enumerate(names)}
    return Question(
        torch.tensor([place.get(label, -1) for label in labels]),
        torch.tensor([parts.get(group, -1) for group in groups]),
        names,
    )


def answers(vectors: Tensor, asked: Question, scaled: bool = True) -> Tensor:
    """Return which utterances a cross-validated linear probe classifies correctly, ``(N,)`` float64, 0 or 1.

    The probe is ridge regression on one-hot targets in which all classes have equal weight. Its penalty has the least
    generalised cross-validation error on the training folds.

    Args:
        vectors: A vector an utterance, ``(N, D)``.
        asked: The classification task; utterances that do not take part get 0.
        scaled: Whether dimensions are divided by their standard deviation over the training folds; for histograms of
            codes this should be off, as rare codes would have the largest weight.

    Example:
        >>> asked = question(["a", "b", "a", "b"], ["x", "x", "y", "y"])
        >>> answers(torch.tensor([[0.0], [1.0], [0.1], [0.9]]), asked).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """
    right = torch.zeros(len(vectors), dtype=torch.float64)
    there = asked.classes >= 0
    for fold in asked.folds[there].unique().tolist():
        test = there & (asked.folds == fold)
        train = there & ~test
        if not bool(train.any()):
            continue
        mean = vectors[train].double().mean(0)
        deviation = vectors[train].double().std(0, correction=0).clamp_min(1e-9) if scaled else 1.0
        own, other = ((vectors[part].double() - mean) / deviation for part in (train, test))
        scores = _ridge_scores(own, asked.classes[train], other, len(asked.names))
        right[test] = (scores.argmax(-1) == asked.classes[test]).double()
    return right


def _ridge_scores(train: Tensor, classes: Tensor, test: Tensor, count: int) -> Tensor:
    """Return scores ``(M, C)`` of vectors ``(M, D)`` by ridge regression on vectors ``(N, D)`` of known classes."""
    targets = torch.nn.functional.one_hot(classes, count).double()
    share = targets.mean(0)
    weight = (1 / (share[classes] * (share > 0).sum())).sqrt()[:, None]  # classes count alike
    values, axes = torch.linalg.eigh(weight * (train @ train.T + 1) * weight.T)  # the 1 is the intercept
    values = values.clamp_min(0)
    along = axes.T @ (weight * targets)
    best, chosen = torch.inf, 1.0
    for penalty in _PENALTIES:
        left = penalty * values.mean() / (values + penalty * values.mean())  # share of each axis that is not fitted
        score = float((left[:, None] * along).square().sum() / left.sum().square())
        if score < best:
            best, chosen = score, penalty
    solved = weight * (axes @ (along / (values + chosen * values.mean())[:, None]))
    scores = (test @ train.T + 1) @ solved
    return scores.masked_fill(share == 0, -torch.inf)


def code_histograms(codes: Tensor, lengths: Tensor, codewords: int) -> Tensor:
    """Return the square roots of the shares of each code at each code position, whose distances are Hellinger's.

    Args:
        codes: Codes ``(B, T, P)`` in ``[0, codewords)``; what lies past an utterance's length is ignored.
        lengths: Frames of each utterance, ``(B,)`` int64.
        codewords: Number of values of a code.

    Returns:
        ``(B, P * codewords)`` float32.

    Example:
        >>> code_histograms(torch.tensor([[[0], [0], [0], [1]]]), torch.tensor([4]), 2).square().tolist()
        [[0.75, 0.25]]
    """
    size, frames, positions = codes.shape
    inside = length_mask(lengths, frames)[..., None].expand_as(codes).float()
    flat = codes.long() + torch.arange(positions) * codewords
    counts = torch.zeros(size, positions * codewords).scatter_add_(1, flat.flatten(1), inside.flatten(1))
    return (counts / lengths[:, None]).sqrt()
