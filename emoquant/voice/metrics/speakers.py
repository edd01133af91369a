"""Comparisons of the voices of clips with recordings of every speaker, of which the equal error rate is taken."""

import json
from collections.abc import Sequence

import torch

from emoquant.metrics.verification import Trials
from emoquant.voice.clips import Clip


def comparisons(clips: Sequence[Clip]) -> Trials | None:
    """Return the comparisons of clips with every speaker; None where fewer than two speakers were compared.

    Args:
        clips: Clips; those whose speaker was not compared with others are left out.

    Raises:
        ValueError: A clip's ``speakers_heard`` is no JSON of numbers by speaker.
    """
    found = []
    for row, clip in enumerate(clips):
        heard = _heard(clip)
        if len(heard) > 1 and clip.speaker in heard:
            found += [(score, speaker == clip.speaker, row) for speaker, score in heard.items()]
    if not found:
        return None
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
