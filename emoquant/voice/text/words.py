"""The words of a text."""

import re
import unicodedata
from collections.abc import Iterator

from emoquant.voice.text.written import SYMBOLS, character_name, spoken_text

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_HEARD = re.compile(rf"{_WORD.pattern}|\d+")
_FIGURES = re.compile(r"\w*\d\w*")
#: A number as it is written, with its currency, its unit or the ending of an ordinal.
_NUMBER = re.compile(r"[$€£]?\d[\d.,:]*(?<![.,:])(?:%|st|nd|rd|th)?\b%?|\w*\d\w*|&")
#: Categories of characters that are no letters and have no sound of their own: symbols, emoji, unassigned ones.
_UNSPOKEN = ("Sc", "Sk", "Sm", "So", "Co", "Cn", "Cs")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation.

    Raises:
        ValueError: There is a digit or a symbol, of which nobody can say how it is spoken.

    Example:
        >>> words_of("It's eleven, isn’t it?")
        ["it's", 'eleven', "isn't", 'it']
    """
    text = spoken_text(text)
    if figures := _FIGURES.findall(text):
        raise ValueError(f"text {text!r} has {', '.join(figures)}: write numbers as words, as they are spoken")
    if signs := [each for each in dict.fromkeys(text) if each in SYMBOLS or unicodedata.category(each) in _UNSPOKEN]:
        raise ValueError(
            f"text {text!r} has {', '.join(map(character_name, signs))}: write it as a word, or leave it out"
        )
    return [word.replace("\u2019", "'").lower() for word in _WORD.findall(text)]


def words_heard(text: str) -> list[str]:
    """Return the words of a recogniser's text like :func:`words_of`, but with figures, which count as words.

    Example:
        >>> words_heard("At 11, isn’t it?")
        ['at', '11', "isn't", 'it']
    """
    return [word.replace("\u2019", "'").lower() for word in _HEARD.findall(text)]


def words_and_numbers(text: str) -> Iterator[str]:
    """Yield the words of a text like :func:`words_of`, with numbers as they are written in their places."""
    last = 0
    for found in [*_NUMBER.finditer(text), None]:
        yield from words_of(text[last : found and found.start()])
        if found is not None:
            yield found[0].lower()
            last = found.end()
