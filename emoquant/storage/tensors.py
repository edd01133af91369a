"""Files of tensors and arrays that are read without running code."""

import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from emoquant.storage.files import refuse_pointer, whole_file

#: What reading a damaged file may end in, beside errors of its format.
_BROKEN = (EOFError, OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError,
           ArithmeticError, MemoryError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error)  # fmt: skip


def write_tensors(path: Path, content: object) -> None:
    """Write tensors to a file as torch does, whole or not at all; errors as of :func:`whole_file`."""
    import torch  # late: whoever only writes other files needs none of it

    with whole_file(path) as partial, partial.open("wb") as file:  # given a path, torch writes its name into the file
        torch.save(content, file)


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
