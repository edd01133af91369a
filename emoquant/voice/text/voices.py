"""Texts as a voice of espeak-ng (GPLv3, loaded by whoever asks) speaks them, and characters that it cannot say."""

import re
import unicodedata
from functools import lru_cache

from emoquant.audio.espeak import Espeak, Speech
from emoquant.voice.text.written import SYMBOLS, character_name, foreign_letters, spoken_text

#: Phones of which the name of a letter has at least so many, where it is spelled out.
_NAME_LENGTH = 4


def spoken(text: str, voice: str, rate: int = 170) -> Speech:
    """Return a text as espeak-ng speaks it, with the times of its phones and words.

    Args:
        text: What is said.
        voice: Voice of espeak-ng.
        rate: Words a minute.

    Raises:
        RuntimeError: espeak-ng is not installed or has no such voice.
        ValueError: The text has a character that the voice cannot say.
    """
    text = spoken_text(text)
    if unsaid := unsayable(text, voice):
        raise ValueError(
            f"text {text!r} has {', '.join(map(character_name, unsaid))}, which the voice {voice!r} cannot say; write "
            "it in the voice's language, leave it out, or choose another voice"
        )
    return _engine().speak(text, voice, rate, pitch=50, range=50, volume=100)


def unsayable(text: str, voice: str) -> list[str]:
    """Return the characters of a text that a voice of espeak-ng cannot say, or would spell out or call by name.

    Args:
        text: A text (:func:`~emoquant.voice.text.written.spoken_text`).
        voice: Voice of espeak-ng.
    """
    if text.isascii():
        return []
    engine = _engine()
    engine.choose(voice)
    found = foreign_letters(text, voice.partition("+")[0])
    for each in dict.fromkeys(text):
        kind = unicodedata.category(each)
        if each.isascii() or each in found or kind[0] in "ZPM" or kind == "Cf":
            continue
        name = _plain(engine.phonemes(each))
        spelled = unicodedata.name(each, "").startswith("LATIN") and len(name) >= _NAME_LENGTH
        if not name or (spelled and name in _plain(engine.phonemes(_word_with(each, text)))):
            found.append(each)
    return found


def _word_with(character: str, text: str) -> str:
    return next(word for word in text.split() if character in word).strip(SYMBOLS)


def _plain(phonemes: str) -> str:
    return re.sub(r"[\s\u02c8\u02cc\u02d0]", "", phonemes)  # marks of stress and length


def choose_voice(voice: str) -> None:
    """Take a voice of espeak-ng.

    Args:
        voice: Its name, or a language that it speaks.

    Raises:
        RuntimeError: espeak-ng is not installed or has no such voice.
    """
    _engine().choose(voice)


@lru_cache(maxsize=1)
def _engine() -> Espeak:
    # One for the process: the library has a single callback, which a second engine would take away from the first.
    return Espeak()
