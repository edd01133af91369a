"""Errors of words and letters of a recognised text."""

from collections.abc import Sequence
from typing import NamedTuple

from emoquant.speech.text import words_of


class Errors(NamedTuple):
    """Errors and the length of the reference that they are counted against."""

    errors: int
    length: int


def word_errors(preds: Sequence[str], target: str) -> Errors:
    """Return substitutions, insertions and deletions of words.

    Args:
        preds: Words that were heard.
        target: What was said; case and punctuation do not count.

    Raises:
        ImportError: jiwer is not installed.
        ValueError: The target has no word, or a number in digits.

    Example:
        >>> word_errors(["the", "goat"], "The boat came.")
        Errors(errors=2, length=3)
    """
    words = words_of(target)
    if not words:
        raise ValueError(f"text {target!r} has no word to compare with")
    if not preds:
        return Errors(len(words), len(words))
    found = _jiwer().process_words(" ".join(words), " ".join(preds))
    return Errors(found.substitutions + found.insertions + found.deletions, len(words))


def character_errors(preds: Sequence[str], target: str) -> Errors:
    """Return errors of letters, spaces between words included; see :func:`word_errors`.

    Example:
        >>> character_errors(["the", "goat"], "The boat.")
        Errors(errors=1, length=8)
    """
    text = " ".join(words_of(target))
    if not text:
        raise ValueError(f"text {target!r} has no word to compare with")
    if not preds:
        return Errors(len(text), len(text))
    found = _jiwer().process_characters(text, " ".join(preds))
    return Errors(found.substitutions + found.insertions + found.deletions, len(text))


def _jiwer():  # type: ignore[no-untyped-def]  # noqa: ANN202 (a module without types)
    try:
        import jiwer
    except ImportError as error:
        raise ImportError(f"word errors need jiwer ({error}); install it: pip install 'emoquant[speech]'") from error
    return jiwer
