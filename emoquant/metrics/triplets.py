"""Triplet accuracy: whether the similarity of vectors depends more on emotion than on text and speaker.

An anchor is compared with a *positive* of the same emotion and a *negative* of another emotion. The negative has the
anchor's text and speaker; the positive differs in text, speaker or both:

===========  ============================  =======================
kind         positive                      negative
===========  ============================  =======================
``text``     other text, same speaker      same text, same speaker
``speaker``  same text, other speaker      same text, same speaker
``both``     other text and other speaker  same text, same speaker
===========  ============================  =======================

The accuracy is the share of triplets in which the positive is nearer by cosine, ties counting one half. 0.5 is chance;
below it text or speaker weigh more than emotion.
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from emoquant.metrics.clustered import Clusters, with_clusters
from emoquant.metrics.intervals import Blocks
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.similarity import utterance_vectors
from emoquant.metrics.spaces import metric_in
from emoquant.metrics.tabulate import Sampling, Subject, measure_rows
from emoquant.storage.results import Row
from emoquant.types import Batch

#: What the negative shares with the anchor and the positive does not.
KINDS = ("text", "speaker", "both")
#: Name of the measure in the rows.
TRIPLETS = "triplet_accuracy"
#: Utterances that are compared at most, evenly spaced.
MOST = 4096


class Crossed(NamedTuple):
    """Hold utterance vectors with the emotion, speaker and text of each (a crossed design of these factors).

    Attributes:
        vectors: Utterance vectors, ``(N, D)``.
        emotions: Emotion of each, ``(N,)`` int64.
        speakers: Speaker of each, ``(N,)`` int64.
        texts: Text of each, ``(N,)`` int64; -1 where unknown.
        rows: Row of each in its split, ``(N,)`` int64.
    """

    vectors: Tensor
    emotions: Tensor
    speakers: Tensor
    texts: Tensor
    rows: Tensor


class CrossedVectors(Metric):
    """Collect the unquantized vectors of a split: of at most 4,096 utterances, evenly spaced over its rows.

    Args:
        emotions: Emotion of each utterance of the split, ``(N,)`` int64.
        speakers: Speaker of each, ``(N,)`` int64.
        texts: Text of each, ``N`` of them; empty where unknown.
        dim: Feature dimensions ``D``.
    """

    full_state_update = False
    vectors: Tensor
    seen: Tensor

    def __init__(self, emotions: Sequence[int], speakers: Sequence[int], texts: Sequence[str], dim: int) -> None:
        super().__init__()
        rows = torch.from_numpy(np.unique(np.linspace(0, len(texts) - 1, MOST).astype(np.int64)))
        known = {text: index for index, text in enumerate(sorted({*texts} - {""}))} | {"": -1}
        spoken = torch.tensor([known[text] for text in texts])
        of_emotions, of_speakers = (torch.as_tensor(each).long()[rows] for each in (emotions, speakers))
        self._labels = Crossed(torch.zeros(0), of_emotions, of_speakers, spoken[rows], rows)
        self._slots = torch.full((len(texts),), -1)
        self._slots[rows] = torch.arange(len(rows))
        self.add_state("vectors", torch.zeros(len(rows), dim), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros(len(rows), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, batch: Batch) -> None:
        """Collect the vectors of a batch of the split."""
        slots = self._slots[batch.utterances.cpu()].to(batch.features.device)
        kept = slots >= 0
        self.vectors[slots[kept]] = utterance_vectors(batch.features, batch.lengths)[kept]
        self.seen[slots[kept]] = 1

    def compute(self) -> Crossed:
        """Return the collected utterances of all processes."""
        there, labels = self.seen.cpu() > 0, self._labels
        known = (each[there] for each in (labels.emotions, labels.speakers, labels.texts, labels.rows))
        return Crossed(self.vectors.cpu()[there], *known)


def triplet_shares(crossed: Crossed) -> NDArray[np.float64]:
    """Return the triplet accuracy of each anchor and kind, ``(N, 3)``; NaN for an anchor without such a triplet.

    Args:
        crossed: The utterances; each is an anchor once. Utterances without a known text are no anchors.
    """
    vectors = torch.nn.functional.normalize(crossed.vectors.double(), dim=-1).cpu().numpy()
    emotions, speakers, texts = (each.cpu().numpy() for each in crossed[1:4])
    found = np.full((len(vectors), len(KINDS)), np.nan)
    for anchor in np.flatnonzero(texts >= 0):
        emotion, text, voice = (each == each[anchor] for each in (emotions, texts, speakers))
        negative = ~emotion & text & voice
        if not negative.any():
            continue
        other = ~text & (texts >= 0)
        positives = (emotion & other & voice, emotion & text & ~voice, emotion & other & ~voice)
        cosines = vectors @ vectors[anchor]
        wrong = np.sort(cosines[negative])
        for kind, positive in enumerate(positives):
            right = cosines[positive]
            if len(right):
                below, upto = (np.searchsorted(wrong, right, side) for side in ("left", "right"))
                found[anchor, kind] = (below + upto).mean() / 2 / len(wrong)
    return found


class TripletMeans(Measure):
    """Average :func:`triplet_shares` over anchors; only :meth:`figures` is usable, as triplets span batches.

    Args:
        space: Name of the vectors' space; empty for the features themselves.
    """

    width = 2 * len(KINDS)

    def __init__(self, space: str = "") -> None:
        self.names = [metric_in(f"{TRIPLETS}/{kind}", space) for kind in KINDS]

    def sums(self, seen: Observation) -> Tensor:
        """Raise an error, as the utterances of a triplet may lie in different batches.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("triplets are of a whole split: call triplet_rows")

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the triplet accuracy of each kind."""
        ratios = Ratios(metrics)
        for kind, name in enumerate(self.names):
            ratios.add(name, sums[..., kind], sums[..., kind + len(KINDS)], sums[..., kind + len(KINDS)])
        return ratios.found


def triplet_rows(
    crossed: Crossed,
    subject: Subject,
    blocks: Blocks,
    sampling: Sampling,
    clusters: Blocks | None = None,
    space: str = "",
) -> list[Row]:
    """Return the rows of triplet accuracy of a split's unquantized vectors; kinds without a triplet have none.

    Args:
        crossed: The utterances.
        subject: Corpus and emotions.
        blocks: Blocks that the intervals resample.
        sampling: Settings of the bootstrap.
        clusters: Blocks of speakers for the intervals clustered by speaker; None leaves these out.
        space: Name of the vectors' space; empty for the features themselves.
    """
    shares = torch.from_numpy(triplet_shares(crossed))
    known = shares.isfinite()
    if not bool(known.any()):
        return []
    values = torch.cat([shares.nan_to_num(0.0), known.double()], -1)
    measures = [TripletMeans(space)]
    subject = subject._replace(codec="none", points=(math.nan,))
    rows = measure_rows(subject, measures, *_summed(crossed, values, blocks, len(subject.emotions)), sampling)
    if clusters is not None:
        rows = with_clusters(rows, measures, Clusters(*_summed(crossed, values, clusters, len(subject.emotions))))
    return [row for row in rows if row.n]


def _summed(crossed: Crossed, values: Tensor, blocks: Blocks, emotions: int) -> tuple[Tensor, Tensor]:
    """Return the sums ``(G, C, 1, M)`` of values of utterances by block, and the utterances ``(G, C)``."""
    cells = blocks.assign(crossed.speakers, crossed.rows) * emotions + crossed.emotions
    sums = torch.zeros(blocks.number * emotions, values.shape[1], dtype=torch.float64).index_add_(0, cells, values)
    counts = torch.zeros(len(sums), dtype=torch.int64).index_add_(0, cells, torch.ones_like(cells))
    return sums.view(blocks.number, emotions, 1, -1), counts.view(blocks.number, emotions)
