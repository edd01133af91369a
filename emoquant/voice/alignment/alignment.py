"""Which phone is spoken when, and how many mel frames that is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emoquant.audio.espeak import PAUSE

#: Silence before and after an utterance; every utterance has both, if need be with no frame.
BEGIN, END = "<BOS>", "<EOS>"

#: Stands between two words that follow each other without a pause, where a model asks for it; it has no length.
BOUNDARY = "|"

#: Labels that aligners give to silence; MFA from version 2 on leaves it empty.
SILENCES = frozenset({"", PAUSE, "sil", "SIL", "sp", "SP", "<sil>", "<eps>", "<s>", "</s>", "pau"})


class Span(NamedTuple):
    """A label with its start and end in seconds."""

    label: str
    start: float
    end: float


class Alignment(NamedTuple):
    """When the phones and words of an utterance are spoken.

    Attributes:
        phones: Phones and silences, in order, each beginning where the one before ends.
        words: Words in order, without silences.
    """

    phones: Sequence[Span]
    words: Sequence[Span]


class Phones(NamedTuple):
    """The phones of an utterance as a model reads them.

    Attributes:
        symbols: :data:`BEGIN`, phones and pauses (``"_"``), :data:`END`.
        words: Word of each symbol: 1, 2, ... without gaps, never falling; a silence is a word of its own.
    """

    symbols: list[str]
    words: list[int]


def timed_phones(alignment: Alignment) -> tuple[Phones, list[float]]:
    """Return the phones of an alignment and the borders between them in seconds.

    Silences that follow each other are one; those at the ends become :data:`BEGIN` and :data:`END`, which are added
    with no length where an utterance starts or ends with a phone. A phone belongs to the last word that began before
    or with it.

    Returns:
        Phones, ``S`` symbols, and their ``S + 1`` borders.

    Raises:
        ValueError: There is no phone, one has a bracket (a mark of another language, ``(en)``), or a span ends before
            it starts or leaves a gap to the next.

    Example:
        >>> spans = [Span("", 0.0, 0.1), Span("h", 0.1, 0.2), Span("aɪ", 0.2, 0.5)]
        >>> timed_phones(Alignment(spans, [Span("hi", 0.1, 0.5)]))
        (Phones(symbols=['<BOS>', 'h', 'aɪ', '<EOS>'], words=[1, 2, 2, 3]), [0.0, 0.1, 0.2, 0.5, 0.5])
    """
    spans = _merged(alignment.phones)
    if spans[0].label != PAUSE:
        spans.insert(0, Span(PAUSE, spans[0].start, spans[0].start))
    if spans[-1].label != PAUSE:
        spans.append(Span(PAUSE, spans[-1].end, spans[-1].end))
    symbols = [BEGIN, *(span.label for span in spans[1:-1]), END]
    starts = np.array([word.start for word in alignment.words])
    of_word = np.searchsorted(starts, [span.start + 1e-4 for span in spans], side="right")
    words, previous = [0], ""
    for span, word in zip(spans, of_word, strict=True):
        current = PAUSE if span.label == PAUSE else str(word)
        words.append(words[-1] + (current != previous))
        previous = current
    return Phones(symbols, words[1:]), [*(span.start for span in spans), spans[-1].end]


def mark_words(phones: Phones) -> tuple[Phones, list[int]]:
    """Return phones with :data:`BOUNDARY` between words that no pause divides, and the new place of each old symbol.

    A boundary belongs to the word before it.

    Example:
        >>> mark_words(Phones(["<BOS>", "h", "aɪ", "j", "uː", "<EOS>"], [1, 2, 2, 3, 3, 4]))
        (Phones(symbols=['<BOS>', 'h', 'aɪ', '|', 'j', 'uː', '<EOS>'], words=[1, 2, 2, 2, 3, 3, 4]), [0, 1, 2, 4, 5, 6])
    """
    symbols: list[str] = []
    words: list[int] = []
    places = []
    silent = {BEGIN, END, PAUSE}
    for symbol, word in zip(phones.symbols, phones.words, strict=True):
        if words and word != words[-1] and not silent & {symbol, symbols[-1]}:
            symbols.append(BOUNDARY)
            words.append(words[-1])
        places.append(len(symbols))
        symbols.append(symbol)
        words.append(word)
    return Phones(symbols, words), places


def frame_durations(borders: Sequence[float], frame_rate: float, frames: int) -> list[int]:
    """Return the frames of each phone; they sum to ``frames``.

    Borders are rounded, never durations, so that errors do not add up; the last border is the end of the spectrogram.

    Args:
        borders: Starts of the phones and the end of the last, in seconds.
        frame_rate: Frames a second.
        frames: Frames of the spectrogram.

    Raises:
        ValueError: The phones end more than 0.1 s from the end of the spectrogram.

    Example:
        >>> frame_durations([0.0, 0.25, 0.5, 1.0], 10.0, 11)
        [2, 3, 6]
    """
    last = (frames - 1) / frame_rate
    if abs(borders[-1] - last) > 0.1:
        raise ValueError(
            f"the alignment ends at {borders[-1]:.3f} s, the audio at {last:.3f} s; was it made from this file?"
        )
    edges = np.clip(np.rint(np.array(borders) * frame_rate).astype(np.int64), 0, frames)
    edges[0], edges[-1] = 0, frames
    return [int(count) for count in np.diff(edges)]


def segments_of_frames(segments: Sequence[int], durations: Sequence[int]) -> np.ndarray:
    """Return the segment of every frame, ``(T,)`` int64, renumbered to 1, 2, ... over the segments that have frames.

    Args:
        segments: Segment number of each phone, never falling.
        durations: Frames of each phone.

    Example:
        >>> segments_of_frames([1, 2, 3], [2, 0, 3]).tolist()
        [1, 1, 2, 2, 2]
    """
    spread = np.repeat(np.asarray(segments, np.int64), durations)
    return 1 + np.concatenate([[0], np.cumsum(np.diff(spread) != 0)]) if len(spread) else spread


def _merged(phones: Sequence[Span]) -> list[Span]:
    """Return spans whose silences are called :data:`PAUSE` and stand alone."""
    merged: list[Span] = []
    for label, start, end in phones:
        name = PAUSE if label in SILENCES else label
        if end < start or (merged and abs(merged[-1].end - start) > 1e-3):
            raise ValueError(f"phone {label!r} lies at {start} to {end} s: spans must follow each other without gap")
        if "(" in name or ")" in name:
            raise ValueError(f"phone {label!r} is a mark, not a sound: phones have no brackets")
        if merged and name == PAUSE == merged[-1].label:
            merged[-1] = Span(PAUSE, merged[-1].start, end)
        else:
            merged.append(Span(name, start, end))
    if not any(span.label != PAUSE for span in merged):
        raise ValueError("the alignment has no phone, only silence")
    return merged
