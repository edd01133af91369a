"""Specifications of codecs in an evaluation's YAML, from which codecs are loaded once the data are known.

A spec is one of

- ``{run: codec}``: the codec that a run trained, by its name in the folder of runs or by a path; besides ``as`` (name
  in the tables), ``points``, ``beam``, ``survivors``, ``any_encoder``, and for a codec without codebooks ``options``:
  ``{run: transform, options: {states: 4, form: stream}}`` (:func:`~emoquant.codecs.load_codec`);
- ``{class_path: emoquant.codecs.Greedy, init_args: {...}}``: a class, whose arguments may be specs again;
- ``{per_emotion: "codec_{emotion}"}``: the spec (or the name of a run) for every emotion of the data, with
  ``{emotion}`` filled in everywhere; ``without: [neutral]`` leaves some out. A run is named after the emotion.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import emoquant.codecs
from emoquant.codecs.base import Codec
from emoquant.codecs.checkpoint import load_codec
from emoquant.storage.runs import RUNS, find_checkpoint
from emoquant.storage.shipped import did_you_mean

Spec = Mapping[str, Any] | str | Codec

_RUN_KEYS = ("run", "as", "points", "beam", "survivors", "any_encoder", "options")
#: How run folders of earlier versions spell a run.
_OLD_KEYS = {"checkpoint": "run", "name": "as"}


class Place(NamedTuple):
    """Hold the context in which specs are resolved.

    Attributes:
        folder: Folder of runs in which names of runs are looked up.
        points: Lambdas for every spec of a run without ``points``; None for the codec's own default.
        allow_class: Modules and classes outside the project that a checkpoint may name.
    """

    folder: str = RUNS
    points: Sequence[float] | None = None
    allow_class: Sequence[str] = ()


def expand(specs: Sequence[Spec], emotions: Sequence[str]) -> list[Spec]:
    """Return specs with every ``per_emotion`` written out.

    Args:
        specs: Specs in the order of the tables.
        emotions: Emotions of the data.

    Raises:
        ValueError: A spec is invalid; the message names it.

    Example:
        >>> expand([{"per_emotion": "codec_{emotion}", "without": ["sad"]}], ["happy", "sad"])
        [{'run': 'codec_happy', 'as': 'happy'}]
    """
    if not isinstance(specs, list | tuple):
        raise ValueError(f"codecs is {str(specs)[:80]!r}, expected a list of them")
    found: list[Spec] = []
    for spec in specs:
        if not isinstance(spec, Mapping) or "per_emotion" not in spec:
            found.append(spec)
            continue
        inner, more = spec["per_emotion"], {key: spec[key] for key in spec if key not in ("per_emotion", "without")}
        inner = {"run": inner, "as": "{emotion}"} if isinstance(inner, str) else dict(inner)
        without = spec.get("without", [])
        found += [_filled({**inner, **more}, emotion) for emotion in emotions if emotion not in without]
    return found


def _filled(value: Any, emotion: str) -> Any:  # noqa: ANN401 - any part of a spec
    if isinstance(value, str):
        return value.replace("{emotion}", emotion)
    if isinstance(value, Mapping):
        return {key: _filled(each, emotion) for key, each in value.items()}
    return [_filled(each, emotion) for each in value] if isinstance(value, list) else value


def runs_named(value: Any) -> list[str]:  # noqa: ANN401 - specs, or a part of one
    """Return the names of the runs in expanded specs, each once, in their order.

    Example:
        >>> runs_named([{"class_path": "Greedy", "init_args": {"codec": {"run": "codec"}}}, {"run": "codec"}])
        ['codec']
    """
    if isinstance(value, Mapping):
        own = [str(value["run"])] if "run" in value else []
        parts = [name for each in value.values() for name in runs_named(each)]
        return list(dict.fromkeys(own + parts))
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(name for each in value for name in runs_named(each)))
    return []


def require_runs(specs: Sequence[Spec], folder: str) -> None:
    """Check that the runs that specs name exist, without loading them; the data need not be known.

    Args:
        specs: Specs; those with ``per_emotion`` are not checked.
        folder: Folder of the runs.

    Raises:
        FileNotFoundError: A run has no checkpoint.
    """
    missing: list[FileNotFoundError] = []
    for name in runs_named(list(specs)):
        try:
            if "{" not in name:
                find_checkpoint(name, folder)
        except FileNotFoundError as error:
            missing.append(error)
    if missing:
        more = f"; {len(missing)} runs lack: emoquant study with the experiment's name trains them and evaluates"
        raise FileNotFoundError(f"{missing[0]}{more if len(missing) > 1 else ''}")


def open_codecs(specs: Sequence[Spec], emotions: Sequence[str], place: Place) -> list[Codec]:
    """Load the codecs of specs, frozen and on CPU.

    Args:
        specs: Specs in the order of the tables.
        emotions: Emotions of the data.
        place: Context in which they are resolved.

    Raises:
        FileNotFoundError: A run has no checkpoint.
        ValueError: A spec is wrong, two codecs have one name, or a checkpoint is damaged.
    """
    codecs = [open_codec(spec, place) for spec in expand(specs, emotions)]
    names = [codec.name for codec in codecs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two codecs are named {', '.join(twice)}: give each its own name with `as:`")
    return codecs


def open_codec(spec: Spec, place: Place) -> Codec:
    """Load the codec of one spec; see :func:`open_codecs`."""
    if isinstance(spec, Codec):
        return spec
    if isinstance(spec, str):
        return _open_run({"run": spec}, place)
    if not isinstance(spec, Mapping):
        raise ValueError(f"{spec!r} is no codec: expected the name of a run, or a key `run` or `class_path`")
    if "run" in spec:
        return _open_run(spec, place)
    if "class_path" not in spec:
        raise ValueError(f"{dict(spec)} is no codec: expected a key `run`, `class_path` or `per_emotion`")
    kind = str(spec["class_path"])
    init = spec.get("init_args") or {}
    if not isinstance(init, Mapping):
        raise ValueError(f"codec {kind}: init_args is {init!r}, expected names and values")
    if kind.rpartition(".")[2] == "load_codec":
        return _open_run({_OLD_KEYS.get(str(key), str(key)): value for key, value in init.items()}, place)
    opened = {key: open_codec(value, place) if _is_spec(value) else value for key, value in init.items()}
    try:
        codec = _find_class(kind)(**opened)
    except TypeError as error:
        raise ValueError(f"codec {kind}: {error}") from error
    return codec.requires_grad_(False).eval()


def _is_spec(value: object) -> bool:
    return isinstance(value, Mapping) and bool({"run", "class_path"} & set(value))


def _open_run(spec: Mapping[str, Any], place: Place) -> Codec:
    unknown = [key for key in spec if key not in _RUN_KEYS]
    if unknown:
        near = did_you_mean(unknown[0], _RUN_KEYS)
        raise ValueError(f"codec {dict(spec)}: unknown key {unknown[0]!r}, expected {', '.join(_RUN_KEYS)}; {near}")
    options = {key: spec[key] for key in ("beam", "survivors", "any_encoder", "options") if key in spec}
    points = spec.get("points", place.points)
    if points is not None:
        options["points"] = points
    given = str(spec["run"])
    name = spec.get("as") or (Path(given).stem if Path(given).is_file() else Path(given).name)
    path = find_checkpoint(given, place.folder)
    return load_codec(path, name=name, allow_class=place.allow_class, **options)


def _find_class(path: str) -> type[Codec]:
    """Return a class of codecs by its path, or by its name alone for one of the project.

    Raises:
        ValueError: There is none, or it is no codec.
    """
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name) if module else getattr(emoquant.codecs, name)
    except (ImportError, AttributeError) as error:
        near = did_you_mean(name, emoquant.codecs.__all__)
        raise ValueError(f"no codec class {path!r} ({error}){near and '; ' + near}") from error
    if not (isinstance(kind, type) and issubclass(kind, Codec)):
        raise ValueError(f"{path} is no codec: expected a subclass of emoquant.codecs.Codec")
    return kind
