"""Every command of README and the other pages is one that the parsers know, every file that they name is there."""

import shlex

import pytest
from page_commands import PAGES, ROOT, TASKS, Command, commands, named_files, parse

README = ROOT / "README.md"


def is_plain(command):
    """Whether it is a shipped configuration alone, which tests/test_configs.py parses."""
    return command.program == "emoquant" and len(command.words) == 2 and command.words[0] in TASKS


ALL = [
    pytest.param(
        command,
        id=f"{page.parent.name}/{page.stem}: {command}"[:90],
        marks=[pytest.mark.slow] if page != README or is_plain(command) else [],
    )
    for page in PAGES
    for command in commands(page)
    if page == README or command not in commands(README)
]


def test_the_readme_has_commands_of_every_kind():
    assert len(commands(README)) >= 25
    assert {command.program for command in commands(README)} <= {"emoquant", "benchmarks/run.py"}
    named = {command.words[0] for command in commands(README) if command.program == "emoquant"}
    assert {"fit", "test", "predict", "study", "reports", "manifest", "compress", "site", "app"} <= named


PAGE = """
Say `emoquant fit`, or `emoquant compress --encoder`: these are names. `emoquant fit codec
--data esd` is a command, and so is

    emoquant study --jobs 2

```bash
export MORE="--encoder iic/base --devices 4"
for name in {codec,probe}; do true; done
emoquant fit codec $MORE --folder runs/{one,two}
torchrun --nproc-per-node 4 -m emoquant extract --data esd --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT
srun python train.py fit --config configs/train/codec.yaml
pip install emoquant
```
"""


def test_a_page_is_read_as_a_shell_reads_it(tmp_path):
    (tmp_path / "page.md").write_text(PAGE)
    assert [str(command) for command in commands(tmp_path / "page.md")] == [
        "emoquant fit codec --encoder iic/base --devices 4 --folder runs/one runs/two",
        "emoquant extract --data esd --shard 3/16",
        "train.py fit --config configs/train/codec.yaml",
        "emoquant study --jobs 2",
        "emoquant fit codec --data esd",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_files_that_a_page_names_are_there(page):
    assert [name for name in named_files(page) if not (ROOT / name).is_file()] == []


CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def test_the_files_that_configurations_and_their_comments_name_are_there():
    lacking = {(path.name, name) for path in CONFIGS for name in named_files(path) if not list(ROOT.glob(name))}
    assert lacking == set()


@pytest.mark.parametrize("command", ALL)
def test_commands_parse(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parse(command, tmp_path)


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("emoquant", "compress INPUT OUTPUT --codec runs/codec"),
        ("emoquant", "study --study.jobs 2"),
        ("emoquant", "study lambda_sweep --test '--model.init_args.nothing 1'"),
        ("emoquant", "study lambda_sweep --fit '--trainer.maximal_epochs 1'"),
        ("emoquant", "study lamda_sweep"),
        ("emoquant", "train-all codec"),
        ("emoquant", "test lambda_sweep --data corpora"),
        ("emoquant", "fit tts_toy --train_emotions happy"),
        ("train.py", "fit --config configs/train/codec.yaml --trainer.maximal_epochs 3"),
        ("eval.py", "test --config configs/train/lambda_sweep.yaml"),
        ("emoquant", "fit lambda_sweep"),
        ("emoquant", "reports runs/codec --pages all"),
        ("emoquant.reports", "runs/codec"),
        ("benchmarks/voice.py", "--nothing-of-the-kind"),
    ],
)
def test_a_wrong_command_is_found(program, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        parse(Command(program, tuple(shlex.split(line))), tmp_path)
    assert ended.value.code != 0
