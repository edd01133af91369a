"""Files that survive an interruption: journals of whole lines, and locks."""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO


def append_lines(journal: BinaryIO, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records as lines of JSON; afterwards they survive any interruption.

    Args:
        journal: A file that is open for appending.
        records: The records, one line each.
    """
    for record in records:
        journal.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
    journal.flush()
    os.fsync(journal.fileno())


def whole_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal that were written to their end; an interruption may leave half of the last one."""
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


def hold(journal: BinaryIO) -> None:
    """Lock a journal while it is written; the lock ends with the file object or with the process."""
    fcntl.flock(journal, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Return whether a process has locked a journal, or has removed it already."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return True
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; a folder that cannot be written needs no lock."""
    try:
        file = path.open("ab")
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
