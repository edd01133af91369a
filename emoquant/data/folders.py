"""Helpers for folders of corpora: required folders, listings, checks of ids and counts, texts in old encodings."""

import logging
import os
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from emoquant.data.base import Utterance
from emoquant.data.table import UtteranceTable
from emoquant.storage.files import refuse_pointer

_log = logging.getLogger(__name__)


def required_folder(folder: Path, expected: str, source: str) -> Path:
    """Return a folder that a corpus must have, after checking that it exists.

    Args:
        folder: The folder.
        expected: Expected content of the folder, for the error message.
        source: Where to get the corpus, for the error message.

    Raises:
        FileNotFoundError: The folder does not exist.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected {expected}; {source}")
    return folder


def audio_files(folder: Path, suffixes: Sequence[str] = (".wav", ".flac")) -> list[Path]:
    """Return the audio files of a folder, sorted by name, without files whose names begin with a dot."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return [folder / name for name in names if name.lower().endswith(tuple(suffixes))]


def subfolders(folder: Path) -> list[Path]:
    """Return the folders inside a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def check_ids(corpus: str, utterances: Sequence[Utterance]) -> None:
    """Check that no id occurs twice in a corpus, as it would with a copy or with one recording in two formats.

    Args:
        corpus: Name of the corpus, for the message.
        utterances: All of its utterances.

    Raises:
        ValueError: Two utterances have one id; the message names both files, and both labels where they contradict each
            other.
    """
    table = UtteranceTable.of(utterances)
    for first, second in table.repeated("id"):
        one, other = table[first], table[second]
        labels = "" if one.emotion == other.emotion else f", labelled {one.emotion} here and {other.emotion} there"
        raise ValueError(
            f"corpus {corpus!r}: {one.path} and {other.path} are one utterance by their id {one.id!r}{labels}: a copy, "
            "or one recording in two formats; keep one of them"
        )


def compare_count(place: object, found: int, published: int, what: str) -> None:
    """Warn if a corpus has more or fewer files than were published.

    Args:
        place: Folder of the corpus, for the message.
        found: Number of files that were found.
        published: Number of files that were published.
        what: Name of what is counted, for the message.
    """
    if found != published:
        _log.warning("%s: %d %s where %d were published; is the copy whole?", place, found, what, published)


def read_text(path: Path, encoding: str = "cp1252", words: str = "") -> str:
    """Return the content of a text file of unknown encoding.

    - UTF-8 and UTF-16 (with or without byte order mark) are recognised.
    - Otherwise a line that is not UTF-8 is read in GB 18030 if its other characters are only punctuation then (an
      English text that was saved in China), else in ``encoding``.
    - Bytes that cannot be decoded are replaced, with a warning that names the file.

    Args:
        path: The file.
        encoding: Encoding of other lines: ``"cp1252"`` for western languages, ``"gb18030"`` for Chinese.
        words: Characters beside punctuation that a line in GB 18030 may have.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a pointer of Git LFS or git-annex.
    """
    refuse_pointer(path)
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        text = data.decode("utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be", errors="replace")
    else:
        text = "\n".join(_line(line, encoding, words) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    if replaced := text.count("\ufffd"):
        _log.warning("%s: %d characters cannot be read and are replaced; save it as UTF-8", path, replaced)
    return unicodedata.normalize("NFC", text)


def _line(data: bytes, encoding: str, words: str) -> str:
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    if encoding != "gb18030":
        with suppress(UnicodeDecodeError):
            text = data.decode("gb18030")
            if all(each.isascii() or each in words or unicodedata.category(each)[0] in "PSZ" for each in text):
                return text
    return data.decode(encoding, errors="replace")
