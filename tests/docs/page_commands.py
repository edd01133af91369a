"""The commands of the pages, divided by a shell that runs nothing, and the parsers that they are for."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from torch.distributed.run import get_args_parser

from emoquant.__main__ import main
from emoquant.cli import COMMANDS as TASKS
from emoquant.cli import EmoquantCLI
from emoquant.commands import study
from emoquant.commands.parsing import Parser
from emoquant.console.encoder_words import encoder_spec
from emoquant.console.words import DEFAULT_DATA
from emoquant.labels import SPELLINGS
from emoquant.storage.documents import read_config
from emoquant.storage.shipped import find_config
from emoquant.study.corpus import Offer
from emoquant.study.plan import Step
from emoquant.study.running import Runner

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md"] + [
    path for folder in ("docs", "checkpoints", "benchmarks") for path in sorted((ROOT / folder).rglob("*.md"))
]
#: A restricted shell without PATH finds no program, may not write, and tells every command that it was asked for.
_SHELL = """
command_not_found_handle() { printf '%s\\037' "$@"; printf '\\036'; }
SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=16 HEAD=head
"""


class Command(NamedTuple):
    """A command of a page: the program that reads the words, and the words."""

    program: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.program, *self.words))


class ParsedError(Exception):
    """The command line was right; whatever follows is not run."""


def fenced(page: Path) -> list[str]:
    """Return the shell blocks of a page, fenced or indented."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return blocks + re.findall(r"(?:(?<=\n\n)|\A)((?: {4}\S.*\n(?: {4,}.*\n)*)+)", _without_fences(text))


def inline(page: Path) -> list[str]:
    """Return what a page's prose and tables put into backticks, where it is a command and not the name of one."""
    found = re.findall(r"`([^`]+)`", _without_fences(page.read_text(encoding="utf-8")))
    found = [" ".join(code.split()) for code in found]
    mention = re.compile(r"emoquant (fit|validate|test|predict|compress|decompress|manifest)( --.*)?")
    return [code for code in found if re.match(r"(python|emoquant|torchrun) ", code) and not mention.fullmatch(code)]


def _without_fences(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


@cache
def commands(page: Path) -> list[Command]:
    """Return the project's own commands of a page, each once; environment variables hold from block to block."""
    done = subprocess.run(
        [str(shutil.which("bash")), "-r", "-c", "\n".join([_SHELL, *fenced(page), *inline(page)])],
        cwd=ROOT, env={"PATH": "/nowhere"}, text=True, capture_output=True, check=False,
    )  # fmt: skip
    lines = [line.split("\037")[:-1] for line in done.stdout.split("\036")[:-1]]
    return list(dict.fromkeys(command for line in lines for command in _own(line)))


def _own(words: Sequence[str]) -> Iterator[Command]:
    if words[0] == "srun":
        words = words[1:]
    if words[0] == "torchrun":
        found = get_args_parser().parse_args(words[1:])
        words = ["python", *(["-m"] if found.module else []), found.training_script, *found.training_script_args]
    if words[0] == "emoquant":
        yield Command("emoquant", tuple(words[1:]))
    elif words[:2] == ["python", "-m"] and words[2].startswith("emoquant"):
        yield Command(words[2], tuple(words[3:]))
    elif words[0] == "python" and words[1].startswith(("train.py", "eval.py", "benchmarks/")):
        yield Command(words[1], tuple(words[2:]))


def named_files(page: Path) -> list[str]:
    """Return the configurations and scripts of the repository that a page or a YAML names, braces written out."""
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"(?<![\w/.])(?:configs|benchmarks|checkpoints|docs|tests)/[\w{},./-]+\.(?:yaml|py|md)\b", text)
    found = []
    for name in names:
        choices = re.search(r"\{(.*)\}", name)
        found += [name.replace(choices[0], each) for each in choices[1].split(",")] if choices else [name]
    return [name for name in dict.fromkeys(found) if "NAME" not in name]


def parse(command: Command, place: Path) -> None:
    """Give a command to its parser and stop there; what a study gives to its runs goes to theirs.

    Args:
        command: The command.
        place: An empty folder to give it in; what is shipped and the tables that it names are laid there.

    Raises:
        SystemExit: The parser does not take it.
    """
    program, words = command
    for shipped in ("configs", "checkpoints"):
        (place / shipped).symlink_to(ROOT / shipped)
    for table in (place / word for word in words if word.endswith(".csv")):
        table.parent.mkdir(parents=True, exist_ok=True)
        table.touch()
    if program.startswith("benchmarks/"):
        _check_benchmark(program, words)
    elif program not in ("train.py", "eval.py", "emoquant"):
        raise SystemExit(f"{program}: no such program")
    elif words and words[0] in TASKS and "--help" not in words:
        _parse_run(words)
    elif words and words[0] == "study" and "--help" not in words:
        for step in _first_of_each_kind(_steps(words)):
            _parse_run(step.args)
    else:
        _until_parsed(words)


def _check_benchmark(program: str, words: Sequence[str]) -> None:
    """Look for the script and its options in the text of all of them, without a parser: some share theirs."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    options = [word.strip("[]") for word in words if word.strip("[]").startswith("--")]
    unknown = [option for option in options if f'"{option}"' not in text]
    if unknown or not (ROOT / program).is_file():
        raise SystemExit(f"{program}: no such script, or it does not know {unknown}")


def _parse_run(words: Sequence[str]) -> None:
    """Parse a training or an evaluation, and carry its words into the options of data, model and trainer."""
    _until_parsed(words, EmoquantCLI, "instantiate_classes")


def _until_parsed(words: Sequence[str], kind: type = Parser, method: str = "instantiate") -> None:
    """Run a command up to where its options are parsed and classes would be made."""

    def stop(*_: object, **__: object) -> None:
        raise ParsedError

    try:
        with patch.object(kind, method, stop):
            main(list(words))
    except ParsedError:
        return
    except SystemExit as ended:
        if ended.code == 0:  # help, or the version
            return
        raise
    raise AssertionError(f"{words} ran")


def _steps(words: Sequence[str]) -> list[Step]:
    """Return the trainings and evaluations of a study of a corpus that has everything that its words ask for."""
    found: list[Step] = []

    def collect(_: Runner, steps: Sequence[Step]) -> None:
        found.extend(steps)
        raise ParsedError

    with (
        patch.object(study, "open_data", lambda begun: begun),
        patch.object(study, "look_at", _everything),
        patch.object(Runner, "run", collect),
    ):
        try:
            main(list(words))
        except ParsedError:
            return found
    if "--dry_run" in words:
        return []
    raise AssertionError(f"{words} ran nothing")


def _everything(begun: study.Begun) -> Offer:
    encoder_spec(begun.encoder)
    data = begun.data or DEFAULT_DATA
    described = {} if data.endswith(".csv") else read_config(find_config(data, ("data",)))["init_args"]
    emotions = begun.emotions or described.get("emotions") or list(SPELLINGS)[:5]
    counts = dict.fromkeys(("train", "validation", "test"), 100)
    return Offer("corpus", emotions, [], counts, True, True, 4, 2.0, "the encoder has no head")


def _first_of_each_kind(steps: Sequence[Step]) -> list[Step]:
    """Return the first training of codecs and the first evaluation: all of them get the same words."""
    kinds: Mapping[bool, list[Step]] = {True: [], False: []}
    for step in steps:
        if not step.trains or read_config(step.config)["model"]["class_path"].endswith("CodecTask"):
            kinds[step.trains].append(step)
    return [*kinds[True][:1], *kinds[False][:1]]
