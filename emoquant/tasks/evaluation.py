"""The evaluation of codecs: what each of them leaves of the emotions at each of its operating points."""

from pathlib import Path
from typing import cast

import numpy as np
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import nn

from emoquant.codecs.base import Codec
from emoquant.codecs.history import sources_of
from emoquant.codecs.identity import Identity
from emoquant.encoders.base import EmotionHead
from emoquant.metrics import (
    Blocks,
    ByAgreement,
    BySpeaker,
    CodebookChoice,
    References,
    ReferenceVectors,
    Strata,
    SweepMetrics,
    Votes,
)
from emoquant.metrics.recognition import class_columns
from emoquant.origin import require_origin
from emoquant.results import Row
from emoquant.sharding import parse_shard
from emoquant.tasks.partial import PartialSums, Place, States, add_sums, digest_of, restore_sums
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
        shard: Part of the test split that this job measures, as NUMBER/COUNT from 0/1; the job that is the last one to
            end adds all up and has the rows.
        coded_bits: Whether codecs that write bytes also do so, to show their real length beside the estimate.
        save_seconds: Time after which the sums are written down, so that the same evaluation, started again after an
            interruption, goes on from there; 0 for never.

    Attributes:
        rows: Every figure, there once the test has ended; :class:`emoquant.callbacks.ResultsWriter` writes them.
            Empty for a job of an array that is not the last one.
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
        shard: str = "0/1",
        save_seconds: float = 30.0,
        coded_bits: bool = False,
    ) -> None:
        super().__init__()
        named = {codec.name for codec in codecs}
        self.codecs = nn.ModuleList([*codecs] if "none" in named else [Identity(), *codecs])
        self.classifier = classifier
        self.closed_set = closed_set
        self.by_speaker, self.agreement = by_speaker, agreement
        self.choices, self.calibration_batches = nn.ModuleList(choices or []), calibration_batches
        self.replicates, self.seed, self.coded_bits = replicates, seed, coded_bits
        self.shard, self.save_seconds = parse_shard(shard), save_seconds
        self._partial: PartialSums | None = None
        self._begun: tuple[int, States] = (0, {})
        self._done: States | None = None
        self.requires_grad_(False)
        self.rows = []
        self.sweep: SweepMetrics | None = None

    @property
    def codec(self) -> Codec:
        """The first codec that is not the identity, for callbacks that look at one."""
        codecs = [cast(Codec, codec) for codec in self.codecs]
        return next((codec for codec in codecs if codec.name != "none"), codecs[0])

    def setup(self, stage: str) -> None:
        """Find out what was measured before, once the data stands."""
        data, trainer = self.trainer.datamodule, self.trainer  # type: ignore[attr-defined]  # set at run time
        number, count = self.shard
        if not hasattr(data, "share_test"):
            if count > 1:
                raise TypeError(f"{type(data).__name__} cannot be divided among jobs: use EmotionDataModule")
            return
        modules = {"codecs": self.codecs, "classifier": self.classifier, "choices": self.choices}
        options = {"closed_set": self.closed_set, "by_speaker": self.by_speaker, "agreement": self.agreement,
                   "calibration": self.calibration_batches, "seed": self.seed, "precision": trainer.precision,
                   "limit": trainer.limit_test_batches, "coded_bits": self.coded_bits}  # fmt: skip
        folder = Path(getattr(trainer.logger, "root_dir", trainer.default_root_dir)) / "sums"
        place = Place(number * trainer.world_size + trainer.global_rank, count * trainer.world_size)
        partial = PartialSums(folder, digest_of(modules, data, options), place, self.save_seconds)
        self._done = partial.finished()
        whole = trainer.limit_test_batches == 1.0  # a limit counts from the first batch of what is left
        self._begun = partial.begun() if self._done is None and whole else (0, {})
        if self._begun[0]:
            rank_zero_info(f"goes on after {self._begun[0]} batches that were measured before ({folder})")
        data.share_test(number, count, self._begun[0])
        self._partial = partial

    def on_test_start(self) -> None:
        """Check that codecs, classifier and data fit, and take the centroids from the training split.

        Raises:
            ValueError: A codec or the classifier has another dimension than the features or was trained on another
                encoder, the classifier lacks an emotion, or a split has no utterance of an emotion.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
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
            list(self.codecs),  # type: ignore[arg-type]  # a ModuleList holds them
            data.emotions,
            self._references(),
            self.classifier,
            Blocks(np.unique(split.speakers).tolist()),
            strata,
            data.name,
            self.closed_set,
            [Votes(data.emotions, self.classifier.labels)] if voted else [],
            list(self.choices),  # type: ignore[arg-type]  # a ModuleList holds them
            replicates=self.replicates,
            seed=self.seed,
            coded_bits=self.coded_bits,
        ).to(self.device)
        self._calibrate(self.sweep)
        if states := self._done or self._begun[1]:
            restore_sums(self.sweep, states)

    def _calibrate(self, sweep: SweepMetrics) -> None:
        """Calibrate choices that have a reference codec on batches from all over the training split."""
        if all(cast(CodebookChoice, choice).reference is None for choice in self.choices):
            return
        loader = self.trainer.datamodule.reference_dataloader()  # type: ignore[attr-defined]  # set at run time
        stride = max(1, -(-len(loader) // self.calibration_batches))
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
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set at run time
        for name, source in sources_of(self.codecs):
            if source.history is not None and source.history.corpus != data.name:
                rank_zero_warn(f"codec {name!r} was trained on {source.history.corpus!r}, the data is {data.name!r}")
        origin = getattr(data, "origin", None)
        for codec in self.codecs:
            require_origin(f"codec {codec.name!r}", cast(Codec, codec).origin, origin)
        require_origin("the classifier", self.classifier.origin, origin)
        class_columns(emotions, self.classifier.labels)

    def _references(self) -> References:
        """Return centroids and mean of the training split, of which each rank reads its share."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set by the trainer at run time
        vectors = ReferenceVectors(data.emotions, data.dim).to(self.device)
        for batch in data.reference_dataloader():
            vectors.update(move_data_to_device(batch, self.device))
        references: References = vectors.compute()
        return references

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Code and measure a batch."""
        assert self.sweep is not None
        if self._done is not None:
            return
        self.sweep.update(batch)
        batches = cast(int, self.trainer.num_test_batches[0])
        if self._partial is not None and self.save_seconds and batch_idx + 1 < batches:
            self._partial.note(self.sweep, self._begun[0] + batch_idx + 1)

    def on_test_epoch_end(self) -> None:
        """Add up what all ranks measured, and all jobs."""
        assert self.sweep is not None
        if self._partial is not None and self.shard[1] > 1 and not self._add_jobs(self._partial):
            return
        self.rows = self.sweep.compute()

    def _add_jobs(self, partial: PartialSums) -> bool:
        """Write down this job's sums, and add those of the others if all of them are done."""
        assert self.sweep is not None
        partial.finish(self.sweep)
        self.trainer.strategy.barrier("sums written")
        missing = self.trainer.strategy.broadcast(partial.missing())
        if missing:
            rank_zero_info(f"shares {missing} are not done yet: the last job to end writes the results")
            return False
        for number in range(self.trainer.global_rank, partial.place.total, self.trainer.world_size):
            if number != partial.place.number:
                add_sums(self.sweep, partial.finished(number) or {})
        return True

    def on_test_end(self) -> None:
        """Let go of the sums."""
        if self._partial is not None:
            self._partial.forget()
        self.sweep = None
