"""Every command of README and the other pages is one that the parsers know, every file that they name is there."""

import shlex

import pytest
from page_commands import PAGES, ROOT, Command, commands, named_files, parse

README = ROOT / "README.md"


def is_plain(command):
    """Whether it is a shipped YAML alone, which tests/test_configs.py parses."""
    return command.program in ("train.py", "eval.py") and len(command.words) == 3 and command.words[1] == "--config"


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
    assert {command.program for command in commands(README)} == {"train.py", "eval.py", "emoquant", "emoquant.reports"}
    named = {command.words[0] for command in commands(README) if command.program == "emoquant"}
    assert {"compress", "study", "train-all", "site", "app"} <= named


def test_variables_and_braces_of_a_page_are_written_out():
    train = [c for c in commands(README) if c.program == "train.py" and "configs/data/esd.yaml" in c.words]
    assert "--data.init_args.encoder.init_args.model" in train[0].words
    assert "--trainer.devices" in train[0].words
    assert any("configs/train/codec_happy_sad.yaml" in command.words for command in commands(README))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_files_that_a_page_names_are_there(page):
    assert [name for name in named_files(page) if not (ROOT / name).is_file()] == []


CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def test_the_files_that_configurations_and_their_comments_name_are_there():
    lacking = {(path.name, name) for path in CONFIGS for name in named_files(path) if not list(ROOT.glob(name))}
    assert lacking == set()


@pytest.mark.parametrize("command", ALL)
def test_commands_parse(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    parse(command)


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("emoquant", "compress INPUT OUTPUT --codec runs/codec"),
        ("emoquant", "study --study.jobs 2"),
        ("emoquant", "study configs/eval/lambda_sweep.yaml --test '--model.init_args.nothing 1'"),
        ("train.py", "fit --config configs/train/codec.yaml --trainer.maximal_epochs 3"),
        ("eval.py", "fit --config configs/eval/lambda_sweep.yaml"),
        ("emoquant.reports", "runs/codec --pages all"),
        ("benchmarks/voice.py", "--nothing-of-the-kind"),
    ],
)
def test_a_wrong_command_is_found(program, line, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit):
        parse(Command(program, tuple(shlex.split(line))))
