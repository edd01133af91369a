"""Files that are written atomically, and text that is read whole."""

import hashlib
import logging
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_log = logging.getLogger(__name__)

#: Names of files that are being written: machine, process and a random part; seconds after which one is left over.
_PARTIAL = re.compile(r"\..+\.([0-9a-f]{6})-(\d+)-[0-9a-f]{8}\.tmp", re.DOTALL)
_OLD = 3 * 24 * 3600


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file atomically: yield a temporary path beside it, which is renamed to it when the block succeeds.

    Args:
        path: File to write; its folder must exist.

    Yields:
        The temporary path. The file is flushed to the disk, then renamed; after an error it is removed.

    Raises:
        OSError: The disk is full or the folder cannot be written; the message says what to do. A file that was there
            before is left as it was.
    """
    clean(path.parent)
    # Processes of several machines may share the folder and have the same number.
    partial = path.with_name(partial_name(path.name, secrets.token_hex(4)))
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename not in (None, partial, str(partial)):
            raise  # of another file, which was read meanwhile
        remedy = "it was not written (and is as it was): free space, or choose a folder that can be written"
        raise OSError(error.errno, f"{error.strerror or error}; {remedy}", str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@cache
def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


@cache
def clean(folder: Path) -> None:
    """Remove temporary files of killed processes from a folder, once per process: of this machine, or days old."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and is_left_over(entry.name, entry.stat().st_mtime) and entry.is_file():
                with suppress(OSError):
                    os.unlink(entry.path)


def partial_name(name: str, token: str) -> str:
    """Return the temporary name of a file or folder that this process writes.

    Args:
        name: What it will be called.
        token: Eight hex digits, another for every writing.
    """
    return f".{name}.{_machine()}-{os.getpid()}-{token}.tmp"


def is_left_over(name: str, changed: float) -> bool:
    """Return whether a temporary name is of a process that has ended, or is days old and of another machine.

    Args:
        name: A name.
        changed: Time of its last change, in seconds.
    """
    match = _PARTIAL.fullmatch(name)
    if match is None:
        return False
    return _is_dead(int(match[2])) if match[1] == _machine() else time.time() - changed > _OLD


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # of another user
        return False
    return False


def write_whole(path: Path, data: bytes) -> None:
    """Write bytes to a file, whole or not at all; errors as of :func:`whole_file`."""
    with whole_file(path) as partial:
        partial.write_bytes(data)


#: First bytes of the small files that stand for a large one that was not fetched, and what fetches it.
_POINTERS = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer, not the file itself; fetch it: git lfs pull",
    b"/annex/objects/": "a git-annex pointer, not the file itself; fetch it: git annex get",
}


def pointer_remedy(path: Path) -> str | None:
    """Return the remedy for a file that is only a pointer of Git LFS or git-annex; None for any other file."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return None  # whoever reads the file says what is wrong
    return next((remedy for mark, remedy in _POINTERS.items() if head.startswith(mark)), None)


def refuse_pointer(path: Path) -> None:
    """Raise an error where a file only points to its content.

    Raises:
        ValueError: It is a pointer of Git LFS or git-annex.
    """
    if remedy := pointer_remedy(path):
        raise ValueError(f"{path}: {remedy}")


def say_left_out(place: object, left_out: Sequence[str], why: str) -> None:
    """Warn which files are left out: how many, and the first of them.

    Args:
        place: Folder of the corpus, for the message.
        left_out: Names of the files.
        why: What they are.
    """
    if left_out:
        more = ", ..." if len(left_out) > 5 else ""
        _log.warning("%s: %d files are left out, %s: %s%s", place, len(left_out), why, ", ".join(left_out[:5]), more)


#: Bytes of the largest text that is read at once.
_MOST_TEXT = 256 * 2**20


def read_text(path: Path, most: int = _MOST_TEXT, whole_lines: bool = False) -> str:
    r"""Return a text file, with ``\n`` at the ends of its lines.

    Args:
        path: The file, UTF-8 with or without its mark.
        most: Bytes that it may have.
        whole_lines: Whether a last line without its end is left out, wherever an interruption cut it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8, a pointer of Git LFS or git-annex, or longer than that; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    refuse_pointer(path)
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{path}: more than {most} bytes of text; is it the right file?")
    if whole_lines:
        data = data[: data.rfind(b"\n") + 1]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
