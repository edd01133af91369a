"""The accuracies of BLEMORE (https://blemore.github.io) for blends: are both emotions recognised, and the stronger one?

Presence accuracy is the share of items for which exactly the emotions in them are recognised. Salience accuracy is of
blends alone and asks for their proportion, too: equal parts, or which of the two emotions is stronger.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.compose import Mixture
from emoquant.labels import canonical_emotion
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.recognition import class_columns


class Thresholds(NamedTuple):
    """Hold the thresholds that decide from class probabilities whether an item is a blend.

    They are compared with ``second / (first + second)`` of the two largest probabilities, between 0 and 0.5.

    Attributes:
        present: From this share on both emotions count as present.
        equal: From this share on they count as equally strong; at least ``present``.
    """

    present: float
    equal: float


class Truth(NamedTuple):
    """Hold the true emotions and proportion of the items of each label.

    Attributes:
        first: Index of the first true emotion of items with label ``c``, ``(C,)`` int64.
        second: Index of the second true emotion, ``(C,)`` int64; -1 for items of one emotion.
        share: Share of the first emotion in the item, in (0, 1].
    """

    first: Tensor
    second: Tensor
    share: float


def hits(probabilities: Tensor, first: Tensor, second: Tensor, share: float, thresholds: Thresholds) -> Tensor:
    """Return whether each item's emotions are recognised, and whether also their proportion is, ``(..., B, 2)`` bool.

    Args:
        probabilities: Probabilities of the emotions, ``(..., B, C)`` with at least two emotions.
        first: First true emotion of each item, ``(B,)`` int64.
        second: Second true emotion, -1 for none, ``(B,)`` int64; without one the proportion counts as missed.
        share: Share of the first, in (0, 1].
        thresholds: Thresholds of a blend.

    Example:
        >>> likely = torch.tensor([[0.6, 0.3, 0.1]])
        >>> hits(likely, torch.tensor([0]), torch.tensor([1]), 0.7, Thresholds(0.2, 0.4)).tolist()
        [[True, True]]
        >>> hits(likely, torch.tensor([0]), torch.tensor([-1]), 1.0, Thresholds(0.2, 0.4)).tolist()
        [[False, False]]
    """
    top = probabilities.topk(2, dim=-1)
    smaller = top.values[..., 1] / top.values.sum(-1)
    blend, equal = smaller >= thresholds.present, smaller >= thresholds.equal
    one, other = top.indices.unbind(-1)
    same, swapped = (one == first) & (other == second), (one == second) & (other == first)
    presence = torch.where(second < 0, ~blend & (one == first), blend & (same | swapped))
    order = equal if share == 0.5 else ~equal & (same if share > 0.5 else swapped)
    return torch.stack([presence, presence & (second >= 0) & order], dim=-1)


def fit_thresholds(probabilities: Sequence[Tensor], truths: Sequence[tuple[Tensor, Tensor, float]]) -> Thresholds:
    """Choose the threshold of the best presence accuracy, then at it the one of the best salience accuracy.

    Args:
        probabilities: For each kind of items (single emotions, blends of one proportion) the probabilities of the
            emotions, ``(N, C)``.
        truths: For each kind the first and second emotion, ``(N,)`` each, and the share of the first.
    """
    grid = [step / 50 for step in range(26)] + [0.51]  # the last one: never

    def scored(thresholds: Thresholds) -> tuple[float, float]:
        found = torch.cat([hits(p, *t, thresholds) for p, t in zip(probabilities, truths, strict=True)]).double()
        return float(found[:, 0].mean()), float(found[:, 1].mean())

    present = _best({at: scored(Thresholds(at, at))[0] for at in grid})
    return Thresholds(present, _best({at: scored(Thresholds(present, at))[1] for at in grid if at >= present}))


def _best(scores: Mapping[float, float]) -> float:
    """Return the middle one of the thresholds of the highest score."""
    best = [at for at, score in scores.items() if score == max(scores.values())]
    return best[len(best) // 2]


def chance(emotions: int) -> tuple[float, float]:
    """Return the presence and salience accuracy of guessing uniformly among single emotions and pairs.

    For salience every pair counts three times: in equal parts, and with either emotion stronger.

    Example:
        >>> [round(value, 4) for value in chance(5)]
        [0.0667, 0.0286]
    """
    pairs = emotions * (emotions - 1) // 2
    return 1 / (emotions + pairs), 1 / (emotions + 3 * pairs)


class Blends(Measure):
    """Measure presence and salience accuracy of coded items whose true emotions are known.

    Args:
        emotions: Emotions of the corpus.
        labels: Classes of the classifier.
        truth: True emotions and proportion of the items of each label.
        thresholds: Thresholds of a blend.
        classifier: Name of the classifier.

    Raises:
        ValueError: The classifier has no class for an emotion.
    """

    width = 3

    def __init__(
        self, emotions: Sequence[str], labels: Sequence[str], truth: Truth, thresholds: Thresholds, classifier: str = ""
    ) -> None:
        self.columns, self.truth, self.thresholds = class_columns(emotions, labels), truth, thresholds
        self.classifier = classifier

    def sums(self, seen: Observation) -> Tensor:
        """Return 1 or 0 for a hit of presence and of salience, and 1 to count the utterance."""
        likely = seen.logits[..., self.columns.to(seen.logits.device)].double().softmax(-1)
        first, second = (each.to(likely.device)[seen.emotions] for each in self.truth[:2])
        found = hits(likely, first, second, self.truth.share, self.thresholds).double()
        return torch.cat([found, torch.ones_like(found[..., :1])], dim=-1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return presence accuracy and, if all items are blends, salience accuracy."""
        presence, salience, counts = sums.unbind(-1)
        ratios = Ratios(metrics)
        ratios.add("presence_accuracy", presence, counts, counts, share=True)
        if bool((self.truth.second >= 0).all()):
            ratios.add("salience_accuracy", salience, counts, counts, share=True)
        return ratios.found


def truth_of(codec: Codec, emotions: Sequence[str], partners: Mapping[str, str] | None) -> Truth | None:
    """Return which emotions, in which proportion, the coded items of each label should have.

    ============== ============================ ==========================================================
    items          codec                        emotions and proportion
    ============== ============================ ==========================================================
    pairs          :class:`Mixture` of two      first and second reference by its weights; only the first if
                                                its weight is at least 0.99
    pairs          ``none`` (before coding)     both references in equal parts
    single         codebooks of two emotions    these two, in their shares of the training
    single         ``none`` (before coding)     the item's own emotion
    any            any other                    None: the codec makes no blend
    ============== ============================ ==========================================================

    Args:
        codec: The codec.
        emotions: Emotions of the corpus.
        partners: Emotion of the second reference by that of the first; None for single items.
    """
    own = torch.arange(len(emotions))
    if partners is not None:
        wanted = {canonical_emotion(one): canonical_emotion(other) for one, other in partners.items()}
        others = [emotions.index(wanted[name]) if name in wanted else -1 for name in emotions]
        if isinstance(codec, Mixture) and len(codec.weights) == 2:
            share = round(float(codec.weights[0]), 6)
            return Truth(own, torch.tensor(others) if share < 0.99 else torch.full_like(own, -1), share)
        return Truth(own, torch.tensor(others), 0.5) if codec.name == "none" else None
    shares = codec.trained_on
    if codec.name == "none":
        return Truth(own, torch.full_like(own, -1), 1.0)
    if len(shares) != 2 or not {*shares} <= {*emotions}:
        return None
    one, other = (emotions.index(name) for name in shares)
    share = next(iter(shares.values())) / sum(shares.values())
    share = 0.5 if abs(share - 0.5) < 0.05 else share  # counts of utterances round a half
    return Truth(torch.full_like(own, one), torch.full_like(own, other), share)
