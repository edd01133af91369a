"""Files that are written atomically, and files of tensors that are read without running code."""

import hashlib
import logging
import os
import pickle
import platform
import re
import secrets
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

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


def write_tensors(path: Path, content: object) -> None:
    """Write tensors to a file as torch does, whole or not at all; errors as of :func:`whole_file`."""
    import torch  # late: whoever only writes other files needs none of it

    with whole_file(path) as partial, partial.open("wb") as file:  # given a path, torch writes its name into the file
        torch.save(content, file)


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


def read_text(path: Path, most: int = _MOST_TEXT) -> str:
    r"""Return a text file, with ``\n`` at the ends of its lines.

    Args:
        path: The file, UTF-8 with or without its mark.
        most: Bytes that it may have.

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
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error}); save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


#: What reading a damaged file may end in, beside errors of its format.
_BROKEN = (EOFError, OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError,
           ArithmeticError, MemoryError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error)  # fmt: skip


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` file by name; pickled objects are refused.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, cut off or of another kind.
    """
    import numpy as np  # late: whoever only writes files needs none of it

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read as arrays of numpy: {error or type(error).__name__}") from error


def read_array(path: Path) -> Any:  # noqa: ANN401 - an array of numpy, which is imported late
    """Return the array of an ``.npy`` file; pickled objects are refused.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, cut off or of another kind.
    """
    from tokenize import TokenError  # what numpy lets through of a damaged header

    import numpy as np

    refuse_pointer(path)
    try:
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not begin like an .npy file")
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))  # a map asks for no memory
    except FileNotFoundError:
        raise
    except (*_BROKEN, SyntaxError, TokenError) as error:
        raise ValueError(f"{path} cannot be read as an array of numpy: {error or type(error).__name__}") from error


def read_tensors(path: Path, mmap: bool = False, old: bool = False) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return what a file of ``torch.save`` holds, on CPU: tensors and primitives; no code of the file is run.

    Args:
        path: The file, which must be there.
        mmap: Whether tensors stay on the disk until they are read.
        old: Whether files of the time before archives (torch 1.5) are read, too, as public models may be.

    Raises:
        ValueError: The file is damaged or cut off, of another kind, asks for code to be run or claims more than it has.
    """
    import torch  # late: whoever only writes files needs none of it

    refuse_pointer(path)
    if not old or is_zip(path):
        _check_archive(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        _check_tensors(found, path.stat().st_size)
    except (*_BROKEN, pickle.UnpicklingError) as error:
        raise _unreadable(path) from error
    return found


def is_zip(path: Path) -> bool:
    """Return whether a file that is there is a zip archive, whole or damaged, as torch's files are."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _unreadable(path: Path) -> ValueError:
    return ValueError(
        f"{path} cannot be read as a checkpoint; it is damaged, cut off or of another kind: copy it again, or name "
        "the file that the training wrote"
    )


def _check_archive(path: Path) -> None:
    """Refuse what is no archive, or one that unpacks to more bytes than it has: torch packs without compression."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, LookupError, NotImplementedError, struct.error) as error:
        raise _unreadable(path) from error
    if unpacked > path.stat().st_size:
        raise ValueError(f"{path} unpacks to {unpacked} bytes, more than it has: it is no checkpoint of a training")


def _check_tensors(content: Any, size: int, depth: int = 0) -> None:  # noqa: ANN401 - whatever the file holds
    """Refuse tensors that claim more bytes than the file has, and content without end."""
    if depth > 100:
        raise ValueError("values lie too deep in each other")
    if isinstance(content, dict):
        content = content.values()
    elif hasattr(content, "untyped_storage"):
        if content.numel() * content.element_size() > size:
            raise ValueError("a tensor is larger than the file")
        return
    elif not isinstance(content, list | tuple):
        return
    for each in content:
        _check_tensors(each, size, depth + 1)
