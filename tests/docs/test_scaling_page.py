"""The page about scaling: its scripts are what bash and sbatch take, its commands belong together."""

import re
import shlex
import subprocess

import pytest
from page_commands import ROOT, commands, fenced
from torch.distributed.run import get_args_parser

PAGE = ROOT / "docs" / "scaling.md"


BLOCKS = fenced(PAGE)


def value(command, word):
    """Return what a command says for a word; None if it does not say it."""
    return dict(zip(command.words, [*command.words[1:], ""], strict=True)).get(word)


def test_the_page_has_commands_of_every_kind():
    assert {command.program for command in commands(PAGE)} == {"emoquant"}
    assert {"extract", "fit", "test", "compress"} <= {command.words[0] for command in commands(PAGE)}
    assert len(commands(PAGE)) >= 7


def test_every_command_is_of_one_corpus_and_one_encoder():
    """What the extraction puts into the store is what training and sweep look for; a folder remembers it."""
    said = [
        command
        for command in commands(PAGE)
        if command.words[0] in ("extract", "fit", "study") and value(command, "--data")
    ]
    assert len(said) >= 4
    for word in ("--data", "--encoder", "--cache_dir", "--data.cache_dir"):
        assert len({value(command, word) for command in said}) == 1, word
    begun = {value(command, "--folder") for command in said if command.words[0] != "extract"}
    rest = [c for c in commands(PAGE) if c not in said and (c.words[0] == "test" or value(c, "--folder"))]
    assert rest
    for command in rest:
        assert value(command, "--folder") in begun, f"{command}: no command before it begins the folder"
        assert value(command, "--encoder") is None


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_are_bash(block):
    done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    if "#SBATCH" in block:
        lines = block.splitlines()
        assert lines[0] == "#!/bin/bash"
        last = max(number for number, line in enumerate(lines) if line.startswith("#SBATCH"))
        assert all(line.startswith("#SBATCH") for line in lines[1 : last + 1]), "SLURM reads none after a command"


SBATCH = {"job-name", "array", "nodes", "ntasks-per-node", "gpus-per-node", "gpus-per-task", "cpus-per-task", "time"}


def test_options_of_sbatch_are_those_of_its_manual():
    options = [word for block in BLOCKS for line in re.findall(r"#SBATCH (.*)", block) for word in line.split()]
    assert {word.removeprefix("--").partition("=")[0] for word in options} <= SBATCH | {"requeue", "signal"}


def test_torchrun_takes_its_options():
    lines = [line for line in "\n".join(BLOCKS).replace("\\\n", " ").splitlines() if line.startswith("torchrun")]
    assert len(lines) >= 2
    for line in lines:
        found = get_args_parser().parse_args(shlex.split(line)[1:])
        assert (found.module, found.training_script) == (True, "emoquant")
