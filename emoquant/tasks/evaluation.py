"""The evaluation of codecs: what each of them leaves of the emotions at each of its operating points."""

from pathlib import Path
from typing import Any, cast

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from emoquant.audio_codecs import AudioCodec
from emoquant.codecs.base import Codec
from emoquant.codecs.identity import Identity
from emoquant.codecs.specs import Place, open_codecs, require_runs
from emoquant.console.trainer_flags import runs_folder
from emoquant.devices.sharding import Share, parse_shard
from emoquant.encoders.base import EmotionHead
from emoquant.interfaces.access import data_of
from emoquant.interfaces.protocols import EmotionData
from emoquant.metrics import (
    ByAgreement,
    BySpeaker,
    CodebookChoice,
    Measure,
    Space,
    SpaceDirections,
    SpaceName,
    Strata,
    SweepMetrics,
    Votes,
)
from emoquant.metrics.by_classifier import classifier_measures
from emoquant.metrics.described import codec_rows, decision_row
from emoquant.storage.results import Row
from emoquant.storage.runs import RUNS
from emoquant.tasks.audio_rivals import learn_codes, recoded
from emoquant.tasks.classifiers import heard_rows, open_classifiers, require_classifiers
from emoquant.tasks.fold_sums import pool_folds
from emoquant.tasks.partial import PartialSums, States, digest_of, restore_sums
from emoquant.tasks.rate_points import RatePoint, place_points, point_rows
from emoquant.tasks.reference_split import (
    calibrate,
    crossed_vectors,
    read_training_split,
    rows_of_triplets,
    speaker_blocks,
)
from emoquant.tasks.requirements import require_codecs, require_every_emotion
from emoquant.types import Batch


class CodecEvaluationTask(LightningModule):
    """Measures codecs on the test split in one pass over the data, for all operating points together.

    The unquantized features are measured beside the codecs, as codec ``"none"``. There is nothing to train and no
    checkpoint of the task to load.

    Args:
        codecs: The codecs, as :mod:`emoquant.codecs.specs` spells them, or ready ones; opened once the data stand.
        classifier: Frozen classifier of utterance vectors. By default the head of the data's encoder, or for an encoder
            without one the probe that was trained in the folder of runs (``emoquant fit probe``).
        classifiers: Classifiers by words (:func:`~emoquant.tasks.classifiers.open_classifiers`): ``head``, runs of
            probes in the folder, paths of probes. What the codecs decode is heard by each. Reports show the first one.
        points: Lambdas of every codec that names none; those of the study by default.
        folder: Folder of the runs that the codecs are named in; ``runs`` by default.
        allow_class: Modules outside the project whose classes a codec's checkpoint may name.
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
        audio_codecs: Codecs of waveforms, measured beside the others: the audio of the test split is coded, decoded and
            encoded again with the data's encoder.
        spaces: Spaces fitted on the training split (:mod:`emoquant.metrics.spaces`) in which similarity, drift and
            attraction are measured, too; none by default.
        rates: Bits a frame at which codecs get further operating points: the lambdas that spend so much on validation
            data (:func:`~emoquant.tasks.rate_points.place_points`); none by default.
        pool: Folder where the sums of the folds of this evaluation meet (:func:`~emoquant.tasks.fold_sums.pool_folds`);
            the fold that is the last one to end writes the results of all of them there.
        code_utterances: Training utterances, evenly spaced, whose codes an entropy model is trained on for each
            operating point of an audio codec that has codes; 0 for none.
        save_seconds: Time after which the sums are written down, so that the same evaluation, started again after an
            interruption, goes on from there; 0 for never.

    Attributes:
        rows: Every figure, there once the test has ended; :class:`emoquant.callbacks.ResultsWriter` writes them.
            Empty for a job of an array that is not the last one.
    """

    rows: list[Row]
    _partial: PartialSums | None = None
    _done: States | None = None

    def __init__(
        self,
        codecs: list[dict[str, Any] | str | Codec],
        classifier: EmotionHead | None = None,
        points: list[float] | None = None,
        folder: str | None = None,
        allow_class: list[str] | None = None,
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
        audio_codecs: list[AudioCodec] | None = None,
        code_utterances: int = 0,
        spaces: list[SpaceName] | None = None,
        rates: list[float] | None = None,
        pool: str | None = None,
        classifiers: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.spaces, self._spaces = list(spaces or []), list[Space]()
        self.pool = Path(pool) if pool is not None else None
        self.rates, self._placed = list(rates or []), dict[str, list[RatePoint]]()
        self.audio_codecs, self.code_utterances = list(audio_codecs or []), code_utterances
        self.specs, self.place = list(codecs), Place(folder or RUNS, points, allow_class or ())
        require_runs(self.specs, self.place.folder)
        self.codecs = nn.ModuleList()
        self._classifier, self._words = classifier, list(classifiers or [])
        self.classifiers = nn.ModuleList()
        self.closed_set, self.by_speaker, self.agreement = closed_set, by_speaker, agreement
        self.choices, self.calibration_batches = nn.ModuleList(choices or []), calibration_batches
        self.replicates, self.seed, self.coded_bits = replicates, seed, coded_bits
        self.shard, self.save_seconds = parse_shard(shard), save_seconds
        self.rows, self._begun = list[Row](), cast(tuple[int, States], (0, {}))
        self.requires_grad_(False)
        self.sweep: SweepMetrics | None = None

    @property
    def codec(self) -> Codec:
        """The first codec that is not the identity, for callbacks that look at one; there after :meth:`setup`."""
        codecs = [cast(Codec, codec) for codec in self.codecs]
        return next((codec for codec in codecs if codec.name != "none"), codecs[0])

    @property
    def classifier(self) -> EmotionHead:
        """The first classifier; there after :meth:`setup`."""
        return cast(EmotionHead, self.classifiers[0])

    def setup(self, stage: str) -> None:
        """Open the codecs and the classifier, and read the sums of an interrupted run."""
        data, trainer = data_of(self.trainer), self.trainer
        self._open(data)
        self._placed = place_points(self.codecs, data, self.rates)
        number, count = self.shard
        modules = {"codecs": self.codecs, "classifier": self.classifiers, "choices": self.choices}
        options = {"closed_set": self.closed_set, "by_speaker": self.by_speaker, "agreement": self.agreement,
                   "calibration": self.calibration_batches, "seed": self.seed, "precision": trainer.precision,
                   "limit": trainer.limit_test_batches, "coded_bits": self.coded_bits,
                   "code_utterances": self.code_utterances, "spaces": self.spaces}  # fmt: skip
        folder = runs_folder(trainer) / "sums"
        place = Share(number * trainer.world_size + trainer.global_rank, count * trainer.world_size)
        partial = PartialSums(folder, digest_of(modules, data, options), place, self.save_seconds)
        self._done = partial.finished()
        whole = trainer.limit_test_batches == 1.0  # a limit counts from the first batch of what is left
        self._begun = partial.begun() if self._done is None and whole else (0, {})
        if self._begun[0]:
            rank_zero_info(f"goes on after {self._begun[0]} batches that were measured before ({folder})")
        data.share_test(number, count, self._begun[0])
        self._partial = partial

    def _open(self, data: EmotionData) -> None:
        """Open the codecs under the folder of runs, and the classifier."""
        codecs = open_codecs(self.specs, data.emotions, self.place)
        codecs += recoded(self.audio_codecs, data)
        named = {codec.name for codec in codecs}
        self.codecs = nn.ModuleList([*codecs] if "none" in named else [Identity(), *codecs])
        folder = Path(self.place.folder)
        self.classifiers = nn.ModuleList(open_classifiers(self._classifier, self._words, data, folder))
        trained = {codec.name: codec.trained_on for codec in codecs}
        for choice in self.choices:
            cast(CodebookChoice, choice).choose(trained)
        self.requires_grad_(False)

    def on_test_start(self) -> None:
        """Check that codecs, classifier and data fit, and take the centroids from the training split.

        Raises:
            ValueError: A codec or the classifier has another dimension than the features or was trained on another
                encoder, the classifier lacks an emotion, or a split has no utterance of an emotion.
        """
        data = data_of(self.trainer)
        require_codecs([cast(Codec, codec) for codec in self.codecs], data)
        require_classifiers([cast(EmotionHead, each) for each in self.classifiers], data)
        require_every_emotion(data)
        split = data.dataset("test")
        strata: list[Strata] = [BySpeaker(data.speakers)] if self.by_speaker else []
        strata += [] if self.agreement is None else [ByAgreement(self.agreement)]
        self.rows = []
        learn_codes(self.codecs, data, self.code_utterances)
        references, self._spaces, measures = read_training_split(data, self.device, self.spaces, self.classifier)
        measures += [SpaceDirections(data.emotions, references, space, self.seed) for space in self._spaces]
        for each in list(self.classifiers)[1:]:
            measures += classifier_measures(cast(EmotionHead, each), data.emotions, self.closed_set)
        if any(utterance.votes for utterance in split.utterances):
            measures.append(Votes(data.emotions, self.classifier.labels, self.classifier.name))
        blocks, clusters = speaker_blocks(data)
        self.sweep = SweepMetrics(
            list(self.codecs),  # type: ignore[arg-type]  # a ModuleList holds them
            data.emotions,
            references,
            self.classifier,
            blocks,
            strata,
            data.name,
            self.closed_set,
            measures,
            list(self.choices),  # type: ignore[arg-type]  # a ModuleList holds them
            replicates=self.replicates,
            seed=self.seed,
            coded_bits=self.coded_bits,
            frame_rate=None if data.encoder is None else data.encoder.frame_rate,
            clusters=clusters,
            crossed=crossed_vectors(data),
            measures_of=self.measures_of,
        ).to(self.device)
        calibrate(self.sweep, self.calibration_batches, data, self.device)
        self.extend(self.sweep, data)
        if states := self._done or self._begun[1]:
            restore_sums(self.sweep, states)

    def measures_of(self, codec: Codec) -> list[Measure]:
        """Return measures of one codec alone; none by default."""
        return []

    def extend(self, sweep: SweepMetrics, data: EmotionData) -> None:
        """Add to a sweep what a kind of evaluation measures beside it; nothing by default."""

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
        data = data_of(self.trainer)
        self.rows = [*self.sweep.compute(), *rows_of_triplets(self.sweep, self._spaces)]
        more = codec_rows((cast(Codec, codec) for codec in self.codecs), data.name)
        self.rows += [*more, *point_rows(self.codecs, self._placed, data.name)]
        self.rows += heard_rows(data)
        if data.encoder is not None:
            lengths = data.dataset("test").lengths
            seconds = float(lengths.sum()) / data.encoder.frame_rate
            self.rows.append(decision_row(data.name, len(self.classifier.labels), len(lengths), seconds))
        if self.pool is not None:
            pool_folds(self.sweep, self.pool, self.trainer, data, more, (self.closed_set, self.by_speaker, self.spaces))

    def _add_jobs(self, partial: PartialSums) -> bool:
        """Write down this job's sums, and add those of the others if all of them are done."""
        assert self.sweep is not None
        partial.finish(self.sweep)
        self.trainer.strategy.barrier("sums written")
        missing = self.trainer.strategy.broadcast(partial.missing())
        if missing:
            rank_zero_info(f"shares {missing} are not done yet: the last job to end writes the results")
            return False
        partial.add_others(self.sweep, self.trainer.global_rank, self.trainer.world_size)
        return True

    def on_test_end(self) -> None:
        """Let go of the sums."""
        if self._partial is not None:
            self._partial.forget()
        self.sweep = None
