"""The commands of the pages, divided by a shell that runs nothing, and the parsers that they are for."""

import argparse
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import jsonargparse
from emoquant.commands.runs import RUNS, Run
from emoquant.reports.__main__ import main as redraw
from torch.distributed.run import get_args_parser

from emoquant.__main__ import main
from emoquant.cli import EmoquantCLI, evaluate, train
from emoquant.commands import study

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
    mention = re.compile(r"emoquant (compress|decompress|extract|check-data)( --.*)?")
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


def parse(command: Command) -> None:
    """Give a command to its parser and stop there; what a study gives to its runs goes to theirs.

    Raises:
        SystemExit: The parser does not take it.
    """
    program, words = command
    if program.startswith("benchmarks/"):
        _check_benchmark(program, words)
    elif program in ("train.py", "eval.py"):
        _parse_run(program, words)
    elif program == "emoquant.reports":
        _until_parsed(redraw, words)
    else:
        assert program == "emoquant", program
        _until_parsed(main, words)
        if words[0] in ("study", "train-all") and ("--" in words or "--fit" in words or "--test" in words):
            for run in _runs(words):
                _parse_run("train.py" if run.command == "fit" else "eval.py", run.arguments([""])[2:])


def _check_benchmark(program: str, words: Sequence[str]) -> None:
    """Look for the script and its options in the text of all of them, without a parser: some share theirs."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    options = [word.strip("[]") for word in words if word.strip("[]").startswith("--")]
    unknown = [option for option in options if f'"{option}"' not in text]
    if unknown or not (ROOT / program).is_file():
        raise SystemExit(f"{program}: no such script, or it does not know {unknown}")


def _parse_run(program: str, words: Sequence[str]) -> None:
    # A study writes its YAMLs again beside its runs.
    words = [re.sub(r"^runs/\w+/(?=configs/)", "", word) for word in words]

    def stop(_: EmoquantCLI) -> None:
        raise ParsedError

    with patch.object(EmoquantCLI, "before_instantiate_classes", stop):
        _until_parsed(train if program == "train.py" else evaluate, words)


def _until_parsed(run: Callable[[list[str]], object], words: Sequence[str]) -> None:
    """Run a command whose parsers only parse."""
    original = argparse.ArgumentParser.parse_args

    def parse_args(parser, *args, **kwargs):
        original(parser, *args, **kwargs)
        raise ParsedError

    def auto_cli(components, args, prog):
        jsonargparse.auto_parser(components, prog=prog).parse_args(args)
        raise ParsedError

    try:
        with patch.object(argparse.ArgumentParser, "parse_args", parse_args), patch("jsonargparse.auto_cli", auto_cli):
            run(list(words))
    except ParsedError:
        return
    raise AssertionError(f"{words} ran")


def _runs(words: Sequence[str]) -> list[Run]:
    """Return the first training and the first evaluation of a study."""
    found = []

    def collect(runs, *_):
        found.extend(runs[:1])
        if runs[0].command == "test" or words[0] == "train-all":
            raise ParsedError

    with patch.object(study, "run_all", collect):
        try:
            (study.study if words[0] == "study" else study.train_all)(list(words[1:]))
        except ParsedError:
            return [run._replace(root=RUNS) for run in found]
    raise AssertionError(f"{words} ran nothing")
