"""Sums of an evaluation on disk: an interrupted sweep goes on, and the jobs of an array add up to one."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emoquant.devices.sharding import Share
from emoquant.interfaces.protocols import FeatureData
from emoquant.metrics import SweepMetrics
from emoquant.storage.documents import require_mapping
from emoquant.storage.tensors import read_tensors, write_tensors

#: Time between two writings, in units of the time that one takes: at most this share of a sweep is spent on them.
_PATIENCE = 50

#: Version of the sums and of their meaning.
FORMAT = 3

States = dict[str, Tensor]


class PartialSums:
    """The sums of one process's share of a sweep, written every now and then.

    Args:
        folder: Folder of the files.
        digest: What tells this evaluation from others; sums of another are never read.
        place: The share: of those of the array's jobs times the processes of each.
        seconds: Least time between two writings, which bounds what an interruption costs.
    """

    def __init__(self, folder: Path, digest: str, place: Share, seconds: float) -> None:
        self.folder, self.digest, self.place, self.seconds = folder, digest, place, seconds
        self._written = time.monotonic()

    def _path(self, number: int, kind: str) -> Path:
        return self.folder / f"{self.digest}-{number}-of-{self.place.total}.{kind}"

    def begun(self) -> tuple[int, States]:
        """Return the batches that were measured before an interruption, and their sums; 0 and nothing without one.

        Raises:
            ValueError: The note of the interruption is damaged.
        """
        path = self._path(self.place.number, "begun")
        if not path.is_file():
            return 0, {}
        content = require_mapping(read_tensors(path), path, "batches", "states")
        if not isinstance(content["batches"], int):
            raise ValueError(f"{path} is damaged; delete it, and the evaluation begins anew")
        return content["batches"], _checked(content["states"], path)

    def finished(self, number: int | None = None) -> States | None:
        """Return the sums of a share that is done, None while it is not; this process's share by default.

        Raises:
            ValueError: They are damaged.
        """
        path = self._path(self.place.number if number is None else number, "done")
        return _checked(read_tensors(path), path) if path.is_file() else None

    def missing(self) -> list[int]:
        """Return the shares that are not done yet."""
        return [number for number in range(self.place.total) if not self._path(number, "done").is_file()]

    def note(self, sweep: SweepMetrics, batches: int) -> None:
        """Write the sums after so many batches, if the time has come."""
        started = time.monotonic()
        if started - self._written < self.seconds:
            return
        self._write("begun", {"batches": batches, "states": sums_of(sweep)})
        self._written = time.monotonic()
        self.seconds = max(self.seconds, _PATIENCE * (self._written - started))

    def finish(self, sweep: SweepMetrics) -> None:
        """Write the sums of the whole share."""
        self._write("done", sums_of(sweep))
        self.forget()

    def forget(self) -> None:
        """Remove what was written for the case of an interruption."""
        self._path(self.place.number, "begun").unlink(missing_ok=True)

    def add_others(self, sweep: SweepMetrics, rank: int, world: int) -> None:
        """Add the sums that other shares finished; of several processes each adds a part of them."""
        for number in range(rank, self.place.total, world):
            if number != self.place.number:
                add_sums(sweep, self.finished(number) or {})

    def _write(self, kind: str, content: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_tensors(self._path(self.place.number, kind), content)


def _checked(states: object, path: Path) -> States:
    if not isinstance(states, dict) or not all(isinstance(value, Tensor) for value in states.values()):
        raise ValueError(f"{path} holds no sums of an evaluation; delete it and measure again")
    return states


def _states(sweep: SweepMetrics) -> Iterator[tuple[str, Any, str]]:
    """Yield name, metric and attribute of everything that a sweep sums up."""
    rooms: dict[str, nn.Module] = {"sums": sweep.sums, "choices": sweep.choice_sums}
    if sweep.crossed is not None:
        rooms["crossed"] = sweep.crossed
    if sweep.methods is not None:
        rooms["methods"] = sweep.methods
    for room, parts in rooms.items():
        for name, module in parts.named_modules():
            for state in getattr(module, "_defaults", ()):
                yield f"{room}.{name}.{state}", module, state


def sums_of(sweep: SweepMetrics) -> States:
    """Return a copy of what a sweep has summed up."""
    return {name: getattr(metric, state).detach().cpu().clone() for name, metric, state in _states(sweep)}


def add_sums(sweep: SweepMetrics, states: Mapping[str, Tensor]) -> None:
    """Add sums to those of a sweep, as those of several processes are added.

    Raises:
        ValueError: They are of another evaluation.
    """
    if set(states) != {name for name, _, _ in _states(sweep)}:
        raise ValueError("these sums are of another evaluation: delete them and measure again")
    for name, metric, state in _states(sweep):
        own = getattr(metric, state)
        setattr(metric, state, metric._reductions[state](torch.stack([own, states[name].to(own.device)])))


def restore_sums(sweep: SweepMetrics, states: Mapping[str, Tensor]) -> None:
    """Set what a sweep has summed up."""
    for name, metric, state in _states(sweep):
        setattr(metric, state, states[name].to(getattr(metric, state).device))


def digest_of(
    modules: Mapping[str, nn.Module],
    data: FeatureData,
    options: Mapping[str, object],
) -> str:
    """Return a digest of everything that the sums of an evaluation depend on.

    Args:
        modules: Codecs, classifier and choices by name: their classes, weights and plain attributes count.
        data: The data module: name, emotions, encoder, and the utterances of training and test with the content of
            their audio.
        options: Everything else.
    """
    digest = hashlib.sha256(f"{FORMAT} {sorted(options.items())}".encode())
    for name, module in modules.items():
        for path, part in module.named_modules():
            plain = {key: value for key, value in vars(part).items() if _is_plain(key, value)}
            digest.update(f"{name} {path} {type(part).__qualname__} {sorted(plain.items())}".encode())
        for key, value in sorted(module.state_dict().items()):
            digest.update(key.encode() + value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    digest.update(f"{data.name} {data.emotions} {data.origin} {data.budget}".encode())
    for split in ("train", "test"):
        found = data.dataset(split)
        for column in (found.emotions, found.speakers, found.lengths):
            digest.update(np.ascontiguousarray(column).data)
        digest.update(getattr(found, "content", b""))  # of the audio, where the dataset knows it
        if (rated := getattr(found.utterances, "dimensions", None)) is not None:
            digest.update(np.ascontiguousarray(rated).data)
        for name in found.ids():
            digest.update(name.encode() + b"\0")
    return digest.hexdigest()[:24]


def _is_plain(key: str, value: object) -> bool:
    if key.startswith("_") or key in ("training", "source"):  # a checkpoint may be moved, its weights count
        return False
    if isinstance(value, list | tuple):
        return all(isinstance(each, bool | int | float | str | None) for each in value)
    return isinstance(value, bool | int | float | str | None)
