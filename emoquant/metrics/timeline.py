"""A classifier's probabilities over time in one recording, before coding and at each operating point."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from emoquant.labels import canonical_emotion
from emoquant.metrics.by_classifier import Classifier
from emoquant.types import Coded

#: A last stretch shorter than this share of the others joins the one before it.
_SHORTEST = 0.5


class Moment(NamedTuple):
    """Hold the class probabilities of a segment of a recording at one operating point.

    Attributes:
        point: Operating point; NaN for features before coding.
        begin: Where it begins, in seconds.
        end: Where it ends, in seconds.
        whole: Whether the segment is the whole recording.
        bits_per_second: Rate; NaN before coding.
        emotion: The class of the largest probability, by its canonical name.
        probabilities: Probability of each class, by its canonical name.
    """

    point: float
    begin: float
    end: float
    whole: bool
    bits_per_second: float
    emotion: str
    probabilities: dict[str, float]


def moments(
    features: Tensor,
    coded: Coded | None,
    points: Sequence[float],
    classifier: Classifier,
    frame_rate: float,
    seconds: float = 1.0,
) -> Iterator[Moment]:
    """Yield a classifier's probabilities for a recording at each operating point: of the whole, then of segments.

    A segment is classified by the time mean of its frames, as the whole recording is.

    Args:
        features: Frame features before coding, ``(T, D)``.
        coded: The recording after coding, a batch of one; None yields only the probabilities before coding.
        points: Operating points of the coded features, ``O`` of them.
        classifier: Classifier of utterance vectors.
        frame_rate: Frames a second.
        seconds: Length of a segment.

    Raises:
        ValueError: A segment is shorter than a frame.
    """
    length = round(seconds * frame_rate)
    if length < 1:
        raise ValueError(f"seconds is {seconds}: a stretch holds no frame, of which there are {frame_rate:g} a second")
    spans = stretches(len(features), length)
    rows: list[tuple[float, Tensor, Tensor | None]] = [(math.nan, features, None)]
    if coded is not None:
        rows += [(p, coded.features[i, 0], coded.bits[i, 0]) for i, p in enumerate(points)]
    names = [canonical_emotion(label) for label in classifier.labels]
    for point, frames, bits in rows:
        for whole, (begin, end) in [(True, (0, len(features))), *((False, span) for span in spans)]:
            likely = classifier(frames[begin:end].mean(0, keepdim=True))[0].softmax(-1).tolist()
            rate = math.nan if bits is None else float(bits[begin:end].double().sum()) * frame_rate / (end - begin)
            found = dict(zip(names, likely, strict=True))
            chosen = max(found, key=lambda name: found[name])
            yield Moment(point, begin / frame_rate, end / frame_rate, whole, rate, chosen, found)


def stretches(frames: int, length: int) -> list[tuple[int, int]]:
    """Return first and last frame (exclusive) of segments of equal length; a short remainder joins the last one.

    Example:
        >>> stretches(120, 50), stretches(90, 50), stretches(10, 50)
        ([(0, 50), (50, 120)], [(0, 50), (50, 90)], [(0, 10)])
    """
    begins = list(range(0, frames, length))
    if len(begins) > 1 and frames - begins[-1] < _SHORTEST * length:
        begins.pop()
    return list(zip(begins, [*begins[1:], frames], strict=True))
