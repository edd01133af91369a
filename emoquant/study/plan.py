"""Which trainings and evaluations a study needs, in an order in which they can be run."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from emoquant.codecs.specs import expand, runs_named
from emoquant.data.selection import REST
from emoquant.labels import SPELLINGS
from emoquant.storage.documents import inlined, read_config
from emoquant.storage.files import read_text
from emoquant.storage.shipped import CONFIGS, config_names, find_config
from emoquant.study.corpus import Offer

#: What fills a placeholder in the name of a configuration whose runs are named after what they are trained on or with.
_PLACEHOLDERS = {"train_emotions": "[a-z0-9_]+", "codewords": "[0-9]+", "layers": "[0-9]+"}


#: Folders of ``configs/`` with experiments that a study runs only where it is asked to.
GROUPS = ("followup",)


class Step(NamedTuple):
    """One training or evaluation.

    Attributes:
        name: Name of the run.
        args: Command line after ``emoquant``.
        config: Its YAML.
        needs: Names of the runs that must be finished before.
    """

    name: str
    args: tuple[str, ...]
    config: Path
    needs: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether it is a training."""
        return self.args[0] == "fit"


class Experiment(NamedTuple):
    """An evaluation of a study.

    Attributes:
        name: Its name.
        config: Its YAML.
        about: First comment line of the YAML.
        needs: What it needs of the data.
        content: Content of the YAML.
    """

    name: str
    config: Path
    about: str
    needs: tuple[str, ...]
    content: Mapping[str, Any]


class Plan(NamedTuple):
    """What a study does.

    Attributes:
        steps: Trainings and evaluations, each after what it needs.
        left_out: Why an experiment is left out, by its name.
    """

    steps: list[Step]
    left_out: dict[str, str]


def read_experiment(path: Path) -> Experiment:
    """Return the experiment of an evaluation's YAML.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The YAML is no evaluation of codecs, or does not list what it needs.
    """
    content = read_config(path)
    first = read_text(path).partition("\n")[0]
    about = first.lstrip("# ").strip() if first.startswith("#") else ""
    if "codecs" not in _init_args(content):
        raise ValueError(f"{path} is no experiment: expected the YAML of an evaluation with `codecs:` in its model")
    needs = content.get("needs") or []
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise ValueError(f"{path}: needs is {needs!r}; expected a list of votes, pairs or emotions")
    return Experiment(path.stem, path, about, tuple(needs), content)


def shipped_experiments() -> list[Experiment]:
    """Return every shipped experiment, those that build on the fewest runs first."""
    found = [read_experiment(CONFIGS / "eval" / f"{name}.yaml") for name in config_names("eval")]
    return sorted(found, key=lambda each: (len(_named(each, list(SPELLINGS)[:5])), each.name != "lambda_sweep"))


def experiments_named(word: str) -> list[Experiment]:
    """Return the experiments that a word stands for: one by its name or path, or all of a folder of ``configs/``.

    Raises:
        FileNotFoundError: There is none.
        ValueError: The YAML is no evaluation of codecs.
    """
    if word in GROUPS:
        return [read_experiment(CONFIGS / word / f"{name}.yaml") for name in config_names(word)]
    return [read_experiment(find_config(word, ("eval", *GROUPS)))]


def make_plan(
    experiments: Sequence[Experiment], offer: Offer, words: Sequence[str], classifiers: Sequence[str] = ()
) -> Plan:
    """Return the trainings and evaluations that the data allow.

    Args:
        experiments: The experiments that are asked for.
        offer: What the corpus offers.
        words: Words of every command (``--data``, ``--folder``, ``--seed`` ...).
        classifiers: Classifiers of every evaluation, as ``--model.classifiers`` names them; those that are bare names
            are trained. By default the encoder's head, or a probe where it will not do.

    Raises:
        FileNotFoundError: A run that an experiment builds on has no configuration to train it with.
    """
    trainings: dict[str, Step] = {}
    evaluations: list[Step] = []
    left_out: dict[str, str] = {}
    named = [word for word in classifiers if word != "head" and len(Path(word).parts) == 1 and "=" not in word]
    wanted = named if classifiers else ["probe"] if offer.probe else []
    probes = [_training(name, CONFIGS / "eval", words)[0] for name in wanted]
    asked = ("--model.classifiers", json.dumps([*classifiers])) if classifiers else ()
    for experiment in experiments:
        found = [_training(name, experiment.config.parent, words) for name in _named(experiment, offer.emotions)]
        emotions = [emotion for _, trained in found for emotion in trained]
        reason = offer.reason_against(experiment.needs, emotions)
        if reason:
            left_out[experiment.name] = reason
            continue
        needed = [*(step for step, _ in found), *probes]
        trainings |= {step.name: step for step in needed}
        args = ("test", str(experiment.config), *words, *asked)
        names = tuple(dict.fromkeys(step.name for step in needed))
        evaluations.append(Step(experiment.name, args, experiment.config, names))
    return Plan([*trainings.values(), *evaluations], left_out)


def _named(experiment: Experiment, emotions: Sequence[str]) -> list[str]:
    """Return the runs that an experiment builds on, by their bare names; paths need no training."""
    specs = expand(_init_args(experiment.content)["codecs"], emotions)
    return [name for name in runs_named(specs) if len(Path(name).parts) == 1]


def _init_args(content: Mapping[str, Any]) -> Mapping[str, Any]:
    model = content.get("model")
    found = model.get("init_args") if isinstance(model, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _training(name: str, beside: Path, words: Sequence[str]) -> tuple[Step, list[str]]:
    """Return the training of a run, and the emotions that it is restricted to."""
    folders = [beside.parent / "train", CONFIGS / "train"]
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return Step(name, ("fit", str(path), *words), path), []
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        found = _filling(name, str(read_config(path).get("name") or ""))
        shares = {} if found is None else _shares(found.pop("train_emotions", ""))
        if found is None or shares is None:
            continue
        more = [word for key, value in found.items() for word in (f"--model.quantizer.{key}", value)]
        if shares:
            more = ["--train_emotions", ",".join(f"{emotion}={share:g}" for emotion, share in shares.items()), *more]
        return Step(name, ("fit", str(path), *more, *words), path), [each for each in shares if each != REST]
    raise FileNotFoundError(f"no configuration trains the run {name!r}: expected {folders[0] / name}.yaml")


def _filling(name: str, template: str) -> dict[str, str] | None:
    """Return what fills the placeholders of a template to give a run's name; None if it has none or does not fit.

    Example:
        >>> _filling("rvq_2x32_happy95", "rvq_{codewords}x{layers}_{train_emotions}")
        {'codewords': '2', 'layers': '32', 'train_emotions': 'happy95'}
        >>> _filling("codec", "codec")
    """
    parts = re.split(r"\{(\w+)\}", template)
    if len(parts) < 3 or not {*parts[1::2]} <= {*_PLACEHOLDERS}:
        return None
    pattern = "".join(
        f"(?P<{part}>{_PLACEHOLDERS[part]})" if place % 2 else re.escape(part) for place, part in enumerate(parts)
    )
    found = re.fullmatch(pattern, name)
    return None if found is None else found.groupdict()


def _shares(text: str) -> dict[str, float] | None:
    """Return the shares that a run's name says; None if it names something else, nothing for an empty text.

    Example:
        >>> _shares("happy_sad"), _shares("happy95"), _shares("x")
        ({'happy': 0.5, 'sad': 0.5}, {'happy': 0.95, 'rest': 0.05}, None)
    """
    pairs = [re.fullmatch(r"([a-z]+)([0-9]*)", part) for part in text.split("_")] if text else []
    known = [pair.groups() for pair in pairs if pair is not None and pair[1] in SPELLINGS]
    percents = [percent for _, percent in known if percent]
    if len(known) < len(pairs) or len(percents) not in (0, len(known)):
        return None
    shares = {emotion: int(percent) / 100 if percent else 1 / len(known) for emotion, percent in known}
    rest = round(1 - sum(shares.values()), 6)
    return shares | ({REST: rest} if shares and rest > 0 else {})


def digest_of(step: Step, needed: Sequence[str]) -> str:
    """Return a digest of what decides a run: its configuration with all that it names, its words, what it builds on.

    Args:
        step: The run.
        needed: Digests of the runs that it builds on.
    """
    configs = [inlined(CONFIGS / "trainer.yaml"), inlined(step.config)]
    for word, value in zip(step.args, [*step.args[1:], ""], strict=True):
        if word in ("--data", "--encoder") and Path(value).is_file():
            configs.append(hashlib.sha256(Path(value).read_bytes()).hexdigest())
    text = json.dumps([step.args, configs, sorted(needed)], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
