"""Trimming of utterances to their speech, by level."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from emoquant.audio.loading import AudioError, read_audio
from emoquant.audio.trimming import require_threshold, speech_span
from emoquant.data.base import Utterance
from emoquant.data.table import UtteranceTable

_RATE = 16_000
#: Threads that read audio.
_THREADS = 4


def cut_to_speech(utterances: Sequence[Utterance], trim: float | None) -> UtteranceTable:
    """Return the utterances with start and end set to where their speech begins and ends.

    Every recording is read, in about 3 ms. An utterance with a given start and end is cut within these. Recordings that
    cannot be read are returned unchanged; reading their samples later raises the error. Features of cut and of whole
    recordings are stored separately, as start and end are part of their key.

    Args:
        utterances: The utterances.
        trim: Threshold of speech in dB below the loudest 20 ms (:func:`~emoquant.audio.trimming.speech_span`); None to
            cut nothing.

    Raises:
        FileNotFoundError: A file is gone.
        ValueError: The threshold is not positive.
    """
    table = UtteranceTable.of(utterances)
    if trim is None:
        return table
    require_threshold(trim)
    with ThreadPoolExecutor(_THREADS) as pool:
        times = list(pool.map(lambda utterance: _times(utterance, trim), table))
    return table.with_times(np.array(times, np.float64).reshape(-1, 2))


def _times(utterance: Utterance, trim: float) -> tuple[float, float | None]:
    try:
        samples = read_audio(utterance.path, utterance.start, utterance.end, _RATE).numpy()
    except AudioError:
        return utterance.start, utterance.end
    start, end = speech_span(samples, _RATE, trim)
    last = utterance.end if end == len(samples) else round(utterance.start + end / _RATE, 6)
    return round(utterance.start + start / _RATE, 6), last
