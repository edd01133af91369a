"""pocketsphinx: an aligner and a recogniser of English that bring their models along and need no network."""

import importlib.metadata
import importlib.util
import re
from typing import Any

import numpy as np
from torch import Tensor

from emoquant.voice.alignment.alignment import Alignment, Span
from emoquant.voice.text.decoder import load_decoder
from emoquant.voice.text.recognition import SAMPLE_RATE, Recognizer
from emoquant.voice.text.text import CmuFrontEnd
from emoquant.voice.text.words import words_of

#: Silence put before and after every utterance: without it the models lose the first and last word.
_MARGIN = 0.3

#: Frames a second of the models.
_FRAME_RATE = 100.0


class RecognitionError(RuntimeError):
    """An utterance in which the aligner does not find its text."""


def align_english(waveform: Tensor, text: str) -> Alignment:
    """Return when the phones (ARPAbet without stress) and words of an English text are spoken.

    Measured on rendered speech the error of word onsets has a median of 11 ms, a mean of 70 ms, and in one utterance of
    six nothing is found; :func:`emoquant.voice.alignment.warping.align_by_voice` always finds something.

    Args:
        waveform: Samples at 16 kHz, ``(N,)``.
        text: What is said; every word must be in the dictionary or be known to espeak-ng.

    Raises:
        ImportError: pocketsphinx is not installed.
        RecognitionError: The text does not fit the audio.
        ValueError: The text has no word, or a number in digits.
    """
    words = words_of(text)
    if not words:
        raise ValueError(f"text {text!r} has no word to align")
    decoder = load_decoder(lm=None)  # a new one each time: after a failure the old one keeps failing
    _add_missing(decoder, words)
    audio = _padded(waveform)
    decoder.set_align_text(" ".join(words))
    try:
        _decode(decoder, audio)
        found = None
        if decoder.hyp() is not None:
            decoder.set_alignment()
            _decode(decoder, audio)
            found = decoder.get_alignment()
    except RuntimeError as error:  # what pocketsphinx raises where its search ends early
        raise RecognitionError(f"text {text!r} is not found in the audio ({error}); is it the right file?") from error
    if found is None:
        raise RecognitionError(f"text {text!r} is not found in the audio; is it the right file?")
    seconds = len(waveform) / SAMPLE_RATE
    spans = [(word.name, [(phone.name, phone.start, phone.duration) for phone in word]) for word in found]
    phones = [_span(*phone, seconds) for _, phones in spans for phone in phones]
    named = [(re.sub(r"\(\d+\)$", "", name), phones) for name, phones in spans if not name.startswith("<")]
    whole = [Span(name, _at(phones[0][1], seconds), _at(sum(phones[-1][1:]), seconds)) for name, phones in named]
    kept = [phone for phone in phones if phone.end > phone.start]
    kept[0], kept[-1] = kept[0]._replace(start=0.0), kept[-1]._replace(end=seconds)
    return Alignment(kept, whole)


def align_unknown(waveform: Tensor) -> Alignment | None:
    """Return when phones and words of English speech of unknown text are spoken; None where nothing is understood.

    The words are those of the recogniser, which often errs, but phones of wrong words begin and end near the right
    places.

    Args:
        waveform: Samples at 16 kHz, ``(N,)``.

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    words = SphinxRecognizer()(waveform)
    try:
        return align_english(waveform, words) if words else None
    except RecognitionError:
        return None


def is_installed() -> bool:
    """Return whether pocketsphinx is installed."""
    return importlib.util.find_spec("pocketsphinx") is not None


class SphinxRecognizer(Recognizer):
    """Recognises English by the language model of pocketsphinx, which needs no download.

    Its error rate is high on rendered speech (0.6 to 0.8): compare rates of the same sentences, never quote one alone.

    Raises:
        ImportError: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        self._decoder = load_decoder()

    def __call__(self, waveform: Tensor, language: str | None = None) -> str:
        """Return the text that is heard in a clip; see the base class."""
        if language not in (None, "en"):
            raise ValueError(
                f"pocketsphinx recognises English, not {language!r}: use "
                "emoquant.voice.text.recognition.WhisperRecognizer (pip install -e '.[asr]')"
            )
        self._decoder.reinit_feat()  # else what it heard before shifts what it hears now
        _decode(self._decoder, _padded(waveform))
        heard = self._decoder.hyp()
        return "" if heard is None else " ".join(re.sub(r"\(\d+\)$", "", word) for word in heard.hypstr.split())

    def fingerprint(self) -> str:
        """Return the name of the package and its version; see the base class."""
        return f"pocketsphinx:{importlib.metadata.version('pocketsphinx')}"


def _add_missing(decoder: Any, words: list[str]) -> None:  # noqa: ANN401 - a class without types
    missing = [word for word in dict.fromkeys(words) if not decoder.lookup_word(word)]
    if missing:
        lexicon = CmuFrontEnd()
        for word in missing:
            decoder.add_word(word, " ".join(lexicon.pronounce(word)), update=True)


def _padded(waveform: Tensor) -> bytes:
    samples = (waveform.float().clamp(-1, 1) * 32767).round().cpu().numpy().astype(np.int16)
    margin = np.zeros(round(_MARGIN * SAMPLE_RATE), np.int16)
    return np.concatenate([margin, samples, margin]).tobytes()


def _decode(decoder: Any, audio: bytes) -> None:  # noqa: ANN401 - a class without types
    decoder.start_utt()
    decoder.process_raw(audio, full_utt=True)
    decoder.end_utt()


def _at(frame: int, seconds: float) -> float:
    return min(max(frame / _FRAME_RATE - _MARGIN, 0.0), seconds)


def _span(name: str, start: int, duration: int, seconds: float) -> Span:
    return Span(name, _at(start, seconds), _at(start + duration, seconds))
