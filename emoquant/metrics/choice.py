"""Classification by codebook: the predicted emotion is that of the codebook with the least loss on the utterance."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from emoquant.codecs.base import Codec
from emoquant.labels import canonical_emotion
from emoquant.metrics.measures import Observation
from emoquant.metrics.recognition import class_columns

Criterion = Literal["distortion", "lagrangian", "utterance_similarity"]
FallBack = Literal["features", "reference"]


class CodebookChoice(Metric):
    """Classify each utterance by the codec of one emotion that loses least of it, at every operating point.

    The loss ``l`` is the logarithm of the squared error a frame, of ``squared error + lambda * bits`` a frame, or of
    ``1 - similarity``. The score of emotion ``e`` with codebook ``b_e`` on utterance ``x`` is

    - without a reference codec: ``-l(b_e, x)``;
    - with a reference codec ``r`` that was trained on all emotions: ``-(l(b_e, x) - l(r, x))``;
    - with a reference and ``calibrated``: that plus the mean of ``l(b_e) - l(r)`` over the training split, in which
      every emotion has the same weight. This removes differences in the general quality of the codebooks.

    The term of the reference is the same for all emotions and does not change which one is chosen; it matters for the
    fall-back. Emo-Q (Zhou et al. 2026, https://arxiv.org/abs/2603.21224) is ``by: utterance_similarity``,
    ``calibrated: false`` and a ``fall_back``: the emotion whose codebook has the largest gain in cosine over the
    reference, or the classifier's decision if no codebook has a gain. Without a reference it is their argmax of the
    cosine.

    Args:
        codebooks: Name of the codec of each emotion, as in the sweep; every codec that was trained on one emotion by
            default (:meth:`choose`).
        reference: Name of the codec trained on all emotions; None to compare plain losses.
        by: The loss: ``distortion``, ``lagrangian`` or ``utterance_similarity``.
        name: Name in the column ``codec`` of the rows.
        calibrated: Whether the mean relative loss on the training split is subtracted; without a reference it is not.
        fall_back: What the classifier decides on if no score is above 0: ``features`` for the features before coding,
            ``reference`` for the reference's reconstruction. Only the emotions of the codebooks compete. None always
            chooses a codebook.
        by_place: Whether the codecs' operating points are matched by their index, for codecs of different lambdas at
            the same rates (``rates`` of the evaluation); the rows give the geometric mean of the lambdas.

    Attributes:
        emotions: Canonical names of the emotions, in the order of the scores.

    Raises:
        ValueError: There are fewer than two codebooks, an emotion is named twice, or there is a fall-back without a
            reference.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(
        self,
        codebooks: dict[str, str] | None = None,
        reference: str | None = None,
        by: Criterion = "distortion",
        name: str = "choice",
        calibrated: bool = True,
        fall_back: FallBack | None = None,
        by_place: bool = False,
    ) -> None:
        super().__init__()
        if fall_back not in (None, "features", "reference") or (fall_back is not None and reference is None):
            raise ValueError(
                f"{name}: fall_back is {fall_back!r} with reference {reference!r}: expected 'features' or 'reference' "
                "and the name of a codec trained on all emotions, or no fall-back"
            )
        self.calibrated, self.fall_back, self.by_place = calibrated and reference is not None, fall_back, by_place
        self.columns = torch.zeros(0, dtype=torch.int64)
        self.grids: dict[str, tuple[float, ...]] = {}
        self.emotions: list[str] = []
        self.codecs: list[str] = []
        self.reference, self.by, self.name = reference, by, name
        if codebooks is not None:
            self._take(codebooks)
        self.points: tuple[float, ...] = ()
        self.offsets: Tensor | None = None

    def choose(self, trained: Mapping[str, Mapping[str, float]]) -> None:
        """Use every codec that was trained on one emotion as a codebook, unless the codebooks were named.

        Args:
            trained: For each codec's name the share of each emotion in its training.

        Raises:
            ValueError: There are fewer than two such codecs, or two of one emotion.
        """
        if not self.codecs:
            single = [(next(iter(shares)), codec) for codec, shares in trained.items() if len(shares) == 1]
            if len({emotion for emotion, _ in single}) < len(single):
                raise ValueError(f"{self.name}: two codecs were trained on one emotion: name one each by `codebooks`")
            self._take(dict(single))

    def _take(self, codebooks: Mapping[str, str]) -> None:
        self.emotions = [canonical_emotion(emotion) for emotion in codebooks]
        if len(self.emotions) < 2 or len(set(self.emotions)) < len(self.emotions):
            raise ValueError(f"a choice needs at least two codebooks of different emotions, got {list(codebooks)}")
        self.codecs = list(codebooks.values())

    @property
    def needed(self) -> list[str]:
        """Names of the codecs that are compared, the reference last."""
        return [*self.codecs, *([] if self.reference is None else [self.reference])]

    def prepare(
        self, points: Mapping[str, tuple[float, ...]], emotions: Sequence[str], labels: Sequence[str] | None = None
    ) -> None:
        """Check the sweep's codecs and allocate the sums of the calibration.

        Args:
            points: Operating points of each codec of the sweep.
            emotions: Emotions of the corpus.
            labels: Classes of the classifier; None without one.

        Raises:
            ValueError: The sweep lacks a codec, the codecs' operating points differ, or there is a fall-back without a
                classifier.
        """
        missing = [name for name in self.needed if name not in points]
        if missing:
            raise ValueError(f"{self.name}: the sweep has no codec {', '.join(missing)}; it has {', '.join(points)}")
        self.grids = {name: points[name] for name in self.needed}
        grids = {*self.grids.values()}
        if len({len(grid) for grid in grids} if self.by_place else grids) > 1:
            raise ValueError(
                f"{self.name}: codecs that are compared must have {'equally many' if self.by_place else 'the same'} "
                f"points, got {sorted(grids)}"
            )
        self.points = tuple(common_point(place) for place in zip(*self.grids.values(), strict=True))
        self.columns = torch.zeros(0, dtype=torch.int64) if labels is None else class_columns(self.emotions, labels)
        if self.fall_back is not None and labels is None:
            raise ValueError(f"{self.name}: there is no classifier to fall back on; leave out fall_back")
        shape = (len(emotions), len(self.points), len(self.codecs))
        self.add_state("sums", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(emotions), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, seen: Mapping[str, Observation]) -> None:
        """Add utterances of the training split to the sums of the calibration.

        Args:
            seen: Observation of these utterances with each codec, by the codec's name.
        """
        emotions = next(iter(seen.values())).emotions
        self.sums.index_add_(0, emotions, self._losses(seen).movedim(1, 0))
        self.counts.index_add_(0, emotions, torch.ones_like(emotions))

    def compute(self) -> Tensor:
        """Return the mean relative loss of each codebook, every emotion counting the same, ``(O, E)`` float64.

        Raises:
            ValueError: No utterance was added.
        """
        if int(self.counts.sum()) == 0:
            raise ValueError(f"{self.name}: no utterance to calibrate on; the training split must have some")
        held = self.counts > 0
        return (self.sums[held] / self.counts[held, None, None]).mean(0)

    def observe(self, seen: Mapping[str, Observation]) -> Observation:
        """Return an observation whose logits are the scores of the emotions, ``(O, B, E)``.

        Args:
            seen: Observation of the same utterances with each codec, by the codec's name.

        Raises:
            RuntimeError: There is a reference, but the choice was not calibrated.
        """
        losses = self._losses(seen)
        if self.calibrated:
            if self.offsets is None:
                raise RuntimeError(f"{self.name} has a reference codec: calibrate it on the training split first")
            losses = losses - self.offsets.to(losses.device)[:, None]
        scores = -losses
        if self.fall_back is not None and self.reference is not None:
            found = seen[self.reference]
            heard = found.logits if self.fall_back == "reference" else found.logits_before.expand(found.logits.shape)
            heard = heard[..., self.columns.to(heard.device)].double()
            scores = torch.where((losses >= 0).all(-1, keepdim=True), heard.to(scores.device), scores)
        return seen[self.codecs[0]]._replace(logits=scores)

    def _losses(self, seen: Mapping[str, Observation]) -> Tensor:
        losses = torch.stack([self._loss(seen[name], name) for name in self.codecs], dim=-1)  # (O, B, E)
        if self.reference is None:
            return losses
        return losses - self._loss(seen[self.reference], self.reference)[..., None]

    def _loss(self, seen: Observation, name: str) -> Tensor:
        if self.by == "utterance_similarity":
            cosines = torch.nn.functional.cosine_similarity(seen.after.double(), seen.before.double(), dim=-1)
            return (1 - cosines).clamp_min(1e-12).log()
        loss = seen.squared_error
        if self.by == "lagrangian":
            lmbda = torch.tensor(self.grids[name], dtype=torch.float64, device=loss.device)
            loss = loss + lmbda[:, None] * seen.bits
        return (loss / seen.frames).clamp_min(1e-12).log()


class MatchedCodebook(CodebookChoice):
    """Classify each utterance after coding it with the codebook of its true emotion, by the classifier.

    It uses the label, so it is an oracle for choices of codebooks, not a method (the matched codebooks of Zhou et al.
    2026). ``codebooks``, ``name`` and ``by_place`` are as in :class:`CodebookChoice`.
    """

    def __init__(self, codebooks: dict[str, str] | None = None, name: str = "matched", by_place: bool = False) -> None:
        super().__init__(codebooks, name=name, by_place=by_place)
        self.own: Tensor = torch.zeros(0, dtype=torch.int64)

    def prepare(
        self, points: Mapping[str, tuple[float, ...]], emotions: Sequence[str], labels: Sequence[str] | None = None
    ) -> None:
        """Check as :meth:`CodebookChoice.prepare` does, and that every emotion has a codebook.

        Raises:
            ValueError: An emotion has no codebook, there is no classifier, or as in :meth:`CodebookChoice.prepare`.
        """
        super().prepare(points, emotions, labels)
        lacking = [emotion for emotion in emotions if emotion not in self.emotions]
        if lacking or labels is None:
            raise ValueError(
                f"{self.name}: expected a classifier and a codebook of every emotion, lacking are "
                f"{', '.join(lacking) or 'the classifier'}"
            )
        self.own = torch.tensor([self.emotions.index(emotion) for emotion in emotions])

    def observe(self, seen: Mapping[str, Observation]) -> Observation:
        """Return an observation with the classifier's logits of the emotions after matched coding, ``(O, B, E)``."""
        heard = torch.stack([seen[name].logits for name in self.codecs])  # (E, O, B, L)
        first = seen[self.codecs[0]]
        codebook = self.own.to(heard.device)[first.emotions]
        own = heard[codebook, :, torch.arange(len(codebook), device=heard.device)].movedim(1, 0)  # (O, B, L)
        return first._replace(logits=own[..., self.columns.to(heard.device)])


def common_point(points: Sequence[float]) -> float:
    """Return the geometric mean of operating points; the point itself where they are the same."""
    if len({*points}) == 1 or min(points) <= 0:
        return points[0]
    return float(f"{math.exp(math.fsum(map(math.log, points)) / len(points)):.4g}")


def require_points_and_names(codecs: Sequence[Codec], choices: Sequence[CodebookChoice]) -> None:
    """Check that codecs and choices have different names and that every codec has an operating point.

    Raises:
        ValueError: Two have the same name, there is no codec, or one has no operating point.
    """
    names = [*(codec.name for codec in codecs), *(choice.name for choice in choices)]
    if len(set(names)) != len(names) or not codecs:
        raise ValueError(
            f"codecs and choices must have different names, got {names or 'none at all'}; give one another `name`"
        )
    if any(not codec.points for codec in codecs):
        raise ValueError("every codec needs at least one operating point; set its `points`")
