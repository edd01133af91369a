"""What a sweep measures: each measure is a few sums per utterance, and figures made from sums of these.

A measure never sees more than one batch and keeps nothing, so a sweep needs the same memory for ten utterances and for
a million, and every figure can be made again from any resampled blocks of utterances.
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
    """What a batch gives to every measure: ``O`` operating points of ``B`` utterances of ``C`` emotions.

    Attributes:
        before: Utterance vectors, ``(B, D)`` float32.
        after: Utterance vectors after coding, ``(O, B, D)`` float32.
        emotions: Emotion of each utterance, ``(B,)`` int64.
        votes: Annotators' shares, ``(B, C)``; all zero where nobody voted.
        frames: Frames of each utterance, ``(B,)`` int64.
        squared_error: Summed over an utterance's frames, ``(O, B)`` float64.
        cosines: Cosines of the frames, summed, ``(O, B)`` float64.
        bits: Estimated bits of each utterance, ``(O, B)`` float64.
        skips: SKIP codes of each utterance, ``(O, B)`` int64.
        logits: Of the classifier, ``(O, B, L)``; ``L`` is 0 without one.
        logits_before: Of the classifier before coding, ``(B, L)``.
        coded: Bits that a coder wrote of each utterance, ``(O, B)`` float64; None where none wrote any.
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
    """Sums per utterance and the figures they make.

    Attributes:
        width: Sums per utterance, ``M``; by convention the last one counts the utterances that the measure is about.
        classifier: Name of the classifier whose logits it reads, for the rows; empty for one that reads none.
    """

    width: int
    classifier: str = ""

    @abstractmethod
    def sums(self, seen: Observation) -> Tensor:
        """Return what is summed over utterances, ``(O, B, M)`` float64."""

    def reads(self, metrics: Collection[str]) -> list[int]:
        """Return which of its sums the figures of these metrics read; all where a measure says nothing else."""
        return list(range(self.width))

    @abstractmethod
    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return figures of sums over the utterances of each emotion.

        Args:
            sums: The sums, ``(..., O, C, M)`` float64.
            metrics: Metrics that are wanted; all if None.
        """


class Rate(Measure):
    """Estimated bits a frame, bits a frame of a coder and share of SKIP codes, all over all frames of an emotion.

    Args:
        positions: Codes of a frame ``P``; 0 for a codec without codes, which has no skip rate.
        coded: Whether the bits are also those that a coder wrote.
        frame_rate: Frames a second, for bits a second; None to leave these out.
        extra: Names of other ways of counting bits (:attr:`emoquant.codecs.Codec.extra`), which need a frame rate.
    """

    def __init__(
        self, positions: int, coded: bool = False, frame_rate: float | None = None, extra: Sequence[str] = ()
    ) -> None:
        self.positions, self.coded, self.frame_rate = positions, coded, frame_rate
        self.extra = tuple(extra) if frame_rate is not None else ()
        self.width = 5 + len(self.extra)

    def sums(self, seen: Observation) -> Tensor:
        """Return bits by other ways of counting, estimated bits, coded bits, SKIP codes, frames, utterances."""
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
    """Similarity of utterances (mean over utterances), of frames and distortion (mean over all frames)."""

    width = 5

    def sums(self, seen: Observation) -> Tensor:
        """Return utterance cosines, frame cosines, squared error, frames, utterances."""
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
    """Where utterances move: similarity to every centroid, attraction in degrees, and drifts with their null.

    The drift to neutral is there where neutral is among the emotions, the drift to the all-SKIP reconstruction where
    the codec has one; it is undefined (NaN) where that is the zero vector, and the share of the distance to it that is
    left takes its place. ``null_drift_to_neutral`` is what a displacement of equal length in a random direction gives,
    ``excess_drift_to_neutral`` the drift beyond it.

    A drift compares a target with the own emotion, so whatever costs an utterance its own emotion (a collapse onto the
    mean of all emotions, say) shows as a drift to neutral, too. ``preference_for_neutral`` tells these apart: the gain
    in similarity to neutral minus the mean gain in similarity to the emotions that are neither neutral nor the
    utterance's own. Being lost to no emotion in particular gives 0; it needs three emotions, and is 0 for neutral.

    Args:
        emotions: Names of the emotions.
        references: Their centroids and the training mean.
        skip_vector: What all-SKIP decodes to, ``(D,)``; None for a codec without codes.
        pairs: Pairs of opposite random directions behind the null.
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
        """Return one value for each of the measure's metrics, then 1."""
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
        """Return the sums of these metrics and the count."""
        return [*(place for place, metric in enumerate(self.metrics) if metric in metrics), self.width - 1]

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the mean of each metric over utterances."""
        counts, ratios = sums[..., -1], Ratios(metrics)
        for metric, total in zip(self.metrics, sums.unbind(-1), strict=False):
            ratios.add(metric, total, counts, counts)
        return ratios.found


def gain_over_others(gains: Tensor, own: Tensor, target: int) -> Tensor:
    """Return the gain for a target minus the mean gain for the emotions that are neither it nor the own one.

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
