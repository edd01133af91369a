"""Help for ``fit``, ``validate``, ``test`` and ``predict``: the options of the classes that a configuration names."""

import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import docstring_parser

from emoquant.console.words import DEFAULT_DATA, KINDS, parse_line
from emoquant.storage.documents import read_config
from emoquant.storage.shipped import CONFIGS, config_names, find_config

_WIDTH = 118
#: Options of the Trainer that are shown, beside those that a configuration sets.
_TRAINER = {
    "max_epochs": "epochs of a training",
    "max_steps": "gradient steps of a training",
    "precision": "32-true, bf16-mixed, 16-mixed",
    "strategy": "auto, ddp",
    "limit_train_batches": "batches of an epoch, for a trial",
    "fast_dev_run": "one batch of everything, nothing is kept",
    "logger": "TensorBoardLogger, CSVLogger, WandbLogger, MLFlowLogger or false",
}
_WORDS = """words:
  --data NAME|YAML|CSV        the corpus; remembered by the folder
  --encoder NAME|FOLDER|YAML  the encoder of frame features; remembered by the folder
  --emotions A B ...          the emotions that are kept; remembered by the folder
  --folder FOLDER             where runs are kept and found (runs)
  --name NAME                 name of the run (that of the configuration)
  --seed N   --devices N   --ckpt_path FILE|last"""


def task_help(words: Sequence[str]) -> str:
    """Return the help of a command line.

    Args:
        words: ``["fit", "codec", "--help"]``; without a configuration the help lists those that there are.

    Raises:
        FileNotFoundError: There is no such configuration.
    """
    command = words[0]
    line = parse_line(command, [word for word in words[1:] if word not in ("-h", "--help")])
    if not line.configs:
        return _overview(command)
    lines = [f"usage: emoquant {command} {line.configs[0].stem} [WORDS] [OPTIONS]", "", *_about(line.configs[0])]
    content: dict[str, Any] = {}
    for path in line.configs:
        content |= _resolved(read_config(path), path.parent)
    data = content.get("data") or read_config(find_config(line.said.data or DEFAULT_DATA, ("data",)))
    lines += ["", _WORDS, "", "options, with what they are without:"]
    lines += _class_lines("model", content["model"])
    lines += _class_lines("data", data) if isinstance(data, Mapping) else []
    lines += _trainer_lines(content.get("trainer") or {})
    return "\n".join(lines)


def option_names(spec: object) -> set[str]:
    """Return the names of the arguments of every class that a part of a configuration names."""
    if isinstance(spec, Mapping):
        names = {name for value in spec.values() for name in option_names(value)}
        if "class_path" in spec:
            names |= {name for name, *_ in _parameters(_find(str(spec["class_path"])))}
        return names
    return {name for value in spec for name in option_names(value)} if isinstance(spec, list) else set()


def _overview(command: str) -> str:
    lines = [f"usage: emoquant {command} CONFIGURATION [WORDS] [OPTIONS]", ""]
    for kind in KINDS[command]:
        for name in config_names(kind):
            about = " ".join(_about(CONFIGS / kind / f"{name}.yaml"))
            lines.append(f"  {name:<28}{textwrap.shorten(about, _WIDTH - 30, placeholder=' ...')}")
    return "\n".join([*lines, "", _WORDS, "", f"its options: emoquant {command} CONFIGURATION --help"])


def _about(path: Path) -> list[str]:
    """Return the comment at the head of a YAML."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = "\n".join(line.removeprefix("#").removeprefix(" ").rstrip() for line in lines[:end])
    return [part for line in text.split("\n") for part in textwrap.wrap(line, _WIDTH) or [""]]


def _resolved(content: Mapping[str, Any], beside: Path) -> dict[str, Any]:
    """Return a configuration whose sections are written out where they name YAMLs."""
    found = dict(content)
    for key, value in found.items():
        if isinstance(value, str) and value.endswith(".yaml") and (beside / value).is_file():
            found[key] = read_config(beside / value)
    return found


def _class_lines(prefix: str, spec: Mapping[str, Any]) -> list[str]:
    """Return the options of a class and of the classes that its arguments are."""
    kind = _find(str(spec["class_path"]))
    given = spec.get("init_args") or {}
    lines = ["", textwrap.shorten(f"{prefix}: {kind.__name__}. {_summary(kind)}", _WIDTH, placeholder=" ...")]
    nested: list[str] = []
    for name, annotation, default, text in _parameters(kind):
        value = given.get(name, default)
        if isinstance(value, Mapping) and "class_path" in value:
            nested += _class_lines(f"{prefix}.{name}", value)
            value = str(value["class_path"]).rpartition(".")[2]
        elif isinstance(value, list | Mapping) and len(str(value)) > 30:
            value = "..."
        shown = "" if value is inspect.Parameter.empty else f" ({_short(value)})"
        lines.append(textwrap.shorten(f"  --{prefix}.{name} {annotation}{shown}  {text}", _WIDTH, placeholder=" ..."))
        lines[-1] = f"  {lines[-1]}"
    return [*lines, *nested]


def _short(value: object) -> str:
    return "none" if value is None else str(value)


def _find(path: str) -> type:
    """Return a class by its path; bare names are of the project's tasks and data."""
    module, _, name = path.rpartition(".")
    for place in [module] if module else ["emoquant.tasks", "emoquant.data"]:
        found = getattr(import_module(place), name, None)
        if isinstance(found, type):
            return found
    raise ValueError(f"no class {path!r}: expected a class path in the configuration")


def _summary(kind: type) -> str:
    return textwrap.shorten((inspect.getdoc(kind) or "").partition("\n\n")[0], _WIDTH, placeholder=" ...")


def _parameters(kind: type) -> Iterator[tuple[str, str, Any, str]]:
    """Yield name, type, default and description of the arguments of a class."""
    texts: dict[str, str] = {}
    for doc in (inspect.getdoc(kind), inspect.getdoc(vars(kind).get("__init__", kind))):
        for described in docstring_parser.parse(doc or "").params:
            texts[described.arg_name] = " ".join((described.description or "").split())
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        annotation = parameter.annotation
        text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        short = text.replace("typing.", "").replace("collections.abc.", "").replace("emoquant.", "")
        yield name, textwrap.shorten(short, 36, placeholder="..."), parameter.default, texts.get(name, "")


def _trainer_lines(given: Mapping[str, Any]) -> list[str]:
    lines = ["", "trainer: all options of lightning's Trainer, among them"]
    options = [*_TRAINER, *(name for name in given if name.strip("+") not in ("callbacks", "logger", *_TRAINER))]
    for name in options:
        value = f" ({given[name]})" if name in given else ""
        lines.append(f"  --trainer.{name}{value}  {_TRAINER.get(name, '')}".rstrip())
    return lines
