"""Errors of words and letters of a recognised text."""

from typing import Any, NamedTuple

from emoquant.voice.text.words import words_heard, words_of


class Errors(NamedTuple):
    """Errors and the length of the reference that they are counted against."""

    errors: int
    length: int


def word_errors(preds: str, target: str) -> Errors:
    """Return substitutions, insertions and deletions of words, at most as many as the target has words.

    The bound is for recognisers that repeat a word for ever where they understand nothing.

    Args:
        preds: Text that was heard; case and punctuation do not count.
        target: What was said; case and punctuation do not count.

    Raises:
        ImportError: jiwer is not installed.
        ValueError: The target has no word, or a number in digits.

    Example:
        >>> word_errors("the goat", "The boat came.")
        Errors(errors=2, length=3)
        >>> word_errors("no no no no no", "Yes.")
        Errors(errors=1, length=1)
    """
    words, heard = _words(preds, target)
    if not heard:
        return Errors(len(words), len(words))
    found = _jiwer().process_words(" ".join(words), " ".join(heard))
    return _bounded(found, len(words))


def character_errors(preds: str, target: str) -> Errors:
    """Return errors of letters, spaces between words included; see :func:`word_errors`.

    Example:
        >>> character_errors("the goat", "The boat.")
        Errors(errors=1, length=8)
    """
    words, heard = _words(preds, target)
    text = " ".join(words)
    if not heard:
        return Errors(len(text), len(text))
    return _bounded(_jiwer().process_characters(text, " ".join(heard)), len(text))


def _words(preds: str, target: str) -> tuple[list[str], list[str]]:
    """Return the words of the target and those that were heard."""
    words = words_of(target)
    if not words:
        raise ValueError(f"text {target!r} has no word to compare with")
    return words, words_heard(preds)


def _bounded(found: Any, length: int) -> Errors:  # noqa: ANN401 (a class without types)
    return Errors(min(found.substitutions + found.insertions + found.deletions, length), length)


def _jiwer():  # type: ignore[no-untyped-def]  # noqa: ANN202 (a module without types)
    try:
        import jiwer
    except ImportError as error:
        raise ImportError(f"word errors need jiwer ({error}); install it: pip install -e '.[speech]'") from error
    return jiwer
