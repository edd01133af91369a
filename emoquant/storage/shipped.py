"""Configurations and weights that are shipped with the code, in a source tree and in an installed wheel."""

import difflib
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent

#: Folder that holds ``configs/`` and ``checkpoints/``: inside the package where it was installed, else the source tree.
ROOT = _PACKAGE / "_shipped" if (_PACKAGE / "_shipped").is_dir() else _PACKAGE.parent
CONFIGS, CHECKPOINTS = ROOT / "configs", ROOT / "checkpoints"


def shipped_path(path: str | Path) -> Path:
    """Return a path, or what is shipped under it where the working folder has no such file.

    Args:
        path: A path; ``checkpoints/NAME`` and ``configs/...`` may be shipped.
    """
    path = Path(path).expanduser()
    if not path.exists() and not path.is_absolute() and (ROOT / path).exists():
        return ROOT / path
    return path


@cache
def say_licence(folder: Path) -> None:
    """Print the licence of shipped weights on their first use in a process; nothing for other folders.

    Args:
        folder: Folder of the weights.
    """
    path = folder.resolve() / "LICENSE"
    if path.parent.parent == CHECKPOINTS and path.is_file() and os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"{folder.name}: {path.read_text(encoding='utf-8').partition(chr(10))[0]}", file=sys.stderr)


def config_names(kind: str) -> list[str]:
    """Return the names of the shipped configurations of a kind (a folder of ``configs/``), sorted."""
    return sorted(path.stem for path in (CONFIGS / kind).glob("*.yaml"))


def find_config(name: str, kinds: Sequence[str]) -> Path:
    """Return the YAML that a word of the command line stands for: a path, or the name of a shipped configuration.

    Args:
        name: A path, or a name such as ``codec``.
        kinds: Folders of ``configs/`` that are searched, in this order.

    Raises:
        FileNotFoundError: There is neither; the message names what is nearest.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    for kind in kinds:
        if (CONFIGS / kind / f"{name}.yaml").is_file():
            return CONFIGS / kind / f"{name}.yaml"
    if shipped_path(path).is_file():
        return shipped_path(path)
    known = [known for kind in kinds for known in config_names(kind)]
    near = did_you_mean(path.stem, known)
    raise FileNotFoundError(
        f"no configuration {name!r}: expected a YAML file or one of {', '.join(known)}{near and '; ' + near}"
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean X?`` for the nearest known words; empty if none is near.

    Example:
        >>> did_you_mean("lamda_sweep", ["lambda_sweep", "ambiguity"]), did_you_mean("x", ["codec"])
        ('did you mean lambda_sweep?', '')
    """
    near = difflib.get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""
