"""Parts of a split that are measured apart: by speaker, or by how far the annotators agree."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.metrics.intervals import Blocks
from emoquant.types import Batch

#: What is reported of each speaker.
SPEAKER_METRICS = (
    "recall",
    "utterance_similarity",
    "bits_per_frame",
    "drift_to_neutral",
    "drift_to_mean",
    "drift_to_skip",
    "excess_drift_to_neutral",
    "preference_for_neutral",
    "distance_to_neutral",
    "distance_to_mean",
    "distance_to_skip",
)


class Strata(ABC):
    """A partition of a split.

    Attributes:
        names: Name of each part, as in the ``stratum`` column of the rows.
        blocks: What the intervals of a part resample; those of the whole split if None.
        metrics: Metrics that are reported of the parts; all if None.
    """

    names: list[str]
    blocks: Blocks | None = None
    metrics: tuple[str, ...] | None = None

    @abstractmethod
    def assign(self, batch: Batch) -> Tensor:
        """Return the part of each utterance, ``(B,)`` int64; -1 for one that belongs to none."""


class BySpeaker(Strata):
    """One part for each speaker; intervals resample the speaker's utterances.

    Args:
        speakers: Names of the speakers, in the order of their indices.
        metrics: Metrics that are reported of each speaker, as many speakers make many rows.
    """

    def __init__(self, speakers: Sequence[str], metrics: Sequence[str] = SPEAKER_METRICS) -> None:
        self.metrics = tuple(metrics)
        self.names = [f"speaker={name}" for name in speakers]
        self.blocks = Blocks(number=32)

    def assign(self, batch: Batch) -> Tensor:
        """Return the speaker of each utterance."""
        return batch.speakers


class ByAgreement(Strata):
    """Parts by the largest share of votes that an utterance's emotions got; utterances without votes belong to none.

    Args:
        edges: Rising upper edges of the shares, in (0, 1]; ``[0.5, 0.75, 1.0]`` makes the parts up to one half, up to
            three quarters, and up to full agreement. Shares above the last edge belong to no part.

    Raises:
        ValueError: The edges do not rise or leave (0, 1].

    Example:
        >>> ByAgreement([0.5, 1.0]).names
        ['agreement<=0.5', '0.5<agreement<=1']
    """

    def __init__(self, edges: Sequence[float] = (0.5, 0.75, 0.999, 1.0)) -> None:
        if not edges or list(edges) != sorted(set(edges)) or edges[0] <= 0 or edges[-1] > 1:
            raise ValueError(f"edges must rise within (0, 1], got {list(edges)}")
        self.edges = torch.tensor(edges, dtype=torch.float64)
        lower = [f"{edge:g}<" for edge in edges[:-1]]
        self.names = [f"{low}agreement<={edge:g}" for low, edge in zip(["", *lower], edges, strict=True)]

    def assign(self, batch: Batch) -> Tensor:
        """Return the part of each utterance by its largest share of votes."""
        largest = batch.votes.amax(-1).double()
        part = torch.bucketize(largest - 1e-6, self.edges.to(largest.device))
        return torch.where((largest > 0) & (part < len(self.names)), part, -1)
