"""Measures of a sweep: each computes a few values per utterance, and figures from sums of these over utterances.

A measure works on one batch and keeps no state, so a sweep needs the same memory for ten utterances and for a million,
and the bootstrap can compute every figure again from resampled sums of blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.labels import canonical_emotion
from emoquant.metrics.drift import drift_towards, null_drift, random_directions, remaining_distance
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.references import References
from emoquant.metrics.similarity import cosine


class Observation(NamedTuple):
    """Hold what the measures need of a coded batch: ``O`` operating points, ``B`` utterances, ``C`` emotions.

    Attributes:
        before: Utterance vectors (time means of the frame features) before coding, ``(B, D)`` float32.
        after: Utterance vectors after coding, ``(O, B, D)`` float32.
        emotions: Emotion of each utterance, ``(B,)`` int64.
        votes: Share of the annotators' votes for each emotion, ``(B, C)``; all zero where nobody voted.
        frames: Frames of each utterance, ``(B,)`` int64.
        squared_error: Summed over an utterance's frames, ``(O, B)`` float64.
        cosines: Cosines of the frames, summed, ``(O, B)`` float64.
        bits: Estimated bits of each utterance, ``(O, B)`` float64.
        skips: SKIP codes of each utterance, ``(O, B)`` int64.
        logits: Logits of the classifier after coding, ``(O, B, L)``; ``L`` is 0 without a classifier.
        logits_before: Its logits before coding, ``(B, L)``.
        coded: Bits that an entropy coder wrote for each utterance, ``(O, B)`` float64; None if none was written.
        extra: Bits of each utterance by other ways of counting, ``(O, B, M)`` float64; None where there are none.
        dimensions: Annotators' ratings of arousal, valence and dominance, ``(B, 3)`` float64, NaN where there is none;
            None where the corpus has none.
    """

    before: Tensor
    after: Tensor
    emotions: Tensor
    votes: Tensor
    frames: Tensor
    squared_error: Tensor
    cosines: Tensor
    bits: Tensor
    skips: Tensor
    logits: Tensor
    logits_before: Tensor
    coded: Tensor | None = None
    extra: Tensor | None = None
    dimensions: Tensor | None = None


class Measure(ABC):
    """Base class of measures: values per utterance, and figures from their sums.

    Attributes:
        width: Values per utterance ``M``; the last one is 1 for utterances that count and 0 for others, by convention.
        classifier: Name of the classifier whose logits it reads, for the rows; empty for one that reads none.
    """

    width: int
    classifier: str = ""

    @abstractmethod
    def sums(self, seen: Observation) -> Tensor:
        """Return the values of each utterance that a sweep sums over utterances, ``(O, B, M)`` float64."""

    def reads(self, metrics: Collection[str]) -> list[int]:
        """Return the indices of the sums that the figures of these metrics are computed from; all by default."""
        return list(range(self.width))

    @abstractmethod
    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Compute the figures from sums over the utterances of each emotion.

        Args:
            sums: Sums for each operating point and emotion, ``(..., O, C, M)`` float64.
            metrics: Metrics that are wanted; all if None.
        """


class Rate(Measure):
    """Measure estimated bits a frame, coded bits a frame and the share of SKIP codes, over all frames of an emotion.

    Args:
        positions: Codes of a frame ``P``; 0 for a codec without codes, which has no skip rate.
        coded: Whether bits written by an entropy coder are measured, too.
        frame_rate: Frames a second; None leaves out bits a second.
        extra: Names of other ways of counting bits (:attr:`emoquant.codecs.Codec.extra`); they need a frame rate.
    """

    def __init__(
        self, positions: int, coded: bool = False, frame_rate: float | None = None, extra: Sequence[str] = ()
    ) -> None:
        self.positions, self.coded, self.frame_rate = positions, coded, frame_rate
        self.extra = tuple(extra) if frame_rate is not None else ()
        self.width = 5 + len(self.extra)

    def sums(self, seen: Observation) -> Tensor:
        """Return bits counted in other ways, estimated bits, coded bits, SKIP codes, frames, 1 for the utterance."""
        frames = seen.frames.expand(seen.bits.shape)
        coded = seen.bits if seen.coded is None else seen.coded.to(seen.bits)
        columns = torch.stack([seen.bits, coded, seen.skips, frames, torch.ones_like(seen.bits)], dim=-1)
        return torch.cat([seen.extra, columns], dim=-1) if self.extra and seen.extra is not None else columns

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return bits per frame, bits per second and skip rate."""
        *extra, bits, coded, skips, frames, counts = sums.unbind(-1)
        ratios = Ratios(metrics)
        ratios.add("bits_per_frame", bits, frames, counts)
        if self.frame_rate is not None:
            seconds = frames / self.frame_rate
            ratios.add("bits_per_second", bits, seconds, counts)
            for name, spent in zip(self.extra, extra, strict=True):
                ratios.add(f"{name}_bits_per_second", spent, seconds, counts)
        if self.coded:
            ratios.add("coded_bits_per_frame", coded, frames, counts)
        if self.positions:
            ratios.add("skip_rate", skips, frames * self.positions, counts)
        return ratios.found


class Fidelity(Measure):
    """Measure utterance similarity (mean over utterances), frame similarity and distortion (means over all frames)."""

    width = 5

    def sums(self, seen: Observation) -> Tensor:
        """Return utterance cosine, sum of frame cosines, squared error, frames, and 1 to count the utterance."""
        similarity = cosine(seen.before, seen.after)
        frames = seen.frames.expand(similarity.shape)
        return torch.stack([similarity, seen.cosines, seen.squared_error, frames, torch.ones_like(similarity)], dim=-1)

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return utterance similarity, frame similarity and distortion."""
        similarity, cosines, error, frames, counts = sums.unbind(-1)
        ratios = Ratios(metrics)
        ratios.add("utterance_similarity", similarity, counts, counts)
        ratios.add("frame_similarity", cosines, frames, counts)
        ratios.add("distortion", error, frames, counts)
        return ratios.found


class Direction(Measure):
    """Measure the direction in which coding moves utterances.

    - ``similarity_to/E``, ``attraction/E``: cosine with the centroid of E; change of the angle to it in degrees.
    - ``drift_to_T`` and ``distance_to_T`` (:func:`drift_towards`, :func:`remaining_distance`), T being ``neutral``, if
      it is an emotion of the corpus, the training ``mean``, and ``skip``, the all-SKIP reconstruction, if the codec
      has one. The drift to a zero vector is NaN; the distance to it is defined.
    - ``null_drift_to_neutral``: mean drift of displacements of equal length in random directions;
      ``excess_drift_to_neutral``: drift to neutral minus that.
    - ``preference_for_neutral``: gain in similarity to neutral minus the mean gain in similarity to the emotions that
      are neither neutral nor the utterance's own (with three emotions or more; 0 for neutral utterances).

    Any loss of the own emotion raises a drift to neutral, as a collapse onto the mean of all emotions does. The
    preference is 0 if an utterance moves to no emotion in particular.

    Args:
        emotions: Names of the emotions.
        references: Their centroids and the training mean.
        skip_vector: What all-SKIP decodes to, ``(D,)``; None for a codec without codes.
        pairs: Pairs of opposite random directions for the null drift.
        seed: Seed of the random directions.
    """

    def __init__(
        self,
        emotions: Sequence[str],
        references: References,
        skip_vector: Tensor | None = None,
        pairs: int = 32,
        seed: int = 0,
    ) -> None:
        self.emotions = list(emotions)
        self.centroids = references.centroids
        self.directions = random_directions(references.mean.shape[0], pairs, seed)
        names = [canonical_emotion(emotion) for emotion in emotions]
        targets: dict[str, Tensor] = {}
        if "neutral" in names:
            targets["neutral"] = references.centroids[names.index("neutral")]
        targets["mean"] = references.mean
        if skip_vector is not None:
            targets["skip"] = skip_vector.detach().double().to(references.mean.device)
        self.targets = targets
        self.metrics = [
            *(f"similarity_to/{emotion}" for emotion in self.emotions),
            *(f"attraction/{emotion}" for emotion in self.emotions),
            *(f"drift_to_{target}" for target in targets),
            *(f"distance_to_{target}" for target in targets),
            *(("null_drift_to_neutral", "excess_drift_to_neutral") if "neutral" in targets else ()),
            *(("preference_for_neutral",) if "neutral" in targets and len(names) > 2 else ()),
        ]
        self.neutral = names.index("neutral") if "neutral" in names else -1
        self.width = len(self.metrics) + 1

    def sums(self, seen: Observation) -> Tensor:
        """Return the value of each metric, and 1 to count the utterance."""
        device = seen.before.device
        centroids = self.centroids.to(device)
        targets = {name: target.to(device) for name, target in self.targets.items()}
        before, after = seen.before.double(), seen.after.double()
        own = centroids[seen.emotions]
        similarities = cosine(after[..., None, :], centroids)  # (O, B, C)
        former = cosine(before[:, None, :], centroids)  # (B, C)
        turned = torch.rad2deg(similarities.arccos() - former.arccos())
        drifts = {name: drift_towards(before, after, own, target) for name, target in targets.items()}
        columns = [
            *drifts.values(),
            *(remaining_distance(before, after, target) for target in targets.values()),
        ]
        if "neutral" in targets:
            null = null_drift(before, after, own, targets["neutral"], self.directions.to(device))
            columns += [null, drifts["neutral"] - null]
        if "preference_for_neutral" in self.metrics:
            columns.append(gain_over_others(similarities - former, seen.emotions, self.neutral))
        columns.append(torch.ones_like(columns[0]))
        return torch.cat([similarities, turned, torch.stack(columns, dim=-1)], dim=-1)

    def reads(self, metrics: Collection[str]) -> list[int]:
        """Return the indices of the sums of these metrics and of the count; see :meth:`Measure.reads`."""
        return [*(place for place, metric in enumerate(self.metrics) if metric in metrics), self.width - 1]

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the mean of each metric over utterances."""
        counts, ratios = sums[..., -1], Ratios(metrics)
        for metric, total in zip(self.metrics, sums.unbind(-1), strict=False):
            ratios.add(metric, total, counts, counts)
        return ratios.found


def gain_over_others(gains: Tensor, own: Tensor, target: int) -> Tensor:
    """Return the gain for a target emotion minus the mean gain for the emotions that are neither it nor the own one.

    Args:
        gains: Gain in similarity to each emotion's centroid, ``(..., B, C)`` with at least three emotions.
        own: Emotion of each utterance, ``(B,)`` int64.
        target: Index of the target's emotion.

    Returns:
        Difference per utterance, ``(..., B)``; 0 for utterances of the target's own emotion.

    Example:
        >>> gain_over_others(torch.tensor([[-0.5, 0.3, 0.1, 0.1]]), torch.tensor([0]), target=1)
        tensor([0.2000])
    """
    emotions = torch.arange(gains.shape[-1], device=gains.device)
    others = (emotions != target) & (emotions != own[:, None])  # (B, C)
    mean = (gains * others).sum(-1) / others.sum(-1)
    return torch.where(own == target, 0.0, gains[..., target] - mean)
