"""The transcripts of the Emotional Speech Dataset, which are of several encodings and separators, and corrections."""

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from emoquant.data.folders import read_text
from emoquant.storage.csv_files import read_csv

#: Names of the emotions in transcripts.
_EMOTIONS = {
    **{"angry": "angry", "生气": "angry", "愤怒": "angry"},
    **{"happy": "happy", "快乐": "happy", "开心": "happy", "高兴": "happy"},
    **{"neutral": "neutral", "中立": "neutral", "中性": "neutral"},
    **{"sad": "sad", "伤心": "sad", "难过": "sad", "悲伤": "sad"},
    **{"surprise": "surprise", "surprised": "surprise", "惊喜": "surprise", "惊讶": "surprise", "吃惊": "surprise"},
}
_CHINESE = "".join(name for name in _EMOTIONS if not name.isascii())
_SPACE = "\\s\u3000\ufeff"
_ID = re.compile(rf"[{_SPACE}]*(\d{{4}}_\d{{6}})(?:\.wav)?[{_SPACE},|:]*(.*?)[{_SPACE}]*", re.IGNORECASE)
#: A label behind a tab in any case; behind spaces or the end of a sentence as it is written, for "I am sad" is a text.
_LABEL = re.compile(
    rf"(.*?)(?:[{_SPACE}]*\t[{_SPACE}]*(\w+)|(?:[{_SPACE}]+|(?<=[。\uff1f\uff01.?!]))([A-Z][a-z]+|[{_CHINESE}]+))"
)


class Line(NamedTuple):
    """What a line of a transcript says.

    Attributes:
        text: What is said.
        emotion: Canonical name of the emotion; empty where it names none.
    """

    text: str
    emotion: str


def read_transcript(path: Path, encoding: str) -> dict[str, Line]:
    """Return what the transcript of a speaker says of each utterance, by its id.

    Args:
        path: The file, with lines of id, text and (most often) emotion, separated by tabs or spaces.
        encoding: What it is written in if it is neither UTF-8 nor UTF-16.

    Raises:
        ValueError: It has no such line, or two of one utterance that differ.
    """
    lines: dict[str, Line] = {}
    for number, text in enumerate(re.split(r"\r\n|\n|\r", read_text(path, encoding, _CHINESE)), start=1):
        match = _ID.fullmatch(text)
        if match is None:
            continue
        line = _labelled(match[2])
        if lines.setdefault(match[1], line) != line:
            raise ValueError(f"{path}, line {number}: {match[1]} has another text or emotion before; remove one line")
    if not lines:
        raise ValueError(f"{path}: no line like 0011_000001, text, emotion; save it as UTF-8")
    return lines


def _labelled(text: str) -> Line:
    match = _LABEL.fullmatch(text)
    name = (match[2] or match[3] or "").lower() if match else ""
    if match is None or name not in _EMOTIONS:
        return Line(text.strip(), "")
    return Line(match[1].strip(), _EMOTIONS[name])


def read_corrections(path: Path) -> dict[str, str]:
    """Return the texts of a file of corrections by id.

    Args:
        path: CSV file (UTF-8) with the columns ``id`` and ``text``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8, lacks a column, or an id is not like 0011_000001 or there twice.
    """
    texts: dict[str, str] = {}
    for line, row in read_csv(path, ("id", "text"), "file of corrections"):
        name, text = row["id"].strip(), unicodedata.normalize("NFC", row["text"].strip())
        if not re.fullmatch(r"\d{4}_\d{6}", name) or name in texts or not text:
            raise ValueError(f"{path}, line {line}: expected an id like 0011_000001, once, and its text")
        texts[name] = text
    return texts
