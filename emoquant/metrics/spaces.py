"""Spaces whose cosines depend more on emotion and less on text and speaker, fitted on a training split.

Utterances of one emotion differ by text, speaker and manner. With ``W`` the covariance within emotions, pooled and
shrunk towards a multiple of the identity (Chen, Wiesel, Eldar, Hero 2010, Shrinkage algorithms for MMSE covariance
estimation: OAS), and ``m`` the mean of the emotions' centroids:

============ ==========================================================================================
``whitened`` ``W^(-1/2) (x - m)``, within-class covariance normalisation
``lda``      its projection on the ``C - 1`` directions that the centroids span: linear discriminant analysis
``logits``   the classifier's logits minus their mean over its classes
============ ==========================================================================================
"""

from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from emoquant.metrics.measures import Direction, Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.references import References
from emoquant.metrics.shrinkage import Shrinkage
from emoquant.metrics.similarity import cosine

SpaceName = Literal["whitened", "lda", "logits"]

#: Measures of cosines that are reported of a space.
_STEMS = (
    "similarity_to",
    "attraction",
    "drift_to_neutral",
    "null_drift_to_neutral",
    "excess_drift_to_neutral",
    "preference_for_neutral",
    "excess_similarity",
    "excess_preference_for_neutral",
)


class Space(NamedTuple):
    """Hold a map of utterance vectors into a space in which cosines are measured.

    Attributes:
        name: Name of the space, as in the names of metrics.
        project: Maps vectors ``(..., D)`` into the space, ``(..., K)`` float64.
    """

    name: str
    project: Callable[[Tensor], Tensor]


def metric_in(metric: str, space: str) -> str:
    """Return the name of a metric in a space, ``METRIC@SPACE``; without a space the plain name.

    Example:
        >>> metric_in("similarity_to/sad", "lda"), metric_in("uar", "")
        ('similarity_to@lda/sad', 'uar')
    """
    stem, slash, target = metric.partition("/")
    return f"{stem}@{space}{slash}{target}" if space else metric


def make_space(name: SpaceName, fitted: References, classifier: Callable[[Tensor], Tensor]) -> Space:
    """Return the space of a name, made of centroids and covariance of the training split.

    Args:
        name: ``whitened``, ``lda`` or ``logits``.
        fitted: Centroids and covariance of the training split (:class:`ReferenceVectors` with ``scatter``); a space of
            logits needs none.
        classifier: Gives the logits of utterance vectors.

    Raises:
        ValueError: There is no such space, or it needs a covariance and there is none.
    """
    if name not in get_args(SpaceName):
        raise ValueError(f"there is no space {name!r}: expected some of {', '.join(get_args(SpaceName))}")
    if name == "logits":

        def logits(vectors: Tensor) -> Tensor:
            found = classifier(vectors.float()).double()
            return found - found.mean(-1, keepdim=True)

        return Space(name, logits)
    if fitted.covariance is None:
        raise ValueError(f"the space {name} needs the covariance of the training split: ReferenceVectors(scatter=True)")
    centroids = fitted.centroids
    values, vectors = torch.linalg.eigh(fitted.covariance)
    matrix, origin = vectors / values.sqrt(), centroids.mean(0)
    if name == "lda":
        spanned = torch.linalg.svd((centroids - origin) @ matrix, full_matrices=False)[2]
        matrix = matrix @ spanned[: len(centroids) - 1].T
    return Space(name, lambda x: (x.double() - origin.to(x.device)) @ matrix.to(x.device))


class SpaceDirections(Measure):
    """Measure similarity, drift, attraction and preference (:class:`Direction`) in a space, as ``METRIC@SPACE``.

    Centroids and mean are those of the features, projected into the space.

    Args:
        emotions: Names of the emotions.
        references: Centroids and mean of the training split, in the space of the features.
        space: The space.
        seed: Seed of the random directions.
    """

    def __init__(self, emotions: Sequence[str], references: References, space: Space, seed: int = 0) -> None:
        self.space = space
        centroids, mean = space.project(references.centroids), space.project(references.mean[None])[0]
        inside = References(centroids, mean, references.counts)
        self.direction, self.shrinkage = Direction(emotions, inside, seed=seed), Shrinkage(emotions, inside)
        names = [*self.direction.metrics, "excess_similarity"]
        names += ["excess_preference_for_neutral"] if self.shrinkage.neutral >= 0 else []
        self.kept = [place for place, name in enumerate(names) if name.partition("/")[0] in _STEMS]
        self.metrics = ["utterance_similarity", *(names[place] for place in self.kept)]
        self.metrics = [metric_in(metric, space.name) for metric in self.metrics]
        self.width = len(self.metrics) + 1

    def sums(self, seen: Observation) -> Tensor:
        """Return the value of each metric, and 1 to count the utterance."""
        seen = seen._replace(before=self.space.project(seen.before), after=self.space.project(seen.after))
        columns = torch.cat([self.direction.sums(seen)[..., :-1], self.shrinkage.sums(seen)], -1)
        return torch.cat([cosine(seen.before, seen.after)[..., None], columns[..., [*self.kept, -1]]], -1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the mean of each metric over utterances."""
        counts, ratios = sums[..., -1], Ratios(metrics)
        for metric, total in zip(self.metrics, sums.unbind(-1), strict=False):
            ratios.add(metric, total, counts, counts)
        return ratios.found
