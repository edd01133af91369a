"""The sweep on validation batches in training: curves and tables in the logger."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule, Trainer
from torch import nn

from emoquant.callbacks.live import CodecCallback, at_points
from emoquant.callbacks.media import Media, media_of
from emoquant.codecs.base import Codec
from emoquant.encoders.heads import head_or_none
from emoquant.interfaces.access import data_of
from emoquant.metrics import Blocks, References, ReferenceVectors, SweepMetrics
from emoquant.metrics.by_classifier import Classifier
from emoquant.metrics.recognition import class_columns
from emoquant.reports import EmotionTable, SweepCurves
from emoquant.reports.base import Drawing
from emoquant.reports.rows import Results
from emoquant.storage.origin import require_origin
from emoquant.storage.results import Row
from emoquant.types import Batch

#: Pooled figures that are logged as scalars at every operating point.
SCALARS = ("uar", "utterance_similarity", "bits_per_frame", "drift_to_neutral", "distinct_outputs", "agreement", "kl")


class LambdaSweep(CodecCallback):
    """Runs the task's codec at several operating points on validation batches, every few epochs.

    Scalars ``sweep/<metric>/lmbda=<point>`` go to every logger, curves and tables over lambda too. The
    task's part is its attribute ``codec``: a :class:`~emoquant.codecs.base.Codec` of its present weights, or None while
    there is none (then this epoch is passed over).

    Args:
        points: Operating points; the codec's own if empty.
        classifier: Frozen classifier of utterance vectors (a probe, say), with its ``labels`` and ``dim``; by default
            the head of the data's own encoder, and no recognition where that has none for the data's emotions.
        every_n_epochs: Epochs from one sweep to the next.
        references: Whether drift is measured; that reads the training split once.
        reports: What is drawn; recall (where there is recognition), similarity and rate by default.
        replicates: Bootstrap replicates behind the intervals of the curves.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(
        self,
        points: Sequence[float] = (0.0, 0.1, 1.0, 5.0, 20.0, 100.0, 500.0),
        classifier: nn.Module | None = None,
        every_n_epochs: int = 5,
        references: bool = True,
        reports: list[Drawing] | None = None,
        replicates: int = 200,
    ) -> None:
        super().__init__(every_n_epochs)
        if replicates < 1:
            raise ValueError(f"replicates must be at least 1, got {replicates}")
        self.points, self.classifier, self.replicates = tuple(points), classifier, replicates
        self.with_references, self.reports = references, reports
        self._references: References | None = None
        self._sweep: SweepMetrics | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Choose the classifier, so that one that does not fit is refused before anything is trained.

        Raises:
            ValueError: The classifier that was named belongs to another encoder or lacks an emotion of the data.
        """
        data = data_of(trainer)
        if self.classifier is None:
            self.classifier = None if data.encoder is None else head_or_none(data.encoder, data.emotions)
        else:
            require_origin("the classifier", getattr(self.classifier, "origin", None), data.origin)
            class_columns(data.emotions, cast(Classifier, self.classifier).labels)
        if self.classifier is not None:
            self.classifier.requires_grad_(False).eval()

    def begin(self, trainer: Trainer, module: LightningModule, codec: Codec) -> None:
        """Begin a sweep."""
        data = data_of(trainer)
        if self.with_references and self._references is None:
            vectors = ReferenceVectors(data.emotions, data.dim).to(module.device)
            for batch in data.reference_dataloader():
                vectors.update(move_data_to_device(batch, module.device))
            self._references = vectors.compute()
        self._sweep = SweepMetrics(
            [at_points(codec, self.points)],
            data.emotions,
            self._references,
            cast(Classifier | None, self.classifier),
            Blocks(np.unique(data.dataset("validation").speakers).tolist()),
            corpus=data.name,
            replicates=self.replicates,
        ).to(module.device)

    def see(self, trainer: Trainer, codec: Codec, batch: Batch, split: str) -> None:
        """Code and measure a batch."""
        if self._sweep is not None:
            self._sweep.update(batch)

    def end(self, trainer: Trainer, module: LightningModule, split: str) -> None:
        """Log scalars, curves and tables."""
        if self._sweep is None:
            return
        rows, self._sweep = self._sweep.compute(), None
        for row in rows:
            if row.emotion == "all" and row.metric in SCALARS and not math.isnan(row.value):
                module.log(f"sweep/{row.metric}/lmbda={row.lmbda:g}", row.value, sync_dist=True)
        media = media_of(trainer)
        if media is not None:
            self._draw(media, rows, trainer.global_step)

    def _draw(self, media: Media, rows: list[Row], step: int) -> None:
        results = Results(rows)
        metrics = ("recall", "utterance_similarity", "bits_per_frame")[self.classifier is None :]
        usual: list[Drawing] = [kind(metric) for metric in metrics for kind in (SweepCurves, EmotionTable)]
        reports = usual if self.reports is None else self.reports
        for artifact in (artifact for report in reports for artifact in report.draw(results)):
            if artifact.figure is not None:
                media.figure(f"sweep/{artifact.stem}", artifact.figure, step)
            if ".md" in artifact.texts:
                media.text(f"sweep/{artifact.stem}", artifact.texts[".md"], step)
