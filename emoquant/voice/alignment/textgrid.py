"""Reads the TextGrids that the Montreal Forced Aligner and Praat write."""

import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from emoquant.storage.files import refuse_pointer
from emoquant.voice.alignment.alignment import SILENCES, Alignment, Span

#: What counts in a file of Praat: strings, flags and numbers that stand alone; ``xmin =`` and ``[1]`` are for people.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|<(exists|absent)>|(?<![^\s])([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)(?![^\s])')
#: Seconds below which two borders are one, written with different rounding.
_SAME = 1e-3


def read_textgrid(path: Path) -> Alignment:
    """Return the alignment in a TextGrid with the tiers ``phones`` and ``words`` (MFA may put a speaker before them).

    Silences may be written ``sil``, ``sp`` or as empty intervals (MFA from version 2 on). Stress digits
    of ARPAbet are kept. Intervals without length are left out; borders that differ by less than a millisecond are one.

    Args:
        path: The file, long or short format, UTF-8 or UTF-16.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no TextGrid, lacks a tier, or has intervals that overlap.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such TextGrid; run the aligner on this utterance")
    refuse_pointer(path)
    try:
        tiers = dict(_tiers(_tokens(_text(path))))
    except (StopIteration, RuntimeError, ValueError, TypeError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it ends too early"
        raise ValueError(f"{path}: not a TextGrid ({reason}); expected one with the tiers phones and words") from error
    found = {}
    for kind in ("phones", "words"):
        names = [name for name in tiers if name == kind or name.endswith(f" - {kind}")]
        if len(names) != 1:
            raise ValueError(f"{path}: expected one tier {kind!r}, the file has {list(tiers)}")
        try:
            found[kind] = _joined(tiers[names[0]])
        except ValueError as error:
            raise ValueError(f"{path}, tier {names[0]!r}: {error}") from None
    return Alignment(found["phones"], [word for word in found["words"] if word.label not in SILENCES])


def _text(path: Path) -> str:
    data = path.read_bytes()
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    return unicodedata.normalize("NFC", text)


def _tokens(text: str) -> Iterator[str | float]:
    for string, flag, number in _TOKEN.findall(text):
        if number:
            yield float(number)
        else:
            yield f"<{flag}>" if flag else string.replace('""', '"').strip()


def _tiers(tokens: Iterator[str | float]) -> Iterator[tuple[str, list[Span]]]:
    if (next(tokens), next(tokens)) != ("ooTextFile", "TextGrid"):
        raise ValueError('it does not begin with "ooTextFile" and "TextGrid"')
    _number(tokens), _number(tokens)
    if next(tokens) != "<exists>":
        return
    for _ in range(int(_number(tokens))):
        kind, name = next(tokens), next(tokens)
        end = (_number(tokens), _number(tokens))[1]
        points = kind == "TextTier"
        if not points and kind != "IntervalTier":
            raise ValueError(f"a tier of the kind {kind!r}")
        spans = []
        for _ in range(int(_number(tokens))):
            start = _number(tokens)
            spans.append(Span(_label(tokens), start, start) if points else _interval(tokens, start))
        if not points:
            yield str(name), [*spans, Span("", spans[-1].end if spans else 0.0, end)]


def _interval(tokens: Iterator[str | float], start: float) -> Span:
    end = _number(tokens)
    return Span(_label(tokens), start, end)


def _number(tokens: Iterator[str | float]) -> float:
    found = next(tokens)
    if not isinstance(found, float) or not math.isfinite(found):
        raise ValueError(f"{found!r} where a number is expected")
    return found


def _label(tokens: Iterator[str | float]) -> str:
    found = next(tokens)
    if not isinstance(found, str):
        raise ValueError(f"{found!r} where a label is expected")
    return found


def _joined(spans: list[Span]) -> list[Span]:
    """Return intervals without gap: small errors of rounding are mended, what is not covered is a silence."""
    found: list[Span] = []
    last = spans[0].start if spans else 0.0
    for label, start, end in spans:
        if start < last - _SAME:
            raise ValueError(f"the interval {label!r} begins at {start} s, before the one before it ends at {last} s")
        if start > last + _SAME:
            found.append(Span("", last, start))
            last = start
        if end > last + 1e-9 and end > start:
            found.append(Span(label, last, end))
            last = end
    if found and found[-1].label == "" and found[-1].end - found[-1].start < _SAME and len(found) > 1:
        found.pop()
    return found
