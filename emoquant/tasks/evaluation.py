"""The evaluation of codecs: what each of them leaves of the emotions at each of its operating points."""

from typing import cast

import numpy as np
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule
from torch import nn

from emoquant.codecs.base import Codec
from emoquant.codecs.identity import Identity
from emoquant.encoders.base import EmotionHead
from emoquant.metrics import (
    Agreement,
    Blocks,
    ByAgreement,
    BySpeaker,
    CodebookChoice,
    References,
    ReferenceVectors,
    Strata,
    SweepMetrics,
)
from emoquant.metrics.recognition import class_columns
from emoquant.origin import require_origin
from emoquant.results import Row
from emoquant.types import Batch


class CodecEvaluationTask(LightningModule):
    """Measures codecs on the test split in one pass over the data, for all operating points together.

    The unquantized features are measured beside the codecs, as codec ``"none"``. Codecs and classifier come ready from
    the YAML; there is nothing to train and no checkpoint to load.

    Args:
        codecs: The codecs, each with its operating points.
        classifier: Frozen classifier of utterance vectors: the encoder's own head or a probe.
        closed_set: Whether the classifier may only choose among the corpus's emotions; by default its other classes are
            left in.
        by_speaker: Whether each speaker is measured apart, besides the whole.
        agreement: Upper edges of the annotators' agreement (largest share of votes) by which utterances are measured
            apart, besides the whole; none by default.
        choices: Classifications of utterances by the codebook that reconstructs them best, beside the codecs.
        calibration_batches: Batches of the training split that choices with a reference codec are calibrated on, on
            each process.
        replicates: Bootstrap replicates behind the intervals.
        seed: Seed of the bootstrap.

    Attributes:
        rows: Every figure, there once the test has ended; :class:`emoquant.callbacks.ResultsWriter` writes them.
    """

    rows: list[Row]

    def __init__(
        self,
        codecs: list[Codec],
        classifier: EmotionHead,
        closed_set: bool = False,
        by_speaker: bool = False,
        agreement: list[float] | None = None,
        choices: list[CodebookChoice] | None = None,
        calibration_batches: int = 16,
        replicates: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        named = {codec.name for codec in codecs}
        self.codecs = nn.ModuleList([*codecs] if "none" in named else [Identity(), *codecs])
        self.classifier = classifier
        self.closed_set = closed_set
        self.by_speaker, self.agreement = by_speaker, agreement
        self.choices, self.calibration_batches = nn.ModuleList(choices or []), calibration_batches
        self.replicates, self.seed = replicates, seed
        self.requires_grad_(False)
        self.rows = []
        self.sweep: SweepMetrics | None = None

    @property
    def codec(self) -> Codec:
        """The first codec that is not the identity, for callbacks that look at one."""
        codecs = [cast(Codec, codec) for codec in self.codecs]
        return next((codec for codec in codecs if codec.name != "none"), codecs[0])

    def on_test_start(self) -> None:
        """Check that codecs, classifier and data fit, and take the centroids from the training split.

        Raises:
            ValueError: A codec or the classifier has another dimension than the features or was trained on another
                encoder, the classifier lacks an emotion, or a split has no utterance of an emotion.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self._check(data.dim, data.emotions)
        split = data.dataset("test")
        present = {int(emotion) for emotion in np.unique(split.emotions)}
        missing = [emotion for index, emotion in enumerate(data.emotions) if index not in present]
        if missing:
            raise ValueError(
                f"the test split of {data.name} has no utterance of {', '.join(missing)}: "
                "leave the emotion out of the data's `emotions` or split the corpus otherwise"
            )
        voted = any(utterance.votes for utterance in split.utterances)
        strata: list[Strata] = []
        if self.by_speaker:
            strata.append(BySpeaker(data.speakers))
        if self.agreement is not None:
            strata.append(ByAgreement(self.agreement))
        self.rows = []
        self.sweep = SweepMetrics(
            list(self.codecs),  # type: ignore[arg-type]
            data.emotions,
            self._references(),
            self.classifier,
            Blocks(np.unique(split.speakers).tolist()),
            strata,
            data.name,
            self.closed_set,
            [Agreement(data.emotions, self.classifier.labels)] if voted else [],
            list(self.choices),  # type: ignore[arg-type]
            replicates=self.replicates,
            seed=self.seed,
        ).to(self.device)
        self._calibrate(self.sweep)

    def _calibrate(self, sweep: SweepMetrics) -> None:
        """Calibrate choices that have a reference codec on batches from all over the training split."""
        if all(cast(CodebookChoice, choice).reference is None for choice in self.choices):
            return
        loader = self.trainer.datamodule.reference_dataloader()  # type: ignore[attr-defined]
        stride = max(1, len(loader) // self.calibration_batches)
        for index, batch in enumerate(loader):
            if index % stride == 0:
                sweep.calibrate(move_data_to_device(batch, self.device))
        sweep.finish_calibration()

    def _check(self, dim: int, emotions: list[str]) -> None:
        for codec in self.codecs:
            if codec.dim not in (0, dim):
                raise ValueError(
                    f"codec {codec.name!r} codes features of {codec.dim} dimensions, the data's have {dim}: "
                    "it was trained on another encoder; choose the encoder it was trained on, or train a codec"
                )
        if self.classifier.dim != dim:
            raise ValueError(
                f"the classifier reads {self.classifier.dim} dimensions, the features have {dim}: "
                "take the head of the data's encoder or a probe trained on its features"
            )
        origin = getattr(self.trainer.datamodule, "origin", None)  # type: ignore[attr-defined]
        for codec in self.codecs:
            require_origin(f"codec {codec.name!r}", cast(Codec, codec).origin, origin)
        require_origin("the classifier", self.classifier.origin, origin)
        class_columns(emotions, self.classifier.labels)

    def _references(self) -> References:
        """Return centroids and mean of the training split, of which each rank reads its share."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        vectors = ReferenceVectors(data.emotions, data.dim).to(self.device)
        for batch in data.reference_dataloader():
            vectors.update(move_data_to_device(batch, self.device))
        references: References = vectors.compute()
        return references

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Code and measure a batch."""
        assert self.sweep is not None
        self.sweep.update(batch)

    def on_test_epoch_end(self) -> None:
        """Add up what all ranks measured."""
        assert self.sweep is not None
        self.rows = self.sweep.compute()

    def on_test_end(self) -> None:
        """Let go of the sums."""
        self.sweep = None
