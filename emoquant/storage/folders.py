"""Folders that are written atomically, also where the process is killed or another builds the same."""

import ctypes
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from emoquant.storage.files import is_left_over, partial_name

#: Of Linux's renameat2: the folder that paths are relative to, and the flag that swaps two names.
_HERE, _EXCHANGE = -100, 2


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Build a folder atomically: yield an empty one beside it, which takes its name when the block succeeds.

    An older folder of the name is replaced by one step where the system can exchange two names (Linux), else it is
    first renamed aside, and back again where that fails or the process was killed in between. Processes that build the
    same folder at once have partial folders of their own; the last one stays.

    Args:
        path: The folder, absolute; the one above it is made if it is not there.

    Yields:
        The partial folder, empty. It is removed after an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _mend(path)
    partial = path.with_name(partial_name(path.name, secrets.token_hex(4)))
    partial.mkdir()
    try:
        yield partial
        _replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace(partial: Path, path: Path) -> None:
    while True:
        if not path.exists():
            with suppress(FileExistsError, OSError):
                partial.rename(path)
                return
        if _exchanged(partial, path):
            return  # the old one is the partial now
        old = path.with_name(partial_name(path.name, secrets.token_hex(4)).removesuffix(".tmp") + ".old.tmp")
        with suppress(FileNotFoundError):
            path.rename(old)
        try:
            partial.rename(path)
        except OSError:
            if not path.exists():
                old.rename(path)
                raise
            continue  # another process was faster: its folder is replaced
        finally:
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
        return


def _exchanged(one: Path, other: Path) -> bool:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _mend(path: Path) -> None:
    """Bring an old folder back that a killed process had renamed aside; remove what others left half-filled."""
    with suppress(OSError):
        for entry in sorted(path.parent.glob(f".{glob.escape(path.name)}.*.tmp")):
            if not entry.is_dir() or not is_left_over(entry.name.replace(".old.tmp", ".tmp"), entry.stat().st_mtime):
                continue
            if entry.name.endswith(".old.tmp") and not path.exists():
                entry.rename(path)
            else:
                shutil.rmtree(entry, ignore_errors=True)
