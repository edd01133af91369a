"""The evaluation of blends: what is heard of two emotions at once, of references or of codebooks."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.devices.ranks import gathered
from emoquant.encoders.base import EmotionHead
from emoquant.interfaces.access import data_of
from emoquant.interfaces.protocols import EmotionData
from emoquant.labels import opposite_emotions
from emoquant.metrics import Measure, SweepMetrics, utterance_vectors
from emoquant.metrics.blends import Blends, Thresholds, chance, fit_thresholds, truth_of
from emoquant.metrics.recognition import class_columns
from emoquant.storage.results import Row
from emoquant.tasks.evaluation import CodecEvaluationTask

#: Shares of the first emotion in the blends that thresholds are fitted on.
SHARES = (0.5, 0.7, 0.3)


class BlendTask(CodecEvaluationTask):
    """An evaluation that also measures presence and salience of two emotions (:mod:`emoquant.metrics.blends`).

    Blends are mixtures of two references (data with ``partners``; their weights are the truth), or what codebooks of
    two emotions make of single utterances (the shares of their training are). How a blend is heard in probabilities is
    decided on the validation split, before coding: utterances of one emotion, and weighted means of the vectors of two
    utterances of one speaker. Of single utterances, and of a :class:`Mixture` whose second weight is next to nothing,
    the one emotion is to be heard and no second. Beside them stands the accuracy of a guess.

    Args:
        codecs: The codecs, as :mod:`emoquant.codecs.specs` spells them.
        **settings: See :class:`CodecEvaluationTask`.
    """

    _thresholds: Thresholds | None = None
    _beside: list[Row]

    def __init__(self, codecs: list[dict[str, Any] | str | Codec], **settings: Any) -> None:  # noqa: ANN401
        super().__init__(codecs, **settings)
        self._beside = []

    def measures_of(self, codec: Codec) -> list[Measure]:
        """Return the measure of the blends that a codec makes, if it makes any."""
        data = data_of(self.trainer)
        if self._thresholds is None:
            self._thresholds = self._fitted(data)
        truth = truth_of(codec, data.emotions, _partners(data))
        head = self.classifier
        return [] if truth is None else [Blends(data.emotions, head.labels, truth, self._thresholds, head.name)]

    def extend(self, sweep: SweepMetrics, data: EmotionData) -> None:
        """Say what a guess would reach and how a blend is heard.

        Raises:
            ValueError: No codec makes a blend.
        """
        if not any(truth_of(cast(Codec, codec), data.emotions, _partners(data)) for codec in self.codecs[1:]):
            raise ValueError(
                "no codec makes a blend of two emotions: expected mixtures of two references and data with `partners`, "
                "or codebooks that were trained on two emotions"
            )
        assert self._thresholds is not None
        presence, salience = chance(len(data.emotions))
        figures = {"presence_chance": presence, "salience_chance": salience}
        figures |= {f"blend_threshold/{kind}": value for kind, value in self._thresholds._asdict().items()}
        name = self.classifier.name
        self._beside = [
            Row.known(data.name, "none", metric, value)._replace(classifier=name) for metric, value in figures.items()
        ]

    def on_test_epoch_end(self) -> None:
        """Add up what all processes measured."""
        super().on_test_epoch_end()
        self.rows += self._beside if self.rows else []

    def _fitted(self, data: EmotionData) -> Thresholds:
        """Return the thresholds that are best on validation data before coding; a collective call."""
        vectors, emotions, speakers = _validation_vectors(data, self.device)
        return thresholds_from(vectors, emotions, speakers, data.emotions, self.classifier, self.device)


def thresholds_from(
    vectors: Tensor,
    emotions: Tensor,
    speakers: Tensor,
    names: Sequence[str],
    classifier: EmotionHead,
    device: torch.device | str = "cpu",
) -> Thresholds:
    """Return how a blend is best heard: in utterances, and in weighted means of two of a speaker.

    Args:
        vectors: Time means of utterances, ``(N, D)`` on CPU, in a fixed order.
        emotions: Emotion of each, ``(N,)`` int64.
        speakers: Speaker of each, ``(N,)`` int64.
        names: Names of the emotions.
        classifier: The classifier.
        device: Device that it is on.
    """
    columns = class_columns(names, classifier.labels)
    items = [(torch.arange(len(vectors)), -torch.ones_like(emotions), 1.0)]
    others = torch.from_numpy(_others(emotions.numpy(), speakers.numpy(), len(names)))
    items += [(others, emotions[others], share) for share in SHARES]
    probabilities = []
    for rows, _, share in items:
        mixed = share * vectors + (1 - share) * vectors[rows]
        logits = classifier(mixed.to(device)).float().cpu()
        probabilities.append(logits[:, columns].double().softmax(-1))
    return fit_thresholds(probabilities, [(emotions, second, share) for _, second, share in items])


def require_two_emotions(emotions: Tensor, name: str) -> None:
    """Check that a validation split can say how a blend is heard.

    Args:
        emotions: Emotion of each of its utterances, ``(N,)``.
        name: Name of the data.

    Raises:
        ValueError: It has fewer than two emotions.
    """
    if len(emotions.unique()) < 2:
        raise ValueError(
            f"the validation split of {name} has no two emotions, on which it is decided how a blend is heard: "
            "split it otherwise"
        )


def _partners(data: EmotionData) -> Mapping[str, str] | None:
    """Return the emotion of the second reference by that of the first; None for single utterances."""
    found = getattr(data, "partners", None)
    return opposite_emotions(data.emotions) if found == "opposite" else found


def _validation_vectors(data: EmotionData, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the vectors ``(N, D)``, emotions and speakers ``(N,)`` of the validation split, in its order.

    Raises:
        ValueError: It has fewer than two emotions.
    """
    own: dict[int, tuple[Tensor, int, int]] = {}
    for batch in data.val_dataloader():
        moved = move_data_to_device(batch, device)
        vectors = utterance_vectors(moved.features, moved.lengths).cpu()
        for place, row in enumerate(batch.utterances.tolist()):
            own[row] = vectors[place], int(batch.emotions[place]), int(batch.speakers[place])
    found = {row: each for share in gathered(own) for row, each in share.items()}
    kept = [found[row] for row in sorted(found)]
    emotions = torch.tensor([emotion for _, emotion, _ in kept])
    require_two_emotions(emotions, data.name)
    return torch.stack([vector for vector, _, _ in kept]), emotions, torch.tensor([speaker for *_, speaker in kept])


def _others(emotions: np.ndarray, speakers: np.ndarray, count: int) -> np.ndarray:
    """Return for each utterance one of another emotion, emotions in turn, of the same speaker where there is one."""
    chosen = np.zeros(len(emotions), np.int64)
    for row, (emotion, speaker) in enumerate(zip(emotions, speakers, strict=True)):
        for step in range(count - 1):
            other = (emotion + 1 + (row + step) % (count - 1)) % count
            found = np.flatnonzero(emotions == other)
            if len(found):
                same = found[speakers[found] == speaker]
                place = same if len(same) else found
                chosen[row] = place[row % len(place)]
                break
    return chosen
