"""What corpora that are read from their own folders share: checks, listings and texts in old encodings."""

import logging
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from emoquant.storage.files import refuse_pointer

_log = logging.getLogger(__name__)


def required_folder(folder: Path, expected: str, source: str) -> Path:
    """Return a folder that a corpus must have.

    Args:
        folder: The folder.
        expected: What lies in it, for the message.
        source: Where the corpus comes from, for the message.

    Raises:
        FileNotFoundError: It is not there.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected {expected}; {source}")
    return folder


def audio_files(folder: Path, suffixes: Sequence[str] = (".wav", ".flac")) -> list[Path]:
    """Return the audio files of a folder, sorted by name; files that begin with a dot are not among them."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return [folder / name for name in names if name.lower().endswith(tuple(suffixes))]


def subfolders(folder: Path) -> list[Path]:
    """Return the folders inside a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def read_text(path: Path, encoding: str = "cp1252", words: str = "") -> str:
    """Return a text file whose encoding nobody wrote down.

    UTF-8 and UTF-16 (with or without its mark) are recognised as such. Otherwise each line that is not UTF-8 is read in
    GB 18030 where nothing but punctuation comes of it (an English text that was saved in China), else in the other
    encoding. What cannot be read is replaced, with a warning that names the file.

    Args:
        path: The file.
        encoding: The other encoding: ``"cp1252"`` of western languages, ``"gb18030"`` of Chinese.
        words: Characters that GB 18030 may give beside punctuation.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a pointer of Git LFS or git-annex.
    """
    refuse_pointer(path)
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        text = data.decode("utf-16-le" if _zeros(data[1::2]) >= _zeros(data[::2]) else "utf-16-be", errors="replace")
    else:
        text = "\n".join(_line(line, encoding, words) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    if replaced := text.count("\ufffd"):
        _log.warning("%s: %d characters cannot be read and are replaced; save it as UTF-8", path, replaced)
    return unicodedata.normalize("NFC", text)


def _zeros(data: bytes) -> int:
    return data.count(0)


def _line(data: bytes, encoding: str, words: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if encoding != "gb18030":
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            return data.decode(encoding, errors="replace")
        if not all(each.isascii() or each in words or unicodedata.category(each)[0] in "PSZ" for each in text):
            return data.decode(encoding, errors="replace")
        return text
    return data.decode(encoding, errors="replace")
