"""Which classes a checkpoint names and how they are found again: the project's own, others where they are allowed."""

import importlib
import inspect
import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from emoquant.storage.rebuilding import WRONG
from emoquant.storage.shipped import did_you_mean

#: The package whose classes a checkpoint may always name.
PROJECT = "emoquant"

#: Classes that checkpoints of earlier versions name without their module.
EARLIER_NAMES = {
    "GroupedResidualVQ": "emoquant.quantization.grvq.GroupedResidualVQ",
    "AutoregressiveModel": "emoquant.entropy.autoregressive.AutoregressiveModel",
    "FactorizedModel": "emoquant.entropy.factorized.FactorizedModel",
    "LightModel": "emoquant.entropy.light.LightModel",
}

#: Constructor arguments that only call ``build`` at once, which whoever loads a model does anyway.
_SHORTCUTS = {"layout"}

#: What allocates the parameters of a module that was made.
Build = Callable[[Any], None] | None


class Storable(Protocol):
    """A module that a checkpoint can describe."""

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments that make a module of this shape again, as primitives."""


def class_path(kind: type) -> str:
    """Return the full dotted path of a class.

    Example:
        >>> class_path(Path)
        'pathlib.Path'
    """
    return f"{kind.__module__}.{kind.__qualname__}"


def class_entry(module: Storable) -> dict[str, Any]:
    """Return what a checkpoint holds of a module beside its weights: class and constructor arguments."""
    return {"class_path": class_path(type(module)), "init": module.settings()}


def require_class(module: Any, base: type) -> None:  # noqa: ANN401 - whatever a user hands in
    """Check that a module can be made again from a checkpoint, before it is trained.

    Args:
        module: The module.
        base: Class that it must be of.

    Raises:
        ValueError: It is of another kind, its class cannot be imported by its path, or its ``settings()`` do not make
            it again.
    """
    kind = type(module)
    path = class_path(kind)
    if not issubclass(kind, base):
        raise ValueError(
            f"{path} is no {base.__name__}: expected a subclass of {class_path(base)}; another kind of compression "
            "can be written as a whole emoquant.codecs.Codec"
        )
    if kind.__module__ == "__main__" or getattr(inspect.getmodule(kind), kind.__qualname__, None) is not kind:
        raise ValueError(
            f"{path} could not be loaded again from a checkpoint, which finds classes by import: define it at the top "
            "level of a module of its own, not in the script that runs or inside a function or class"
        )
    settings = module.settings()
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    named = [each for each in inspect.signature(kind).parameters.values() if each.kind not in variadic]
    lacking = [each.name for each in named if each.name not in settings and each.name not in _SHORTCUTS]
    if lacking:
        raise ValueError(
            f"settings() of {path} leaves out the constructor's {', '.join(lacking)}: a checkpoint could not make it "
            "again; return every argument"
        )
    try:
        again = _made_again(kind, settings)
    except (*WRONG, pickle.PickleError) as error:
        raise ValueError(
            f"{path}(**settings()) fails, so that a checkpoint could not make it again: {error}"
        ) from error
    if again != settings:
        raise ValueError(f"{path}(**settings()) has other settings(), {again} for {settings}: return what it was given")


def _made_again(kind: type, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an object that is made from settings as a file holds them."""
    file = io.BytesIO()
    torch.save(settings, file)
    file.seek(0)
    with torch.random.fork_rng(devices=[]):
        again: dict[str, Any] = kind(**torch.load(file, weights_only=True)).settings()
    return again


def find_class(entry: Any, base: type, path: Path, allow_class: str | Sequence[str]) -> type:  # noqa: ANN401 - of a file
    """Return the class that an entry of a checkpoint (:func:`class_entry`) names.

    Args:
        entry: The entry, or whatever a file holds in its place.
        base: Class that it must be a subclass of.
        path: File, for messages.
        allow_class: Modules or class paths outside the project that may be imported; what lies below is included.

    Raises:
        ValueError: It names no class, one of another kind, or one outside the project that is not allowed.
    """
    name = entry.get("class_path", entry.get("class")) if isinstance(entry, Mapping) else None
    name = EARLIER_NAMES.get(name, name) if isinstance(name, str) else name
    says = f"{path} names the class {name!r}"
    if not isinstance(name, str) or "." not in name or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"{says}: expected the path of a class; update emoquant, or the file is damaged")
    module, _, attribute = name.rpartition(".")
    ours = name.startswith(f"{PROJECT}.")
    if not ours and not _allowed(name, allow_class):
        raise ValueError(
            f"{says}, which is not of {PROJECT}: loading it runs the code of {module!r}; if you trust that, load it "
            f'with --allow_class {module} (in Python allow_class="{module}")'
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        remedy = "update emoquant" if ours else "put its module where Python looks for modules (PYTHONPATH)"
        raise ValueError(f"{says}, which cannot be imported: {error}; {remedy}") from error
    if not isinstance(found, type) or not issubclass(found, base):
        raise ValueError(f"{says}, which is no {class_path(base)}: the file is damaged or was tampered with")
    return found


def _allowed(name: str, allow_class: str | Sequence[str]) -> bool:
    allowed = [allow_class] if isinstance(allow_class, str) else allow_class
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def with_options(entry: Any, options: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401 - whatever a file holds
    """Return an entry of a checkpoint with some of its constructor arguments replaced.

    Args:
        entry: The entry (:func:`class_entry`).
        options: Constructor arguments.
        path: File, for messages.

    Raises:
        ValueError: The entry has no such argument.
    """
    known = entry.get("init") if isinstance(entry, Mapping) else None
    known = dict(known) if isinstance(known, Mapping) else {}
    unknown = [name for name in options if name not in known]
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise ValueError(
            f"{path} holds a codec without an option {unknown[0]!r}, expected one of {', '.join(known)}"
            f"{near and '; ' + near}"
        )
    return {**entry, "init": {**known, **options}} if options else entry
