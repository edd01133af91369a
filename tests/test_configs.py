"""Every shipped YAML parses, and what it names exists."""

from pathlib import Path

import pytest
import yaml
from jsonargparse import ArgumentParser

from emoquant.__main__ import main
from emoquant.cli import evaluate, train
from emoquant.entropy import EntropyModel

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"


def shipped(folder: str) -> list[Path]:
    return sorted((CONFIGS / folder).glob("*.yaml"))


def printed_config(command, *args: str, capsys) -> str:
    with pytest.raises(SystemExit) as stop:
        command([*args, "--print_config"])
    out = capsys.readouterr()
    assert stop.value.code == 0, out.err[-2000:]
    return out.out


@pytest.mark.parametrize("path", shipped("train"), ids=lambda p: p.stem)
def test_training_runs_parse(path, capsys):
    config = printed_config(train, "fit", "--config", str(path), capsys=capsys)
    assert f"name: {path.stem}\n" in config, "a run is named like its file"


@pytest.mark.parametrize("path", shipped("eval"), ids=lambda p: p.stem)
def test_experiments_parse(path, capsys):
    config = printed_config(evaluate, "test", "--config", str(path), capsys=capsys)
    assert f"name: {path.stem}\n" in config, "a run is named like its file"


@pytest.mark.parametrize("path", shipped("listen"), ids=lambda p: p.stem)
def test_listening_pages_parse(path, capsys):
    assert f"name: {path.stem}\n" in printed_config(evaluate, "predict", "--config", str(path), capsys=capsys)


@pytest.mark.parametrize("path", shipped("data"), ids=lambda p: p.stem)
def test_corpora_fit_a_training_run(path, capsys):
    run = str(CONFIGS / "train" / "codec.yaml")
    config = printed_config(train, "fit", "--config", run, "--data", str(path), capsys=capsys)
    assert "corpora:" in config


@pytest.mark.parametrize("path", shipped("model/entropy"), ids=lambda p: p.stem)
def test_entropy_models_fit_a_codec(path):
    parser = ArgumentParser()
    parser.add_subclass_arguments(EntropyModel, "entropy")
    model = parser.instantiate(parser.parse_args(["--entropy", str(path)])).entropy
    given = yaml.safe_load(path.read_text())["init_args"]
    assert {name: model.settings()[name] for name in given} == given


@pytest.mark.parametrize("path", shipped("model/tts"), ids=lambda p: p.stem)
def test_architectures_fit_a_voice(path, capsys):
    run = str(CONFIGS / "train" / "tts_base.yaml")
    config = printed_config(train, "fit", "--config", run, "--model.init_args.architecture", str(path), capsys=capsys)
    given = yaml.safe_load(path.read_text())
    parsed = yaml.safe_load(config)["model"]["init_args"]["architecture"]
    assert {name: parsed[name] for name in given} == given


@pytest.mark.parametrize("path", shipped("check"), ids=lambda p: p.stem)
def test_corpora_to_check_parse(path, capsys):
    assert "aligner:" in printed_config(main, "check-data", "--config", str(path), capsys=capsys)


def test_a_misspelt_key_is_named(capsys):
    run = str(CONFIGS / "train" / "codec.yaml")
    with pytest.raises(SystemExit) as stop:
        train(["fit", "--config", run, "--trainer.maximal_epochs", "3"])
    assert stop.value.code == 2
    assert "maximal_epochs" in capsys.readouterr().err
