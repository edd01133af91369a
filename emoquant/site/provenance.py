"""Where a site comes from: corpora, configurations, digests of checkpoints, versions."""

import hashlib
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import emoquant
from emoquant.storage.documents import parse_yaml
from emoquant.storage.files import read_text
from emoquant.storage.runs import CONFIG, LAST, newest

#: Packages whose versions decide what runs compute.
PACKAGES = ("torch", "lightning", "torchmetrics", "funasr", "vector-quantize-pytorch", "numpy", "soundfile")
#: Endings of files that hold weights.
WEIGHTS = (".ckpt", ".pt", ".pth", ".safetensors")


class Weights(NamedTuple):
    """A file of weights that a configuration names.

    Attributes:
        named: What the configuration says.
        file: The file that is there; empty if none is.
        size: Its bytes.
        sha256: Its digest.
    """

    named: str
    file: str
    size: int
    sha256: str


def run_config(folder: Path) -> str:
    """Return the configuration of a run's folder or of its newest version; empty where there is none."""
    run = newest(folder, CONFIG)
    return "" if run is None else read_text(run.config)


def weights_of(configs: Sequence[str]) -> list[Weights]:
    """Return the weights that configurations name, each path once, as they are on the disk now.

    A name is taken for a path if something is there, relative to the working folder: a file of weights, the folder of a
    run (its newest version's checkpoint), or a folder of a model (all its weights).

    Args:
        configs: Texts of ``config.yaml`` files.
    """
    found: list[Weights] = []
    for name in dict.fromkeys(name for text in configs for name in _strings(parse_yaml(text, "config.yaml of a run"))):
        for path in _weight_files(Path(name)):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append(Weights(name, path.as_posix(), path.stat().st_size, digest))
    return found


def versions() -> dict[str, str]:
    """Return the versions of this project, of Python and of what it computes with, and the commit of a checkout."""
    found = {"emoquant": emoquant.__version__, "commit": _commit(), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no checkout"
    return found.stdout.strip()


def _strings(content: object) -> Iterator[str]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not str(key).endswith(("_dir", "folder")):
                yield from _strings(value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _strings(value)
    elif isinstance(content, str) and "/" in content:
        yield content


def _weight_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix in WEIGHTS else []
    if not path.is_dir():
        return []
    run = newest(path, LAST)
    return [run.checkpoint] if run else sorted(each for each in path.iterdir() if each.suffix in WEIGHTS)
