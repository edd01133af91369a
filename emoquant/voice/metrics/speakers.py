"""Comparisons of the voices of clips with recordings of every speaker, of which the equal error rate is taken."""

import json
from collections.abc import Sequence

import torch

from emoquant.metrics.verification import Trials
from emoquant.voice.clips import Clip


def is_compared(clip: Clip) -> bool:
    """Return whether a clip was compared with its own speaker and another one.

    Raises:
        ValueError: Its ``speakers_heard`` is no JSON of numbers by speaker.
    """
    heard = _heard(clip)
    return len(heard) > 1 and clip.speaker in heard


def comparisons(clips: Sequence[Clip]) -> Trials:
    """Return the comparisons of clips with every speaker; of at least one clip that :func:`is_compared`.

    Args:
        clips: The clips.

    Raises:
        ValueError: A clip's ``speakers_heard`` is no JSON of numbers by speaker.
    """
    found = [
        (score, speaker == clip.speaker, row)
        for row, clip in enumerate(clips)
        for speaker, score in _heard(clip).items()
    ]
    scores, own, rows = zip(*found, strict=True)
    return Trials(torch.tensor(scores, dtype=torch.float64), torch.tensor(own), torch.tensor(rows))


def _heard(clip: Clip) -> dict[str, float]:
    if not clip.speakers_heard:
        return {}
    try:
        return {str(speaker): float(score) for speaker, score in json.loads(clip.speakers_heard).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"clip {clip.file}: speakers_heard is {clip.speakers_heard[:80]!r}, expected JSON of a cosine by speaker"
        ) from error
