"""Classification by codebook: an utterance is of the emotion whose codebook reconstructs it best."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from emoquant.codecs.base import Codec
from emoquant.labels import canonical_emotion
from emoquant.metrics.measures import Observation

Criterion = Literal["distortion", "lagrangian", "utterance_similarity"]


class CodebookChoice(Metric):
    """Chooses among biased codecs by what each of them loses of an utterance, at every operating point.

    The loss is on a logarithmic scale: of the squared error, of ``squared error + lambda * bits``, or of
    ``1 - similarity``. Codebooks differ in general quality, so one of them may lose least on everything; with a codec
    trained on all emotions as reference, an utterance's loss is taken relative to the reference's, and from that is
    subtracted what this codebook's relative loss is on average on speech of the training split, where every emotion
    counts the same. So what decides is whether a codebook does better than usual. The reference itself is the same for
    every codebook and cancels out of the choice: with another codec in its place, of another architecture, it is alike.

    Args:
        codebooks: Name of the codec of each emotion, as in the sweep; every codec that was trained on one emotion by
            default (:meth:`choose`).
        reference: Name of the codec trained on all emotions; None to compare plain losses.
        by: What is lost.
        name: Name in the column ``codec`` of the rows.

    Attributes:
        emotions: Canonical names of the emotions, in the order of the scores.

    Raises:
        ValueError: There are fewer than two codebooks, or an emotion is named twice.
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
    ) -> None:
        super().__init__()
        self.emotions: list[str] = []
        self.codecs: list[str] = []
        self.reference, self.by, self.name = reference, by, name
        if codebooks is not None:
            self._take(codebooks)
        self.points: tuple[float, ...] = ()
        self.offsets: Tensor | None = None

    def choose(self, trained: Mapping[str, Mapping[str, float]]) -> None:
        """Take every codec that was trained on one emotion, unless the codebooks were named.

        Args:
            trained: Share of each emotion in the training, by codec.

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
        """Names of the codecs that take part."""
        return [*self.codecs, *([] if self.reference is None else [self.reference])]

    def prepare(self, points: Mapping[str, tuple[float, ...]], emotions: int) -> None:
        """Make room for the calibration.

        Args:
            points: Operating points of each codec of the sweep.
            emotions: Emotions ``C`` of the corpus.

        Raises:
            ValueError: The sweep lacks a codec, or their operating points differ.
        """
        missing = [name for name in self.needed if name not in points]
        if missing:
            raise ValueError(f"{self.name}: the sweep has no codec {', '.join(missing)}; it has {', '.join(points)}")
        grids = {points[name] for name in self.needed}
        if len(grids) > 1:
            raise ValueError(f"{self.name}: codecs that are compared must have the same points, got {sorted(grids)}")
        (self.points,) = grids
        shape = (emotions, len(self.points), len(self.codecs))
        self.add_state("sums", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(emotions, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, seen: Mapping[str, Observation]) -> None:
        """Take in utterances of the training split for the calibration.

        Args:
            seen: What each codec made of them, by the codec's name.
        """
        emotions = next(iter(seen.values())).emotions
        self.sums.index_add_(0, emotions, self._losses(seen).movedim(1, 0))
        self.counts.index_add_(0, emotions, torch.ones_like(emotions))

    def compute(self) -> Tensor:
        """Return the mean relative loss of each codebook, every emotion counting the same, ``(O, E)`` float64.

        Raises:
            ValueError: No utterance was taken in.
        """
        if int(self.counts.sum()) == 0:
            raise ValueError(f"{self.name}: no utterance to calibrate on; the training split must have some")
        held = self.counts > 0
        return (self.sums[held] / self.counts[held, None, None]).mean(0)

    def observe(self, seen: Mapping[str, Observation]) -> Observation:
        """Return an observation whose logits are the scores of the emotions, ``(O, B, E)``.

        Args:
            seen: What each codec made of the same utterances, by the codec's name.

        Raises:
            RuntimeError: There is a reference, but the choice was not calibrated.
        """
        losses = self._losses(seen)
        if self.reference is not None:
            if self.offsets is None:
                raise RuntimeError(f"{self.name} has a reference codec: calibrate it on the training split first")
            losses = losses - self.offsets.to(losses.device)[:, None]
        return seen[self.codecs[0]]._replace(logits=-losses)

    def _losses(self, seen: Mapping[str, Observation]) -> Tensor:
        losses = torch.stack([self._loss(seen[name]) for name in self.codecs], dim=-1)  # (O, B, E)
        return losses if self.reference is None else losses - self._loss(seen[self.reference])[..., None]

    def _loss(self, seen: Observation) -> Tensor:
        if self.by == "utterance_similarity":
            cosines = torch.nn.functional.cosine_similarity(seen.after.double(), seen.before.double(), dim=-1)
            return (1 - cosines).clamp_min(1e-12).log()
        loss = seen.squared_error
        if self.by == "lagrangian":
            lmbda = torch.tensor(self.points, dtype=torch.float64, device=loss.device)
            loss = loss + lmbda[:, None] * seen.bits
        return (loss / seen.frames).clamp_min(1e-12).log()


def require_points_and_names(codecs: Sequence[Codec], choices: Sequence[CodebookChoice]) -> None:
    """Check that codecs and choices can stand in one table.

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
