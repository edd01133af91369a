"""Finding and reading checkpoints of trained models without executing code in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emoquant.storage.runs import LAST, newest
from emoquant.storage.tensors import read_tensors


def find_checkpoint(path: Path, what: str) -> Path:
    """Return the checkpoint file of a path: the file itself, or the last checkpoint of a run folder's newest version.

    Args:
        path: A file, or a run's folder with ``version_0/checkpoints/last.ckpt``, ``version_1/...``.
        what: Kind of model that is expected, for the error message.

    Raises:
        FileNotFoundError: There is no checkpoint.
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
        section: Key that the checkpoint must have beside ``state_dict``.

    Raises:
        ValueError: The file is damaged or of another kind.
    """
    content = read_tensors(path)
    if not isinstance(content, dict) or section not in content or "state_dict" not in content:
        raise ValueError(
            f"{path} is of another kind: it lacks {section!r}, which the training that is asked for writes"
        )
    return content
