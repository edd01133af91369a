"""Every command on the page about scaling is one that the parsers know."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from emoquant.__main__ import main
from emoquant.cli import evaluate, train

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "scaling.md"


def blocks():
    return re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def commands():
    text = "\n".join(blocks())
    text = text.replace("\\\n", " ")
    text = text.replace("$SLURM_ARRAY_TASK_ID", "3").replace("$SLURM_ARRAY_TASK_COUNT", "16").replace("$HEAD", "head")
    for line in text.splitlines():
        for begin in ("train.py ", "eval.py ", "emoquant "):
            if begin in line and not line.startswith("#"):
                yield begin.strip(), shlex.split(line[line.index(begin) + len(begin) :])
                break


def test_the_page_has_commands_of_every_kind():
    kinds = [kind for kind, _ in commands()]
    assert {"train.py", "eval.py", "emoquant"} == set(kinds)
    assert len(kinds) >= 7


@pytest.mark.parametrize("block", blocks(), ids=range(len(blocks())))
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
    options = [word for block in blocks() for line in re.findall(r"#SBATCH (.*)", block) for word in line.split()]
    assert {word.removeprefix("--").partition("=")[0] for word in options} <= SBATCH | {"requeue", "signal"}


def test_torchrun_takes_its_options():
    lines = [line for line in "\n".join(blocks()).replace("\\\n", " ").splitlines() if line.startswith("torchrun")]
    assert len(lines) >= 2
    for line in lines:
        found = get_args_parser().parse_args(shlex.split(line)[1:])
        assert found.training_script in ("emoquant", "train.py")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "words"), list(commands()), ids=lambda value: value if isinstance(value, str) else "")
def test_commands_parse(kind, words, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    run = {"train.py": train, "eval.py": evaluate, "emoquant": main}[kind]
    with pytest.raises(SystemExit) as ended:
        run([*words, "--print_config"])
    assert ended.value.code in (0, None), capsys.readouterr().err
