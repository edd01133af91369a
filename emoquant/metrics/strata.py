"""Strata: parts of a split that are measured separately, by speaker or by the agreement of the annotators."""

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
    """Divide the utterances of a split into parts.

    Attributes:
        names: Name of each part, as in the ``stratum`` column of the rows.
        blocks: Blocks that the intervals of a part resample; those of the whole split if None.
        metrics: Names of the metrics that are reported of the parts; all if None.
    """

    names: list[str]
    blocks: Blocks | None = None
    metrics: tuple[str, ...] | None = None

    @abstractmethod
    def assign(self, batch: Batch) -> Tensor:
        """Return the index of each utterance's part, ``(B,)`` int64; -1 for an utterance in no part."""


class BySpeaker(Strata):
    """Make one part of each speaker's utterances; intervals resample blocks of these.

    Args:
        speakers: Names of the speakers, in the order of their indices.
        metrics: Names of the metrics that are reported of each speaker; few, since many speakers make many rows.
    """

    def __init__(self, speakers: Sequence[str], metrics: Sequence[str] = SPEAKER_METRICS) -> None:
        self.metrics = tuple(metrics)
        self.names = [f"speaker={name}" for name in speakers]
        self.blocks = Blocks(number=32)

    def assign(self, batch: Batch) -> Tensor:
        """Return the index of each utterance's speaker, ``(B,)`` int64."""
        return batch.speakers


class ByAgreement(Strata):
    """Divide utterances by the share of the annotators' votes for the emotion with most votes.

    Utterances without votes are in no part.

    Args:
        edges: Increasing upper edges of the shares, in (0, 1]; ``[0.5, 0.75, 1.0]`` makes three parts: up to one half,
            up to three quarters, up to full agreement. Utterances with a share above the last edge are in no part.

    Raises:
        ValueError: The edges do not increase or are outside of (0, 1].

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
        """Return the index of each utterance's part, ``(B,)`` int64; -1 for an utterance in no part."""
        largest = batch.votes.amax(-1).double()
        part = torch.bucketize(largest - 1e-6, self.edges.to(largest.device))
        return torch.where((largest > 0) & (part < len(self.names)), part, -1)
