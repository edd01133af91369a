"""What corpora that are read from their own folders share: checks, listings and texts in old encodings."""

import os
from collections.abc import Sequence
from pathlib import Path


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


def read_text(path: Path, encoding: str = "latin-1") -> str:
    """Return a text file in UTF-8, UTF-16 (with its mark) or, if it is neither, another encoding.

    Args:
        path: The file.
        encoding: The other encoding; bytes that are wrong in it are replaced.

    Raises:
        FileNotFoundError: There is no such file.
    """
    data = path.read_bytes()
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        return data.decode(encoding, errors="replace")
