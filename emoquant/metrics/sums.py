"""Sums over a split for one codec, in tensors of fixed shape."""

import warnings
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from emoquant.codecs.base import Codec
from emoquant.devices.ranks import world_size
from emoquant.metrics.distinct import DistinctOutputs, output_hashes
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.rate import CodeHistogram
from emoquant.types import Batch, Coded

#: Groups of utterances whose codes are counted apart for the intervals of perplexity and usage: at most so many, and
#: fewer where the counts would take more than so many cells (64 MiB).
CODE_GROUPS, MOST_CODE_CELLS = 16, 2**23


class BlockSums(Metric):
    """Sum values over the utterances of each cell (part, block and emotion); processes add up the sums exactly.

    Args:
        cells: Number of cells: parts times blocks times emotions.
        points: Operating points ``O``.
        width: Sums per utterance ``M``.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, cells: int, points: int, width: int) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(cells, points, width, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(cells, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, cells: Tensor, values: Tensor) -> None:
        """Add the values of utterances to the sums of their cells.

        Args:
            cells: Cell of each utterance, ``(B,)`` int64; -1 for an utterance that is left out.
            values: Values of each utterance, ``(O, B, M)`` float64.
        """
        kept = cells >= 0
        cells = cells[kept]
        self.sums.index_add_(0, cells, values[:, kept].movedim(0, 1))
        self.counts.index_add_(0, cells, torch.ones_like(cells))

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return the sums ``(cells, O, M)`` and the number of utterances ``(cells,)`` of each cell."""
        return self.sums, self.counts


class MeasureSums(nn.Module):
    """Sum the values of several measures over each partition of a split.

    Args:
        points: Operating points ``O``.
        emotions: Number of emotions ``C``.
        measures: The measures; their values lie side by side on the last axis.
        parts: For each partition of the split its number of parts and the blocks of each part.
    """

    def __init__(
        self, points: int, emotions: int, measures: Sequence[Measure], parts: Sequence[tuple[int, int]]
    ) -> None:
        super().__init__()
        self.points, self.emotions, self.measures = points, emotions, list(measures)
        width = sum(measure.width for measure in measures)
        self.sums = nn.ModuleList(BlockSums(strata * blocks * emotions, points, width) for strata, blocks in parts)

    def update(self, seen: Observation, cells: Sequence[Tensor]) -> None:
        """Add the values of a batch to the sums.

        Args:
            seen: Observation of the batch.
            cells: For each partition of the split the cell of each utterance, ``(B,)`` int64.
        """
        values = torch.cat([measure.sums(seen) for measure in self.measures], dim=-1)
        for part, cell in zip(self.sums, cells, strict=True):
            cast(BlockSums, part).update(cell, values)


class CodecSums(MeasureSums):
    """Collect all sums of one codec: values of its measures, different outputs, histograms of codes.

    Args:
        codec: The codec; only its sizes are read.
        emotions: Number of emotions ``C``.
        measures: The measures.
        parts: As in :class:`MeasureSums`.
        distinct_bound: Number of different outputs up to which their count is exact.
    """

    def __init__(
        self,
        codec: Codec,
        emotions: int,
        measures: Sequence[Measure],
        parts: Sequence[tuple[int, int]],
        distinct_bound: int = 1024,
    ) -> None:
        points = len(codec.points)
        super().__init__(points, emotions, measures, parts)
        self.distinct = DistinctOutputs(points * emotions, distinct_bound)
        cells = points * emotions * codec.positions * (codec.codewords + 1)
        self.groups = min(CODE_GROUPS, max(4, MOST_CODE_CELLS // max(1, cells)))
        self.codes: CodeHistogram | None = None
        if codec.positions:
            self.codes = CodeHistogram(codec.positions, codec.codewords, points * self.groups * emotions)

    def count(self, batch: Batch, coded: Coded, blocks: Tensor) -> None:
        """Count the codes of a batch and its different outputs.

        Args:
            batch: The batch before coding.
            coded: Its codes and reconstruction.
            blocks: Block of each utterance, ``(B,)`` int64.
        """
        point = torch.arange(self.points, device=batch.emotions.device)[:, None]
        hashes = output_hashes(coded.codes, coded.features, batch.lengths)  # (O, B)
        mine = batch.emotions == torch.arange(self.emotions, device=hashes.device)[:, None]  # (C, B)
        self.distinct.update(torch.where(mine, hashes[:, None, :], 2**62).flatten(0, 1))
        if self.codes is not None:
            kind = (point * self.groups + blocks % self.groups) * self.emotions + batch.emotions  # (O, B)
            self.codes.update(coded.codes, kind)


def synced(metric: Metric) -> Any:  # noqa: ANN401 - a tensor or a tuple of tensors
    """Return a metric's states, added up over processes, without torchmetrics' warning for processes without data.

    The tensors may be the metric's own and must not be changed.
    """
    if world_size() == 1:
        return type(metric).compute(metric)  # that of an instance copies them, which may be 100 MB
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``compute`` method of metric")
        return metric.compute()
