"""Translation of the words of the command line into arguments of LightningCLI.

``emoquant fit codec --data esd --encoder iic/emotion2vec_plus_base --folder runs/esd --seed 1`` names a shipped
configuration, a corpus, an encoder, the folder of the runs and the seed once each; LightningCLI wants paths of YAMLs
and the arguments of classes. All functions here work on lists of words; nothing heavy is imported.
"""

import json
from collections.abc import Collection, Mapping, Sequence
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
        folder: Value of ``--folder``.
        said: Values of ``--data``, ``--encoder`` and ``--emotions``; None for those that are not there.
        rest: All other words.
    """

    command: str
    configs: list[Path]
    folder: str
    said: Begun
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
    given = iter(words)
    for each in given:
        word, _, value = each.partition("=")
        if not word.startswith("-") and not begun:
            configs.append(find_config(each, KINDS[command]))
            continue
        begun = begun or word not in ("-c", "--config")
        if word not in ("-c", "--config", "--data", "--folder", "--encoder", "--emotions", *SHORT):
            rest.append(each)
            continue
        if not (value := value or next(given, "")) or (word == "--emotions" and value.startswith("-")):
            raise ValueError(f"{word} lacks its value")
        if word in ("-c", "--config"):
            configs.append(find_config(value, KINDS[command]))
        elif word in SHORT:
            rest += [SHORT[word], value]
        else:
            found[word] = value
    emotions = json.loads(found["--emotions"]) if "--emotions" in found else None
    said = Begun(found.get("--data"), found.get("--encoder"), emotions)
    return Line(command, configs, found.get("--folder", RUNS), said, rest)


def gather_lists(args: Sequence[str], in_one: Collection[str] = ()) -> list[str]:
    """Return words in which the values of a word that takes several are one JSON list.

    Args:
        args: The words.
        in_one: Words beside :data:`LISTS` that take several values, but as one word: ``--rates 10,1``.

    Example:
        >>> gather_lists(["codec", "--emotions", "angry", "happy", "--seed", "1"])
        ['codec', '--emotions', '["angry", "happy"]', '--seed', '1']
        >>> gather_lists(["--rates=10,1", "here"], ["--rates"])
        ['--rates', '["10", "1"]', 'here']
    """
    words: list[str] = []
    for arg in args:
        word, _, value = arg.partition("=")
        if word in LISTS or word in in_one:
            words += [word, *([value] if value else [])]
        elif len(words) > 1 and words[-2] in LISTS and not arg.startswith("-") and not words[-1].startswith("--"):
            words[-1] = f"{words[-1]},{arg}"
        else:
            words.append(arg)
    for place, word in enumerate(words[:-1]):
        if word in LISTS or word in in_one:
            words[place + 1] = as_list(word, words[place + 1])
    return words


def as_list(word: str, value: str) -> str:
    """Return the value of a word that takes several as a JSON list; a mapping stays as it is, so does the next option.

    Example:
        >>> as_list("--rates", "10,1"), as_list("--corpora", "esd"), as_list("--seeds", "[0, 1]")
        ('["10", "1"]', '["esd"]', '[0, 1]')
    """
    if value.startswith(("{", "--")):  # it says what names of emotions mean, or the word lacks its value
        return value
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return json.dumps(parse_yaml(value, word) if value.startswith("[") else parts)


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
    """Return whether a configuration uses frame features, and so the data that its folder of runs was started with.

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
    """The arguments of LightningCLI for a command line, and the name and folder of its run.

    Attributes:
        args: Arguments for LightningCLI.
        name: Name of the run, which may hold ``{train_emotions}``.
        folder: Folder of the runs.
        begins: Settings that this command starts the folder with; None if it was started before or is not by this one.
    """

    args: list[str]
    name: str
    folder: str
    begins: Begun | None


def settle(line: Line) -> Setting:
    """Return the arguments of LightningCLI for a command line, completed by the settings of its folder of runs.

    Raises:
        ValueError: The folder was begun with other data, another encoder or other emotions.
    """
    configs = [read_config(path) for path in line.configs]
    merged = {key: value for config in configs for key, value in config.items() if key != "data" or _names_data(value)}
    beside = next((path.parent for path, config in zip(line.configs, configs, strict=True) if "data" in config), Path())
    featured = is_of_features(merged, beside)
    name = str(merged.get("name") or (line.configs[0].stem if line.configs else "run"))
    before = begun_in(Path(line.folder)) if featured else None
    said = line.said
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
    """Check that a training has the data, encoder and emotions of the first one in its folder.

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
