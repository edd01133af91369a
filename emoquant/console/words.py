"""The words of the command line, turned into what LightningCLI reads.

``emoquant fit codec --data esd --encoder iic/emotion2vec_plus_base --folder runs/esd --seed 1`` names a shipped
configuration, a corpus, an encoder, the folder of the runs and the seed once each; LightningCLI wants paths of YAMLs
and the arguments of classes. All functions here work on lists of words; nothing heavy is imported.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.storage.documents import parse_yaml, read_config
from emoquant.storage.runs import RUNS, Begun, begun_in
from emoquant.storage.shipped import CONFIGS, find_config, shipped_path

#: Folders of ``configs/`` that a word after a command is looked up in.
KINDS = {"fit": ("train",), "validate": ("train",), "test": ("eval", "followup", "train"), "predict": ("listen",)}
#: Words that take several values: ``--emotions angry happy`` or ``--emotions angry,happy``.
LISTS = ("--emotions", "--seeds")
#: Words that stand for an option of LightningCLI.
SHORT = {"--seed": "--seed_everything", "--devices": "--trainer.devices"}
#: Data of a configuration that names none, in a folder that remembers none.
DEFAULT_DATA = "rendered"


class Line(NamedTuple):
    """A command line in words.

    Attributes:
        command: ``"fit"``, ``"validate"``, ``"test"`` or ``"predict"``.
        configs: The YAMLs that it names, in their order.
        data: Value of ``--data``; None if it is not said.
        folder: Value of ``--folder``.
        encoder: Value of ``--encoder``; None if it is not said.
        emotions: Value of ``--emotions``; None if it is not said.
        rest: All other words.
    """

    command: str
    configs: list[Path]
    data: str | None
    folder: str
    encoder: str | None
    emotions: list[str] | None
    rest: list[str]


def parse_line(command: str, args: Sequence[str]) -> Line:
    """Read the words after a command.

    Args:
        command: ``"fit"``, ``"validate"``, ``"test"`` or ``"predict"``.
        args: What follows it.

    Raises:
        FileNotFoundError: A configuration is neither shipped nor a file.
        ValueError: A word lacks its value.
    """
    words = gather_lists(args)
    configs: list[Path] = []
    found: dict[str, str] = {}
    rest: list[str] = []
    begun = False  # configurations come before all flags but --config
    index = 0
    while index < len(words):
        word, _, value = words[index].partition("=")
        index += 1
        takes = word in ("-c", "--config", "--data", "--folder", "--encoder", "--emotions", *SHORT)
        if not word.startswith("-") and not begun:
            configs.append(find_config(words[index - 1], KINDS[command]))
            continue
        begun = begun or word not in ("-c", "--config")
        if not takes:
            rest.append(words[index - 1])
            continue
        if not value:
            if index == len(words):
                raise ValueError(f"{word} lacks its value")
            value = words[index]
            index += 1
        if word in ("-c", "--config"):
            configs.append(find_config(value, KINDS[command]))
        elif word in SHORT:
            rest += [SHORT[word], value]
        else:
            found[word] = value
    emotions = json.loads(found["--emotions"]) if "--emotions" in found else None
    folder = found.get("--folder", RUNS)
    return Line(command, configs, found.get("--data"), folder, found.get("--encoder"), emotions, rest)


def gather_lists(args: Sequence[str]) -> list[str]:
    """Return words in which the values of a word that takes several are one JSON list.

    Example:
        >>> gather_lists(["codec", "--emotions", "angry", "happy", "--seed", "1"])
        ['codec', '--emotions', '["angry", "happy"]', '--seed', '1']
    """
    words: list[str] = []
    for arg in args:
        word, _, value = arg.partition("=")
        if word in LISTS:
            words += [word, *([value] if value else [])]
        elif len(words) > 1 and words[-2] in LISTS and not arg.startswith("-"):
            words[-1] = f"{words[-1]},{arg}"
        else:
            words.append(arg)
    for place, word in enumerate(words[:-1]):
        if word in LISTS and words[place + 1].startswith("{"):
            continue  # a mapping: what names of emotions mean
        if word not in LISTS:
            continue
        if not words[place + 1].startswith("["):
            words[place + 1] = json.dumps([part.strip() for part in words[place + 1].split(",") if part.strip()])
        else:
            words[place + 1] = json.dumps(parse_yaml(words[place + 1], word))
    return words


def data_argument(word: str) -> str:
    """Return the argument that LightningCLI takes for a word after ``--data``: a YAML's path, or JSON for a CSV.

    Args:
        word: A shipped name, a path of a YAML, of a CSV, or of another table of utterances; a class path stays.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if Path(word).suffix.lower() in (".csv", ".tsv", ".txt"):
        if not Path(word).is_file():
            raise FileNotFoundError(
                f"--data {word}: no such file; expected a table with the columns path and emotion "
                "(emoquant manifest FOLDER writes one)"
            )
        corpus = {"class_path": "emoquant.data.ManifestCorpus", "init_args": {"manifest": word}}
        init = {"corpora": corpus, "emotions": None}
        return json.dumps({"class_path": "emoquant.data.EmotionDataModule", "init_args": init})
    if word.lstrip().startswith("{") or ("." in word and "/" not in word and Path(word).suffix[1:2].isupper()):
        return word
    return str(find_config(word, ("data",)))


def is_of_features(config: Mapping[str, Any], beside: Path = Path()) -> bool:
    """Whether a configuration works on frame features, and so on the data that a folder of runs remembers.

    It does if it names no data of its own, or an ``EmotionDataModule``.

    Args:
        config: Content of a configuration.
        beside: Folder that a YAML named in it is relative to.
    """
    data = config.get("data")
    if isinstance(data, str) and (beside / data).is_file():
        data = read_config(beside / data)
    if isinstance(data, Mapping):
        return str(data.get("class_path", "EmotionDataModule")).endswith("EmotionDataModule")
    return data is None


class Setting(NamedTuple):
    """What a command line comes to beside its folder.

    Attributes:
        args: Arguments for LightningCLI.
        name: Name of the run, which may hold ``{train_emotions}``.
        folder: Folder of the runs.
        begins: What the folder is begun with by this command; None if it was begun before or is not begun by it.
    """

    args: list[str]
    name: str
    folder: str
    begins: Begun | None


def settle(line: Line) -> Setting:
    """Return what LightningCLI reads for a command line, with what its folder of runs remembers.

    Raises:
        ValueError: The folder was begun with other data, another encoder or other emotions.
    """
    configs = [read_config(path) for path in line.configs]
    merged = {key: value for config in configs for key, value in config.items() if key != "data" or _names_data(value)}
    beside = next((path.parent for path, config in zip(line.configs, configs, strict=True) if "data" in config), Path())
    featured = is_of_features(merged, beside)
    name = str(merged.get("name") or (line.configs[0].stem if line.configs else "run"))
    before = begun_in(Path(line.folder)) if featured else None
    said = Begun(line.data, line.encoder, line.emotions)
    if line.command == "fit" and before is not None:
        require_same(line.folder, before, said)
    elif before is not None and _other_data(before, said):
        name = f"{name}@{_slug(said.data or DEFAULT_DATA)}"
    used = said
    if before is not None:
        used = Begun(
            said.data or before.data,
            said.encoder or before.encoder,
            before.emotions if said.emotions is None else said.emotions,
        )
    data = used.data
    if data is None and "data" not in merged and line.configs:
        data = DEFAULT_DATA
    said_data = [] if data is None else ["--data", data_argument(data)]
    # Options of a configuration for whatever data there are come after these, data that it names before.
    only_options = "data" not in merged and any("data" in config for config in configs)
    settings = [word for path in line.configs for word in ("--config", str(path))]
    args = [line.command, *(said_data + settings if only_options or used.data is None else settings + said_data)]
    if used.encoder is not None:
        args += ["--encoder", used.encoder]
    if used.emotions is not None:
        args += ["--emotions", json.dumps(used.emotions)]
    args += ["--folder", line.folder, *line.rest]
    begins = said if line.command == "fit" and before is None and featured else None
    return Setting(args, name, line.folder, begins)


def _names_data(value: Any) -> bool:  # noqa: ANN401 - part of a YAML
    """Whether the data of a configuration are some, not only options of whatever data there are."""
    return not isinstance(value, Mapping) or "class_path" in value


def _other_data(before: Begun, said: Begun) -> bool:
    return said.data is not None and _normal(said.data) != _normal(before.data or DEFAULT_DATA)


def require_same(folder: str, before: Begun, said: Begun) -> None:
    """Refuse a training with other data, encoder or emotions than those of the folder's first one.

    Args:
        folder: Folder of runs.
        before: What it was begun with.
        said: What a command says now; None for what it does not say.

    Raises:
        ValueError: They differ.
    """
    for field in Begun._fields:
        old, new = getattr(before, field), getattr(said, field)
        if new is None:
            continue
        default = DEFAULT_DATA if field == "data" else "the default"
        if _normal(old if old is not None else default) != _normal(new):
            raise ValueError(
                f"{folder} was begun with --{field} {_shown(old or default)}, not {_shown(new)}: runs that build on "
                f"each other share them; leave --{field} out, or name another folder: --folder {RUNS}/NAME"
            )


def _normal(value: Any) -> Any:  # noqa: ANN401 - a word or a list of words
    """Return a word such that two spellings of one file or name are equal."""
    if not isinstance(value, str):
        return value
    named = CONFIGS / "data" / f"{value}.yaml"
    path = named if named.is_file() else shipped_path(value)
    return str(path.resolve()) if path.exists() else value


def _shown(value: Any) -> str:  # noqa: ANN401 - a word or a list of words
    return " ".join(value) if isinstance(value, list) else str(value)


def _slug(data: str) -> str:
    path = Path(data)
    return path.parent.name if path.stem in ("utterances", "manifest", "metadata") and path.parent.name else path.stem
