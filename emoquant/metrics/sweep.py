"""The sweep: all codecs, operating points and measures in one pass over the data, with intervals."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from emoquant.codecs.base import Codec
from emoquant.devices.memory import fitting
from emoquant.devices.precision import full_float32
from emoquant.devices.ranks import from_first
from emoquant.metrics.by_classifier import Classifier
from emoquant.metrics.choice import CodebookChoice, require_points_and_names
from emoquant.metrics.clustered import Clusters, with_clusters
from emoquant.metrics.decisions import Recognition
from emoquant.metrics.intervals import Blocks
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.methods import Methods, Way
from emoquant.metrics.observing import observed
from emoquant.metrics.references import References
from emoquant.metrics.standard import standard_measures
from emoquant.metrics.strata import Strata
from emoquant.metrics.sums import CodecSums, MeasureSums, synced
from emoquant.metrics.tabulate import Part, Sampling, Subject, code_rows, distinct_rows, measure_rows
from emoquant.metrics.triplets import CrossedVectors
from emoquant.storage.results import Row
from emoquant.types import Batch, Coded

#: Coded values (points x utterances x frames x dimensions) that are held at once, 512 MiB in float32; on a CUDA device
#: up to 16 times as many, as its free memory allows.
MOST_VALUES = 2**27

#: Bytes that a value takes with all that is made of it on the way.
VALUE_BYTES = 24


class SweepMetrics(nn.Module):
    """Code batches by codecs at all of their operating points and measure what is left of the emotions.

    It holds sums of fixed shapes: memory does not grow with the number of utterances, the division into batches does
    not matter, and the sums of several processes add up to those of one. Codecs and classifier are never changed.

    Args:
        codecs: The codecs, of different names; each runs at its own ``points``.
        emotions: Names of the emotions, in the order of the batches' indices.
        references: Centroids and mean of the training split; None leaves out the measures that need them.
        classifier: Frozen classifier of utterance vectors, whose ``name`` is in the rows; None leaves out recognition.
            Further ones are measures (:func:`~emoquant.metrics.by_classifier.classifier_measures`).
        blocks: Blocks that the intervals resample; random blocks of utterances by default.
        strata: Partitions of the split whose parts are measured separately, too; an empty part gives no rows.
        corpus: Name of the corpus in the rows.
        closed_set: Whether the classifier may only choose among the corpus's emotions.
        measures: Further measures of every codec.
        choices: Classifications by codebook; those that are calibrated need :meth:`calibrate` on training data first.
        replicates: Bootstrap replicates.
        seed: Seed of the bootstrap.
        coded_bits: Whether codecs that can write bytes write them, so that real bits are measured beside the estimate.
        frame_rate: Frames a second; None leaves out bits a second.
        clusters: Blocks of speakers for the intervals clustered by speaker; None leaves these out.
        crossed: Collects the vectors before coding for the triplet accuracy; None leaves it out.
        measures_of: Gives further measures for each codec; none by default.

    Raises:
        ValueError: Two codecs have the same name, one has no points, or the classifier lacks an emotion.
    """

    def __init__(
        self,
        codecs: Sequence[Codec],
        emotions: Sequence[str],
        references: References | None = None,
        classifier: Classifier | None = None,
        blocks: Blocks | None = None,
        strata: Sequence[Strata] = (),
        corpus: str = "",
        closed_set: bool = False,
        measures: Sequence[Measure] = (),
        choices: Sequence[CodebookChoice] = (),
        replicates: int = 1000,
        seed: int = 0,
        coded_bits: bool = False,
        frame_rate: float | None = None,
        clusters: Blocks | None = None,
        crossed: CrossedVectors | None = None,
        measures_of: Callable[[Codec], list[Measure]] | None = None,
    ) -> None:
        super().__init__()
        self.coded_bits, self.clusters, self.crossed = coded_bits, clusters, crossed
        self.methods: Methods | None = None
        require_points_and_names(codecs, choices)
        self.codecs, self.classifier = nn.ModuleList(codecs), classifier
        self.emotions, self.corpus, self.blocks = list(emotions), corpus, Blocks() if blocks is None else blocks
        self.strata, self.replicates, self.seed = list(strata), replicates, seed
        parts = [(1, self.blocks.number), *((len(s.names), (s.blocks or self.blocks).number) for s in self.strata)]
        parts += [(1, clusters.number)] if clusters is not None else []
        self.sums = nn.ModuleList()
        labels, name = (None, "") if classifier is None else (classifier.labels, getattr(classifier, "name", ""))
        settings = closed_set, seed, coded_bits, frame_rate, name
        for codec in codecs:
            own = measures_of(codec) if measures_of is not None else []
            chosen = [*standard_measures(codec, self.emotions, references, labels, *settings), *own, *measures]
            self.sums.append(CodecSums(codec, len(self.emotions), chosen, parts))
        self.choices, self.choice_sums = nn.ModuleList(choices), nn.ModuleList()
        for choice in choices:
            choice.prepare({codec.name: codec.points for codec in codecs}, self.emotions, labels)
            decided = [Recognition(self.emotions, choice.emotions)]
            self.choice_sums.append(MeasureSums(len(choice.points), len(self.emotions), decided, parts))

    @torch.no_grad()
    def update(self, batch: Batch) -> None:
        """Code a batch with every codec at every operating point and add the measures' values to the sums.

        Args:
            batch: Frame features with their labels.

        Raises:
            ValueError: Features are not finite, or a codec gives another shape or values that are not finite.
        """
        if self.crossed is not None:
            self.crossed.update(batch)
        for part in self._cut(batch):
            self._update(part)

    @torch.no_grad()
    def calibrate(self, batch: Batch) -> None:
        """Add a batch of the training split to the calibration of the choices that are calibrated.

        Args:
            batch: Frame features with their labels.
        """
        choices = [choice for choice in self._choices() if choice.calibrated]
        needed = {name for choice in choices for name in choice.needed}
        for part in self._cut(batch):
            seen = {codec.name: self._code(part, codec)[1] for codec, _ in self._pairs() if codec.name in needed}
            for choice in choices:
                choice.update(seen)

    def finish_calibration(self) -> None:
        """Finish the calibration of the choices: add up the sums of all processes (a collective call)."""
        for choice in self._choices():
            if choice.calibrated:
                choice.offsets = synced(choice)

    def _cut(self, batch: Batch) -> Iterator[Batch]:
        points = max(len(codec.points) for codec, _ in self._pairs())
        values = fitting(batch.features.device, VALUE_BYTES, MOST_VALUES, 16 * MOST_VALUES)
        step = max(1, values // (points * batch.features[0].numel()))
        for begin in range(0, len(batch.lengths), step):
            part = batch.part(begin, begin + step)
            yield part._replace(features=part.features[:, : int(part.lengths.max())])

    def _pairs(self) -> Iterator[tuple[Codec, CodecSums]]:
        for codec, sums in zip(self.codecs, self.sums, strict=True):
            yield cast(Codec, codec), cast(CodecSums, sums)

    def _choices(self) -> list[CodebookChoice]:
        return [cast(CodebookChoice, choice) for choice in self.choices]

    def _update(self, batch: Batch) -> None:
        blocks = self.blocks.assign(batch.speakers, batch.utterances)
        cells = [self._cells(batch, None, self.blocks)]
        cells += [self._cells(batch, strata, strata.blocks or self.blocks) for strata in self.strata]
        cells += [self._cells(batch, None, self.clusters)] if self.clusters is not None else []
        seen: dict[str, Observation] = {}
        for codec, sums in self._pairs():
            coded, found = self._code(batch, codec)
            sums.update(found, cells)
            sums.count(batch, coded, blocks)
            seen[codec.name] = found
        for choice, part in zip(self._choices(), self.choice_sums, strict=True):
            chosen = choice.observe(seen)
            cast(MeasureSums, part).update(chosen, cells)
            seen[choice.name] = chosen
        if self.methods is not None:
            self.methods.update(seen, batch.speakers)

    def ways(self) -> list[Way]:
        """Return the methods that the sweep can compare: every codec with the classifier, and every choice."""
        labels = () if self.classifier is None else self.classifier.labels
        found = [Way(codec.name, tuple(codec.points), labels) for codec, _ in self._pairs()]
        return found + [Way(choice.name, choice.points, choice.emotions) for choice in self._choices()]

    @torch.no_grad()
    def decide(self, batch: Batch, methods: Methods) -> None:
        """Count the decisions of all methods on a batch, as of the validation split; nothing else is measured.

        Args:
            batch: Frame features with their labels.
            methods: Counts of the decisions; changed in place.
        """
        for part in self._cut(batch):
            seen = {codec.name: self._code(part, codec)[1] for codec, _ in self._pairs()}
            methods.update(seen | {choice.name: choice.observe(seen) for choice in self._choices()}, part.speakers)

    def _code(self, batch: Batch, codec: Codec) -> tuple[Coded, Observation]:
        coded, extra = codec.count(batch)
        expected = (len(codec.points), *batch.features.shape)
        if tuple(coded.features.shape) != expected:
            raise ValueError(f"codec {codec.name!r} gave features {tuple(coded.features.shape)}, expected {expected}")
        with full_float32(batch.features.device):
            return coded, observed(batch, codec, coded, extra, self.classifier, self.coded_bits)

    def _cells(self, batch: Batch, strata: Strata | None, blocks: Blocks) -> Tensor:
        block = blocks.assign(batch.speakers, batch.utterances)
        part = torch.zeros_like(block) if strata is None else strata.assign(batch)
        cells = (part * blocks.number + block) * len(self.emotions) + batch.emotions
        return torch.where(part >= 0, cells, -1)

    def compute(self) -> list[Row]:
        """Return the rows of all figures; a collective call if several processes share the data.

        The sums of all processes are added up, the first process makes the rows, and all processes get them.

        Returns:
            Rows ordered by codec, stratum, operating point, metric and emotion.

        Raises:
            ValueError: No utterance was measured.
        """
        states = [
            (part, [tuple(state.cpu() for state in synced(cast(Metric, each))) for each in part.sums])
            for part in (*self.sums, *self.choice_sums)
        ]
        codes = [
            (synced(sums.distinct).cpu(), None if sums.codes is None else synced(sums.codes).cpu())
            for _, sums in self._pairs()
        ]
        return from_first(lambda: self._tabulate(states, codes))

    def _tabulate(
        self, states: list[tuple[nn.Module, list[tuple[Tensor, ...]]]], codes: list[tuple[Tensor, Tensor | None]]
    ) -> list[Row]:
        """Return the rows of the sums of all processes."""
        rows: list[Row] = []
        emotions = tuple(self.emotions)
        for (codec, sums), (_, state), (distinct, histogram) in zip(self._pairs(), states, codes, strict=False):
            subject = Subject(self.corpus, codec.name, tuple(codec.points), emotions)
            found, utterances = self._rows(subject, sums, state)
            rows += found + distinct_rows(subject, distinct, utterances)
            if histogram is not None:
                histogram = histogram.view(sums.points, sums.groups, len(emotions), *histogram.shape[1:])
                rows += code_rows(subject, histogram, utterances, self.blocks.kind)
        for choice, (part, state) in zip(self._choices(), states[len(self.codecs) :], strict=True):
            rows += self._rows(
                Subject(self.corpus, choice.name, choice.points, emotions), cast(MeasureSums, part), state
            )[0]
        return rows

    def _rows(self, subject: Subject, sums: MeasureSums, states: list[tuple[Tensor, ...]]) -> tuple[list[Row], Tensor]:
        """Return the rows of measures and the utterances of each emotion, ``(C,)``."""
        utterances = torch.zeros(len(self.emotions), dtype=torch.int64)
        jobs: list[Callable[[], list[Row]]] = []
        states = [*states]
        clusters = None if self.clusters is None else Clusters.of(states.pop(), self.clusters.number)
        for strata, (totals, counts) in zip([None, *self.strata], states, strict=True):
            names = ["all"] if strata is None else strata.names
            blocks = (strata.blocks if strata else None) or self.blocks
            shape = (len(names), blocks.number, len(self.emotions))
            totals, counts = totals.view(*shape, sums.points, -1), counts.view(shape)
            if strata is None:
                utterances = counts[0].sum(0)
                if int(utterances.sum()) == 0:
                    raise ValueError("no utterance was measured: the split or the limit on its batches is empty")
            sampling = Sampling(blocks.kind, self.replicates, self.seed)
            for name, part_sums, part_counts in zip(names, totals, counts, strict=True):
                if bool(part_counts.any()):
                    about = Part(name, strata.metrics if strata else None)
                    jobs.append(partial(measure_rows, subject, sums.measures, part_sums, part_counts, sampling, about))
        with ThreadPoolExecutor(min(len(jobs), len(os.sched_getaffinity(0)))) as pool:
            whole, *others = pool.map(lambda job: job(), jobs)
        found = whole if clusters is None else with_clusters(whole, sums.measures, clusters)
        return [*found, *(row for part in others for row in part)], utterances
