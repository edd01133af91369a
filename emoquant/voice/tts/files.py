"""How files of trained models are found, read and written, without running any code that a file brings along."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emoquant.storage.files import read_tensors
from emoquant.storage.runs import LAST, newest


def find_checkpoint(path: Path, what: str) -> Path:
    """Return the checkpoint that a path stands for: a file itself, of a run's folder the newest version's last one.

    Args:
        path: A file, or a folder with ``version_0/checkpoints/last.ckpt``, ``version_1/...`` as a logger lays it out.
        what: What it is to hold, for the message.

    Raises:
        FileNotFoundError: There is none.
    """
    run = newest(path, LAST)
    if run is not None:
        return run.checkpoint
    if not path.is_file():
        raise FileNotFoundError(
            f"no {what} at {path}: expected a folder with {what}.json, a checkpoint, or the folder of a training run"
        )
    return path


def read_checkpoint(path: Path, section: str) -> Mapping[str, Any]:
    """Return the content of a training checkpoint.

    Args:
        path: The file.
        section: Key that it must have beside ``state_dict``.

    Raises:
        ValueError: It is damaged or of another kind.
    """
    content = read_tensors(path)
    if not isinstance(content, dict) or section not in content or "state_dict" not in content:
        raise ValueError(
            f"{path} is of another kind: it lacks {section!r}, which the training that is asked for writes"
        )
    return content
