"""Folders of runs: checkpoints, results and configurations of trainings and evaluations, and the newest version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from emoquant.storage.documents import read_json, read_yaml
from emoquant.storage.files import write_whole
from emoquant.storage.shipped import did_you_mean, shipped_path

#: Folder of all runs where none is named.
RUNS = "runs"
LAST, BEST, RESULTS, CONFIG = "checkpoints/last.ckpt", "checkpoints/best.ckpt", "results.csv", "config.yaml"
#: A codec that was saved by itself, without its training run.
SAVED = ("codec.ckpt", "codec.safetensors", "probe.safetensors", "encoder.safetensors")
_STATE, _BEGUN = "run.json", "folder.yaml"


@dataclass(frozen=True)
class Run:
    """One version of a run: ``FOLDER/NAME/version_N``.

    Attributes:
        folder: The version's folder.
    """

    folder: Path

    @property
    def name(self) -> str:
        """Name of the run: that of the folder of its versions."""
        return self.folder.parent.name if self.version >= 0 else self.folder.name

    @property
    def version(self) -> int:
        """Number of the version; -1 for a folder that is none."""
        prefix, _, number = self.folder.name.rpartition("_")
        return int(number) if prefix == "version" and number.isdecimal() else -1

    @property
    def checkpoint(self) -> Path:
        """Checkpoint of the last epoch."""
        return self.folder / LAST

    @property
    def best(self) -> Path:
        """Checkpoint of the best epoch on validation data, where the training keeps one."""
        return self.folder / BEST

    @property
    def results(self) -> Path:
        """Figures of an evaluation."""
        return self.folder / RESULTS

    @property
    def config(self) -> Path:
        """Configuration that made the run."""
        return self.folder / CONFIG

    @property
    def state(self) -> dict[str, Any]:
        """State that ``emoquant study`` stored for the run's name: digest, whether it is finished; or empty."""
        return read_state(self.folder.parent)


def versions(place: Path) -> list[Run]:
    """Return the versions of a run in their order.

    Args:
        place: The folder of a run's name, ``runs/codec``.
    """
    found = [Run(path) for path in place.glob("version_*")] if place.is_dir() else []
    return sorted((run for run in found if run.version >= 0), key=lambda run: run.version)


def newest(place: Path, holding: str = "") -> Run | None:
    """Return the newest version of a run that holds a file, None if there is none.

    Args:
        place: The folder of a run's name (``runs/codec``), or of one version.
        holding: File inside the version's folder, such as :data:`LAST`.
    """
    found = [run for run in versions(place) if (run.folder / holding).exists()]
    if found:
        return found[-1]
    return Run(place) if holding and (place / holding).is_file() else None


def evaluated(place: Path) -> Run:
    """Return the newest version of a run that holds results.

    Raises:
        FileNotFoundError: There is none.
    """
    run = newest(place, RESULTS)
    if run is None:
        raise FileNotFoundError(f"no {RESULTS} in {place} or a version of it: expected the folder of an evaluation")
    return run


def place_of(root: str | Path) -> Path:
    """Return the folder of a run's name, whether a trainer's root is that folder or one of its versions."""
    run = Run(Path(root))
    return run.folder.parent if run.version >= 0 else run.folder


def find_checkpoint(path: str | Path, root: str | Path = ".", best: bool = False) -> Path:
    """Return the checkpoint that a name stands for.

    Args:
        path: A file, the folder of a run (its newest version counts), of a version or of a saved codec, or the bare
            name of a run in ``root``. What is not in the working folder is looked up among what is shipped.
        root: Folder of runs for bare names.
        best: Whether the checkpoint of the best epoch is taken where there is one.

    Raises:
        FileNotFoundError: There is no such file or folder, or no version in the folder has a checkpoint yet.
    """
    given = Path(path)
    bare = len(given.parts) == 1 and not given.suffix
    place = Path(root) / given if bare else shipped_path(given)
    if place.is_file() or not (place.is_dir() or bare):
        return place
    for saved in SAVED:
        if (place / saved).is_file():
            return place / saved
    run = newest(place, BEST if best else LAST) or newest(place, LAST)
    if run is not None:
        return run.best if best and run.best.is_file() else run.checkpoint
    if bare:
        near = did_you_mean(given.name, [each.name for each in Path(root).glob("*/")])
        flag = "" if str(root) in (RUNS, ".") else f" --folder {root}"
        raise FileNotFoundError(
            f"no run {given.name!r} with a checkpoint in {root}: train it (emoquant fit {given.name}{flag}) or name "
            f"another folder with --folder{near and '; ' + near}"
        )
    raise FileNotFoundError(f"no version_*/{LAST} in {place}: expected the folder of a training run, or name a file")


def read_state(place: Path) -> dict[str, Any]:
    """Return the stored state of a run (:func:`write_state`); empty where there is none.

    Raises:
        ValueError: It is damaged.
    """
    path = place / _STATE
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); delete it and run the command again") from error
    return content if isinstance(content, dict) else {}


def write_state(place: Path, state: Mapping[str, Any]) -> None:
    """Store the state of a run, atomically."""
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / _STATE, json.dumps(dict(state), indent=1).encode())


class Begun(NamedTuple):
    """Data, encoder and emotions of the first training in a folder of runs: the defaults of later commands there.

    Attributes:
        data: Word after ``--data``.
        encoder: Word after ``--encoder``; None for the default.
        emotions: Words after ``--emotions``; None for those of the data.
    """

    data: str | None = None
    encoder: str | None = None
    emotions: list[str] | None = None


def begun_in(folder: Path) -> Begun | None:
    """Return the settings that a folder of runs was started with, None for one without a training.

    Raises:
        ValueError: The note is damaged.
    """
    path = folder / _BEGUN
    if not path.is_file():
        return None
    try:
        begun = Begun(**read_yaml(path))
        _check_begun(begun)
        return begun
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): expected data, encoder and emotions; delete it to begin anew"
        ) from error


def _check_begun(begun: Begun) -> None:
    for value, kinds in zip(begun, (str, str, list | dict), strict=True):
        if value is not None and not isinstance(value, kinds):
            raise TypeError(f"{str(value)[:80]!r} is of another kind")


def begin(folder: Path, begun: Begun) -> None:
    """Store the settings that a folder of runs is started with."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _BEGUN, yaml.safe_dump(begun._asdict(), sort_keys=False).encode())
