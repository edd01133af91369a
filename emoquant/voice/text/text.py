"""Front ends: from text to the phones that a synthesis model reads. A front end is named by a string.

``espeak:VOICE`` (IPA with stress, any language of espeak-ng), ``cmu`` (English ARPAbet without stress, from the
dictionary inside pocketsphinx) or ``dictionary:FILE`` (a pronouncing dictionary, such as one of MFA). ``words:`` before
any of them adds ``|`` between words that no pause divides. Every text is first made ready
(:func:`~emoquant.voice.text.written.spoken_text`). Every front end but ``dictionary:`` loads espeak-ng (GPLv3); ``cmu``
for words that its dictionary lacks, numbers and abbreviations.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from emoquant.audio.espeak import PAUSE, EspeakError
from emoquant.storage.files import read_text
from emoquant.voice.alignment.alignment import Alignment, Phones, Span, mark_words, timed_phones
from emoquant.voice.text.arpabet import arpabet_of
from emoquant.voice.text.decoder import load_decoder
from emoquant.voice.text.voices import choose_voice, spoken
from emoquant.voice.text.words import words_and_numbers, words_of
from emoquant.voice.text.written import spoken_text, without_abbreviations

_BREAK = re.compile(r"[,.;:!?…—](?!\d)|(?<!\d)[,.;:](?=\d)")

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
            ValueError: The text has nothing that could be spoken, a character that the voice cannot say, or a word
                without a known pronunciation; numbers have one in espeak-ng and ``cmu`` alone.
        """


class EspeakFrontEnd(FrontEnd):
    """IPA with stress marks, as espeak-ng speaks it: the symbols of the rendered corpus.

    Args:
        voice: Voice of espeak-ng, or a language that it speaks (``"en-us"``, ``"fr-fr"``, ``"pl"``, ``"cmn"``).

    Raises:
        RuntimeError: espeak-ng is not installed.
        ValueError: It has no such voice.
    """

    def __init__(self, voice: str = "en-us") -> None:
        self.voice, self.name = voice, f"espeak:{voice}"
        try:
            choose_voice(voice)
        except EspeakError as error:
            raise ValueError(f"front end {self.name!r}: {error}") from error

    def __call__(self, text: str) -> Phones:
        """Return the phones of a text; see the base class."""
        if not any(character.isalnum() for character in spoken_text(text)):
            raise ValueError(f"text {text!r} has nothing to speak; expected words")
        speech = spoken(text, self.voice)
        return timed_phones(Alignment(_spans(speech.phonemes), _spans(speech.words)))[0]


class LexiconFrontEnd(FrontEnd):
    """Phones by looking words up; punctuation becomes a pause."""

    def __call__(self, text: str) -> Phones:
        """Return the phones of a text; see the base class."""
        groups: list[tuple[str, list[str]]] = []
        written, last = self.prepare(spoken_text(text)), 0
        for found in [*_BREAK.finditer(written), None]:
            groups += [(word, self.pronounce(word)) for word in self.words(written[last : found and found.start()])]
            if found is not None:
                groups.append((PAUSE, [PAUSE]))
                last = found.end()
        spans: list[Span] = []
        words: list[Span] = []
        for word, phones in groups:
            if word != PAUSE:
                words.append(Span(word, float(len(spans)), float(len(spans) + len(phones))))
            spans += [Span(phone, float(at), float(at + 1)) for at, phone in enumerate(phones, len(spans))]
        if not words:
            raise ValueError(f"text {text!r} has nothing to speak; expected words")
        return timed_phones(Alignment(spans, words))[0]

    def prepare(self, text: str) -> str:
        """Return a text with what is written for other words in place of it; as it is by default."""
        return text

    def words(self, text: str) -> list[str]:
        """Return what is looked up, in lower case.

        Raises:
            ValueError: There is a character or a number that cannot be looked up.
        """
        return words_of(text)

    @abstractmethod
    def pronounce(self, word: str) -> list[str]:
        """Return the phones of a word in lower case.

        Raises:
            ValueError: It has no known pronunciation.
        """


class CmuFrontEnd(LexiconFrontEnd):
    """English ARPAbet without stress: the dictionary of pocketsphinx (134,000 words), others by way of espeak-ng.

    Numbers are others, too (``"$3.50"``, ``"21st"``); abbreviations before names are written out.

    Raises:
        ImportError: pocketsphinx is not installed.
    """

    name = "cmu"

    def __init__(self) -> None:
        self._decoder = load_decoder(lm=None)

    def prepare(self, text: str) -> str:
        """Return a text with its abbreviations written out."""
        return without_abbreviations(text)

    def words(self, text: str) -> list[str]:
        """Return words and numbers; see the base class."""
        return list(words_and_numbers(text))

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
        for number, line in enumerate(read_text(self.path).split("\n"), start=1):
            if not line.strip():
                continue
            word, *phones = line.split()
            kept = [phone for phone in phones if not re.fullmatch(r"[\d.]+", phone)]
            if not kept:
                raise ValueError(
                    f"{path}, line {number}: {word!r} has no phones; write them after it or remove the line"
                )
            self._entries.setdefault(unicodedata.normalize("NFC", word).lower(), kept)

    def pronounce(self, word: str) -> list[str]:
        """Return the phones of a word; see the base class."""
        if not self._entries.get(word):
            raise ValueError(f"{self.path}: no pronunciation of {word!r}; add a line with its phones")
        return self._entries[word]


class WordsFrontEnd(FrontEnd):
    """Another front end, with a symbol between words (:func:`~emoquant.voice.alignment.alignment.mark_words`).

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


def _spans(rows: Sequence[tuple[str, float, float]]) -> list[Span]:
    return [Span(*row) for row in rows]
