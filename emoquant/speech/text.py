"""Front ends: from text to the phones that a synthesis model reads. A front end is named by a string.

``espeak:VOICE`` (IPA with stress, any language of espeak-ng), ``cmu`` (English ARPAbet without stress, from the
dictionary inside pocketsphinx) or ``dictionary:FILE`` (a pronouncing dictionary, such as one of MFA). ``words:`` before
any of them adds ``|`` between words that no pause divides.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from emoquant.speech.alignment import Alignment, Phones, Span, mark_words, timed_phones
from emoquant.speech.arpabet import arpabet_of
from emoquant.speech.decoder import load_decoder
from emoquant.speech.espeak import PAUSE, Espeak, Speech

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_HEARD = re.compile(rf"{_WORD.pattern}|\d+")
_FIGURES = re.compile(r"\w*\d\w*")
_BREAK = re.compile(r"[,.;:!?…—]")

#: Kind of the front ends that mark words.
_WORDS = "words"


class FrontEnd(ABC):
    """Turns text into phones.

    Attributes:
        name: The string that :func:`front_end` makes it from.
    """

    name: str

    @abstractmethod
    def __call__(self, text: str) -> Phones:
        """Return the phones of a text.

        Raises:
            ValueError: The text has nothing that could be spoken, or a word has no known pronunciation; of a number
                only espeak-ng knows one.
        """


class EspeakFrontEnd(FrontEnd):
    """IPA with stress marks, as espeak-ng speaks it: the symbols of the rendered corpus.

    Args:
        voice: Voice of espeak-ng (``"en-us"``, ``"pl"``, ``"cmn"``).

    Raises:
        RuntimeError: espeak-ng is not installed.
    """

    def __init__(self, voice: str = "en-us") -> None:
        self.voice, self.name = voice, f"espeak:{voice}"

    def __call__(self, text: str) -> Phones:
        """Return the phones of a text; see the base class."""
        if not _WORD.search(text) and not any(character.isalnum() for character in text):
            raise ValueError(f"text {text!r} has nothing to speak; expected words")
        speech = spoken(text, self.voice)
        return timed_phones(Alignment(_spans(speech.phonemes), _spans(speech.words)))[0]


class LexiconFrontEnd(FrontEnd):
    """Phones by looking words up; punctuation becomes a pause."""

    def __call__(self, text: str) -> Phones:
        """Return the phones of a text; see the base class."""
        groups: list[tuple[str, list[str]]] = []
        for part in re.split(f"({_BREAK.pattern})", text):
            if _BREAK.fullmatch(part):
                groups.append((PAUSE, [PAUSE]))
            groups += [(word, self.pronounce(word)) for word in words_of(part)]
        spans: list[Span] = []
        words: list[Span] = []
        for word, phones in groups:
            if word != PAUSE:
                words.append(Span(word, float(len(spans)), float(len(spans) + len(phones))))
            spans += [Span(phone, float(at), float(at + 1)) for at, phone in enumerate(phones, len(spans))]
        if not words:
            raise ValueError(f"text {text!r} has nothing to speak; expected words")
        return timed_phones(Alignment(spans, words))[0]

    @abstractmethod
    def pronounce(self, word: str) -> list[str]:
        """Return the phones of a word in lower case.

        Raises:
            ValueError: It has no known pronunciation.
        """


class CmuFrontEnd(LexiconFrontEnd):
    """English ARPAbet without stress: the dictionary of pocketsphinx (134,000 words), others by way of espeak-ng.

    Raises:
        ImportError: pocketsphinx is not installed.
    """

    name = "cmu"

    def __init__(self) -> None:
        self._decoder = load_decoder(lm=None)

    def pronounce(self, word: str) -> list[str]:
        """Return the phones of a word; see the base class."""
        found = self._decoder.lookup_word(word)
        if found:
            return str(found).split()
        return arpabet_of([label for label, _, _ in spoken(word, "en-us").phonemes if label != PAUSE])


class DictionaryFrontEnd(LexiconFrontEnd):
    """Phones by a dictionary file: a word, probabilities that are skipped, and phones on a line (MFA's format).

    Of a word with several pronunciations the first is taken.

    Args:
        path: The dictionary.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A word has no phones; the message names the line.
    """

    def __init__(self, path: str) -> None:
        self.path, self.name = Path(path), f"dictionary:{path}"
        if not self.path.is_file():
            raise FileNotFoundError(f"{path}: no such dictionary; expected lines of a word and its phones")
        self._entries: dict[str, list[str]] = {}
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            word, *phones = line.split()
            kept = [phone for phone in phones if not re.fullmatch(r"[\d.]+", phone)]
            if not kept:
                raise ValueError(
                    f"{path}, line {number}: {word!r} has no phones; write them after it or remove the line"
                )
            self._entries.setdefault(word.lower(), kept)

    def pronounce(self, word: str) -> list[str]:
        """Return the phones of a word; see the base class."""
        if not self._entries.get(word):
            raise ValueError(f"{self.path}: no pronunciation of {word!r}; add a line with its phones")
        return self._entries[word]


class WordsFrontEnd(FrontEnd):
    """Another front end, with a symbol between words (:func:`~emoquant.speech.alignment.mark_words`).

    Args:
        inner: The other one.
    """

    def __init__(self, inner: FrontEnd) -> None:
        self.inner, self.name = inner, f"{_WORDS}:{inner.name}"

    def __call__(self, text: str) -> Phones:
        """Return the phones of a text; see the base class."""
        return mark_words(self.inner(text))[0]


def spoken_front_end(name: str) -> str:
    """Return the name of a front end without the marks between words.

    Example:
        >>> spoken_front_end("words:espeak:pl"), spoken_front_end("cmu")
        ('espeak:pl', 'cmu')
    """
    return name.removeprefix(f"{_WORDS}:")


def front_end(name: str) -> FrontEnd:
    """Return the front end of a name (see the top of this file).

    Raises:
        ValueError: There is none of this name.
        ImportError: A package that it needs is not installed.

    Example:
        >>> front_end("espeak:en-us")("Hi!").symbols
        ['<BOS>', 'h', 'ˈaɪ', '<EOS>']
    """
    kind, _, rest = name.partition(":")
    if kind == _WORDS and not rest.startswith(_WORDS):
        return WordsFrontEnd(front_end(rest))
    if kind == "espeak" and rest:
        return EspeakFrontEnd(rest)
    if kind == "dictionary" and rest:
        return DictionaryFrontEnd(rest)
    if name == "cmu":
        return CmuFrontEnd()
    raise ValueError(f"front end {name!r}: expected espeak:VOICE, cmu or dictionary:FILE, after words: or not")


def encode_phones(symbols: Sequence[str], phones: Sequence[str]) -> Tensor:
    """Return symbols as 1 + index into a model's phones, ``(L,)`` int64.

    Raises:
        ValueError: A symbol is unknown to the model.

    Example:
        >>> encode_phones(["b", "a"], ["a", "b"]).tolist()
        [2, 1]
    """
    number = {phone: index + 1 for index, phone in enumerate(phones)}
    if unknown := sorted(set(symbols) - set(number)):
        raise ValueError(
            f"phones {unknown} were never heard in training; the model knows {list(phones)}: choose other words or "
            "the front end that the model was trained with"
        )
    return torch.tensor([number[symbol] for symbol in symbols])


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation.

    Raises:
        ValueError: There is a digit, of which nobody can say how it is spoken.

    Example:
        >>> words_of("It's eleven, isn’t it?")
        ["it's", 'eleven', "isn't", 'it']
    """
    if figures := _FIGURES.findall(text):
        raise ValueError(f"text {text!r} has {', '.join(figures)}: write numbers as words, as they are spoken")
    return [word.replace("\u2019", "'").lower() for word in _WORD.findall(text)]


def words_heard(text: str) -> list[str]:
    """Return the words of a recogniser's text like :func:`words_of`, but with figures, which count as words.

    Example:
        >>> words_heard("At 11, isn’t it?")
        ['at', '11', "isn't", 'it']
    """
    return [word.replace("\u2019", "'").lower() for word in _HEARD.findall(text)]


def spoken(text: str, voice: str, rate: int = 170) -> Speech:
    """Return a text as espeak-ng speaks it, with the times of its phones and words.

    Args:
        text: What is said.
        voice: Voice of espeak-ng.
        rate: Words a minute.

    Raises:
        RuntimeError: espeak-ng is not installed or has no such voice.
    """
    return _engine().speak(text, voice, rate, pitch=50, range=50, volume=100)


@lru_cache(maxsize=1)
def _engine() -> Espeak:
    # One for the process: the library has a single callback, which a second engine would take away from the first.
    return Espeak()


def _spans(rows: Sequence[tuple[str, float, float]]) -> list[Span]:
    return [Span(*row) for row in rows]
