"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name in its folder, flush it to the disk, then rename it.

    Raises:
        OSError: The disk is full or the folder cannot be written; a file that was there before is left as it was.
    """
    partial = path.with_name(f".{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
