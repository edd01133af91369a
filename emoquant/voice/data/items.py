"""One utterance as a synthesis model reads it, and what must hold of it."""

from typing import NamedTuple

import numpy as np

from emoquant.audio.loading import read_audio
from emoquant.audio.mel import MelSettings
from emoquant.audio.pitch import melody
from emoquant.data.base import Utterance
from emoquant.voice.alignment.alignment import Phones, frame_durations, mark_words, timed_phones
from emoquant.voice.data.aligners import Aligner


class VoiceItem(NamedTuple):
    """An utterance of ``L`` phones and ``T`` mel frames.

    Attributes:
        symbols: Phones, from ``"<BOS>"`` to ``"<EOS>"``, ``L`` of them.
        words: Word of each phone: 1, 2, ... without gaps, never falling, ``(L,)`` int64.
        durations: Frames of each phone, ``(L,)`` int64; they sum to ``T``.
        mels: Logarithmic mel spectrogram, ``(T, M)`` float16.
        f0: Hz, interpolated through unvoiced frames, ``(T,)`` float32.
        voiced: ``(T,)`` bool.
    """

    symbols: list[str]
    words: np.ndarray
    durations: np.ndarray
    mels: np.ndarray
    f0: np.ndarray
    voiced: np.ndarray


class Analysis(NamedTuple):
    """How utterances are analysed.

    Attributes:
        mel: Mel settings.
        f0_floor: Lowest F0 in Hz.
        f0_ceiling: Highest F0 in Hz.
    """

    mel: MelSettings = MelSettings()
    f0_floor: float = 60.0
    f0_ceiling: float = 750.0


def make_item(utterance: Utterance, aligner: Aligner, analysis: Analysis) -> VoiceItem:
    """Return the item of an utterance.

    Raises:
        AudioError: The audio cannot be used.
        FileNotFoundError: It is not there.
        ValueError: The text is missing, the alignment fails or does not fit the audio, or an invariant is broken.
    """
    if not utterance.text.strip():
        raise ValueError("it has no text; synthesis needs the words that are said")
    mel = analysis.mel
    phones, borders = timed_phones(aligner.align(utterance, read_audio(utterance.path, utterance.start, utterance.end)))
    waveform = read_audio(utterance.path, utterance.start, utterance.end, mel.sample_rate)
    mels = mel(waveform[None])[0]
    track = melody(waveform, mel, analysis.f0_floor, analysis.f0_ceiling)
    item = VoiceItem(
        symbols=phones.symbols,
        words=np.array(phones.words, np.int64),
        durations=np.array(frame_durations(borders, mel.frame_rate, len(mels)), np.int64),
        mels=mels.numpy().astype(np.float16),
        f0=track.f0.numpy(),
        voiced=track.voiced.numpy(),
    )
    check_item(item)
    return item


def with_boundaries(item: VoiceItem) -> VoiceItem:
    """Return an item with a symbol of no length between words that no pause divides."""
    phones, places = mark_words(Phones(list(item.symbols), item.words.tolist()))
    durations = np.zeros(len(phones.symbols), np.int64)
    durations[places] = item.durations
    return item._replace(symbols=phones.symbols, words=np.array(phones.words, np.int64), durations=durations)


def check_item(item: VoiceItem) -> None:
    """Check the invariants of an item.

    Raises:
        ValueError: One is broken; the message says which.
    """
    phones, frames = len(item.symbols), len(item.mels)
    problems = {
        "phones, words and durations differ in number": not phones == len(item.words) == len(item.durations),
        "durations do not sum to the mel frames": int(item.durations.sum()) != frames or (item.durations < 0).any(),
        "F0 and mel differ in frames": not frames == len(item.f0) == len(item.voiced),
        "words do not count 1, 2, ... without gaps": item.words[0] != 1
        or not np.isin(np.diff(item.words), (0, 1)).all(),
        "a value is NaN or infinite": not (np.isfinite(item.mels).all() and np.isfinite(item.f0).all()),
        "no frame is voiced": not item.voiced.any(),
        "F0 is not positive": not (item.f0 > 0).all(),
    }
    if broken := [problem for problem, found in problems.items() if found]:
        raise ValueError("; ".join(broken))
