"""What the training runs of classifiers share: groups of utterances, confusion counts, recall and UAR."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric

from emoquant.interfaces.access import labelled_data_of
from emoquant.interfaces.protocols import LabelledData
from emoquant.labels import STUDY_EMOTIONS, canonical_emotion, emotion_index


class ConfusionCounts(Metric):
    """How often each class was recognised as each, per group of utterances; exact on any number of ranks."""

    full_state_update = False
    counts: Tensor

    def __init__(self, groups: int, classes: int) -> None:
        """Make an empty table.

        Args:
            groups: Groups that utterances are counted by.
            classes: Classes.
        """
        super().__init__()
        self.add_state("counts", torch.zeros(groups, classes, classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, groups: Tensor) -> None:
        """Count a batch: recognised class, true class and group of each utterance, ``(B,)`` int64 each."""
        _, classes, _ = self.counts.shape
        flat = (groups * classes + target) * classes + preds
        self.counts += torch.bincount(flat, minlength=self.counts.numel()).view_as(self.counts)

    def compute(self) -> Tensor:
        """Return the counts, ``(groups, true class, recognised class)``."""
        return self.counts


def recalls(counts: Tensor) -> Tensor:
    """Return the recall of every class of a confusion table ``(C, C)`` (true, recognised); NaN where there is none.

    Example:
        >>> recalls(torch.tensor([[3, 1], [0, 0]]))
        tensor([0.7500,    nan])
    """
    return counts.diagonal() / counts.sum(1)


class RecognitionTask(pl.LightningModule, ABC):
    """Base of the tasks that train a classifier of emotions and are measured by UAR.

    Utterances are counted by group: corpus, and where a split has both, speakers that training heard and new ones.
    Per group ``STAGE/uar/GROUP`` and ``STAGE/recall/GROUP/EMOTION`` are logged; ``STAGE/uar`` is the groups' mean.
    ``uar_closed`` is the UAR when only the measured emotions may be recognised.

    Attributes:
        labels: Classes in the order of the logits; known after :meth:`configure_model`.
        measured: Emotions that recall is averaged over, where a group has them.
        label_smoothing: Share of the target that is spread over all classes.
        weights: Weight of each class in the loss, ``(C,)``; None for equal ones.
    """

    labels: list[str]
    label_smoothing: float = 0.0
    weights: Tensor | None = None

    def __init__(self, measured: Sequence[str] = STUDY_EMOTIONS) -> None:
        super().__init__()
        self.measured = [canonical_emotion(emotion) for emotion in measured]
        self.groups: list[str] = []
        self.confusions = nn.ModuleDict()
        self._group_of: dict[str, Tensor] = {}

    def setup(self, stage: str) -> None:
        """Map the data's emotions to classes and its speakers to groups."""
        data = labelled_data_of(self.trainer)
        known = {canonical_emotion(label) for label in self.labels}
        if missing := [emotion for emotion in data.emotions if emotion not in known]:
            raise ValueError(f"the classifier has no class for {missing}: it knows {self.labels}; leave them out")
        self._class_of = torch.tensor([emotion_index(emotion, self.labels) for emotion in data.emotions])
        self.groups, self._group_of = _speaker_groups(data)
        allowed = {canonical_emotion(emotion) for emotion in self.measured}
        self._outside = torch.tensor([canonical_emotion(label) not in allowed for label in self.labels])
        names = [f"{kind}_{form}" for kind in ("validation", "test") for form in ("open", "closed")]
        shape = len(self.groups), len(self.labels)
        self.confusions = nn.ModuleDict({name: ConfusionCounts(*shape) for name in names}).to(self.device)

    def classes(self, emotions: Tensor) -> Tensor:
        """Return the class of each utterance, ``(B,)``, from the data's emotion indices."""
        return self._class_of.to(emotions.device)[emotions]

    def class_weights(self, balanced: bool) -> Tensor | None:
        """Return a weight per class, inverse to its utterances in training and 1 on average; None unless balanced."""
        if not balanced:
            return None
        data = labelled_data_of(self.trainer)
        counts = torch.zeros(len(self.labels))
        counts.index_add_(0, self.classes(torch.from_numpy(data.dataset("train").emotions)), torch.ones(()).expand(
            len(data.dataset("train").emotions)))  # fmt: skip
        weights = torch.where(counts > 0, 1 / counts.clamp_min(1), 0.0)
        return weights * counts.sum() / (weights * counts).sum()

    @abstractmethod
    def logits(self, batch: Any) -> Tensor:  # noqa: ANN401 - a batch of frame features, or of waveforms
        """Return the logits of a batch, ``(B, C)``."""

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy of classes ``(B,)`` under logits ``(B, C)``, smoothed and weighted."""
        weights = None if self.weights is None else self.weights.to(logits.device)
        return functional.cross_entropy(logits, target, weights, label_smoothing=self.label_smoothing)

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 - as logits
        """Count the batch."""
        self.count("validation", self.logits(batch), batch.emotions, batch.speakers)

    def test_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ANN401 - as logits
        """Count the batch."""
        self.count("test", self.logits(batch), batch.emotions, batch.speakers)

    def count(self, kind: str, logits: Tensor, emotions: Tensor, speakers: Tensor) -> None:
        """Count the utterances of a batch for ``kind`` (``"validation"`` or ``"test"``)."""
        target = self.classes(emotions)
        groups = self._group_of[kind].to(speakers.device)[speakers]
        closed = logits.masked_fill(self._outside.to(logits.device), float("-inf"))
        self._confusion(kind, "open").update(logits.argmax(-1), target, groups)
        self._confusion(kind, "closed").update(closed.argmax(-1), target, groups)

    def _confusion(self, kind: str, form: str) -> ConfusionCounts:
        metric = self.confusions[f"{kind}_{form}"]
        assert isinstance(metric, ConfusionCounts)
        return metric

    def tables(self, kind: str) -> dict[str, Tensor]:
        """Return the confusion table ``(C, C)`` (true, recognised) of every group that has utterances."""
        counts = self._confusion(kind, "open").compute().cpu()
        return {name: table for name, table in zip(self.groups, counts, strict=True) if int(table.sum())}

    def on_validation_epoch_end(self) -> None:
        """Log recall and UAR of the validation split."""
        self._log_recognition("validation", "val")

    def on_test_epoch_end(self) -> None:
        """Log recall and UAR of the test split."""
        self._log_recognition("test", "test")

    def _log_recognition(self, kind: str, tag: str) -> None:
        wanted = {label: i for i, label in enumerate(map(canonical_emotion, self.labels)) if label in self.measured}
        for form in ("open", "closed"):
            metric = self._confusion(kind, form)
            counts = metric.compute().cpu()
            metric.reset()
            quantity = "uar" if form == "open" else "uar_closed"
            means = []
            for name, table in zip(self.groups, counts, strict=True):
                found = {label: float(value) for label, i in wanted.items() if (value := recalls(table)[i]).isfinite()}
                if not found:
                    continue
                means.append(sum(found.values()) / len(found))
                self.log(f"{tag}/{quantity}/{name}", means[-1])
                if form == "open":
                    self.log_dict({f"{tag}/recall/{name}/{label}": value for label, value in found.items()})
            if means:
                self.log(f"{tag}/{quantity}", sum(means) / len(means), prog_bar=form == "open")


def _speaker_groups(data: LabelledData) -> tuple[list[str], dict[str, Tensor]]:
    """Return the names of the groups and, for validation and test, the group of every speaker ``(S,)``."""
    corpora = [name.split("/")[0] if "/" in name else data.name for name in data.speakers]
    trained = set(data.dataset("train").speakers.tolist())
    names: list[str] = []
    group_of = {}
    for kind in ("validation", "test"):
        present = set(data.dataset(kind).speakers.tolist())
        groups = torch.zeros(len(data.speakers), dtype=torch.long)
        for speaker in sorted(present):
            corpus = corpora[speaker]
            seen = {other in trained for other in present if corpora[other] == corpus}
            name = corpus if len(seen) == 1 else f"{corpus}_{'known' if speaker in trained else 'new'}_speakers"
            if name not in names:
                names.append(name)
            groups[speaker] = names.index(name)
        group_of[kind] = groups
    return names, group_of


def scheduled(trainer: pl.Trainer, optimizer: torch.optim.Optimizer, warmup: int) -> OptimizerLRScheduler:
    """Return an optimizer as Lightning wants it, its learning rate by :func:`warmup_cosine` over the whole training.

    Args:
        trainer: The trainer, which knows the steps.
        optimizer: The optimizer.
        warmup: Steps of the warm-up.
    """
    factor = partial(warmup_cosine, warmup=warmup, total=int(trainer.estimated_stepping_batches))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def warmup_cosine(step: int, warmup: int, total: int) -> float:
    """Return the factor of the learning rate: half a cosine down to zero, times a line up during the warm-up.

    Example:
        >>> [round(warmup_cosine(step, 2, 10), 3) for step in (0, 1, 2, 10)]
        [0.5, 0.976, 0.905, 0.0]
    """
    return min(1.0, (step + 1) / max(1, warmup)) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))
