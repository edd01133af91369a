"""The page about scaling: its scripts are what bash and sbatch take, its commands belong together."""

import re
import shlex
import subprocess

import pytest
import yaml
from page_commands import ROOT, commands, fenced
from torch.distributed.run import get_args_parser

PAGE = ROOT / "docs" / "scaling.md"
CACHE_AND_HEAD = ("data.init_args.cache_dir", "model.init_args.classifier.init_args.model")


BLOCKS = fenced(PAGE)


def test_the_page_has_commands_of_every_kind():
    programs = [command.program for command in commands(PAGE)]
    assert {"train.py", "eval.py", "emoquant"} == set(programs)
    assert len(programs) >= 7


def test_every_command_is_of_one_encoder_and_one_cache():
    """What the extraction puts into the store is what training and sweep look for, and classify with."""
    encoder, cache, head = (f"--{name} " for name in ("data.init_args.encoder.init_args.model", *CACHE_AND_HEAD))
    extractions = [command for command in commands(PAGE) if command.words[0] == "extract"]
    found = {str(yaml.safe_load(command.words[2])["init_args"]["model"]) for command in extractions}
    caches = {command.words[command.words.index("--cache_dir") + 1] for command in extractions}
    assert (len(found), len(caches)) == (1, 1)
    (model,), (folder,) = found, caches
    runs = [command for command in commands(PAGE) if command.program != "emoquant"]
    assert len(runs) >= 5
    for command in runs:
        assert encoder + model in str(command)
        assert cache + folder in str(command)
        assert command.program == "train.py" or head + model in str(command)


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
        assert found.training_script in ("emoquant", "train.py")
