"""Linear probes: how well a property of utterances can be read off vectors, without anything being trained for it."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.types import length_mask

#: Strengths of the ridge penalty that are tried, relative to the mean eigenvalue of the kernel.
_PENALTIES = tuple(10.0**power for power in range(-5, 3))


class Question(NamedTuple):
    """What a probe is asked about the utterances of a split.

    Attributes:
        classes: Class of each utterance, ``(N,)`` int64; -1 for an utterance that is not asked about.
        folds: Part of each utterance, ``(N,)`` int64: one part is judged by a probe that learnt on the others.
        names: Names of the classes.
    """

    classes: Tensor
    folds: Tensor
    names: list[str]


def question(labels: Sequence[str], groups: Sequence[str], folds: int = 5) -> Question | None:
    """Return a question whose parts share no group, so that a probe cannot answer by recognising one.

    Args:
        labels: Class of each utterance; empty where it is unknown.
        groups: What must not be on both sides: speakers for emotions and texts, texts for speakers.
        folds: Most parts.

    Returns:
        The question; None where fewer than two classes occur in two groups each.

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

    The probe is ridge regression on the classes' indicators, each class of equal weight; the strength of its penalty
    is that of the least generalised cross-validation error on the parts that it learns on.

    Args:
        vectors: A vector an utterance, ``(N, D)``.
        asked: The question; utterances that are not asked about get 0.
        scaled: Whether dimensions are divided by their deviations; not for histograms, whose rare codes
            would count most.

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
    """Return how often each code occurs at each place of a frame, as roots of shares (Hellinger).

    Args:
        codes: Codes ``(B, T, P)`` in ``[0, codewords)``; what lies past an utterance's length is ignored.
        lengths: Frames of each utterance, ``(B,)`` int64.
        codewords: Values of a code.

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
