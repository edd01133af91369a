"""Files that are there whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give another name in the same folder to write to; what is written there gets its name when the block ends well.

    Args:
        path: File to write; its folder must exist.

    Yields:
        The temporary name. It is flushed to the disk, then renamed; after an error it is removed.

    Raises:
        OSError: The disk is full or the folder cannot be written; a file that was there before is left as it was.
    """
    # Processes of several machines may share the folder and have the same number.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write bytes to a file, whole or not at all; errors as of :func:`whole_file`."""
    with whole_file(path) as partial:
        partial.write_bytes(data)
