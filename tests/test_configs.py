"""Every shipped YAML parses, and what it names exists."""

from pathlib import Path

import pytest
import yaml
from jsonargparse import ArgumentParser

from emoquant.cli import UsageError, run
from emoquant.entropy import EntropyModel

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"


def shipped(folder: str) -> list[Path]:
    return sorted((CONFIGS / folder).glob("*.yaml"))


def printed_config(*args: str, capsys) -> str:
    with pytest.raises(SystemExit) as stop:
        run([*args, "--print_config"])
    out = capsys.readouterr()
    assert stop.value.code == 0, out.err[-2000:]
    return out.out


@pytest.mark.parametrize("path", shipped("train"), ids=lambda p: p.stem)
def test_training_runs_parse(path, capsys):
    more = ["--train_emotions", "happy"] if path.stem.endswith("_biased") else []
    assert "model:" in printed_config("fit", path.stem, *more, capsys=capsys)


@pytest.mark.parametrize("path", [*shipped("eval"), *shipped("followup")], ids=lambda p: p.stem)
def test_experiments_parse(path, capsys):
    assert "codecs:" in printed_config("test", path.stem, capsys=capsys)


@pytest.mark.parametrize("path", shipped("listen"), ids=lambda p: p.stem)
def test_listening_pages_parse(path, capsys):
    assert "voice:" in printed_config("predict", path.stem, capsys=capsys)


@pytest.mark.parametrize("path", shipped("data"), ids=lambda p: p.stem)
def test_corpora_fit_a_training_run(path, capsys, tmp_path):
    assert "corpora:" in printed_config("fit", "codec", "--data", path.stem, "--folder", str(tmp_path), capsys=capsys)


@pytest.mark.parametrize("path", shipped("model/entropy"), ids=lambda p: p.stem)
def test_entropy_models_fit_a_codec(path):
    parser = ArgumentParser()
    parser.add_subclass_arguments(EntropyModel, "entropy")
    model = parser.instantiate(parser.parse_args(["--entropy", str(path)])).entropy
    given = yaml.safe_load(path.read_text())["init_args"]
    assert {name: model.settings()[name] for name in given} == given


@pytest.mark.parametrize("path", shipped("model/tts"), ids=lambda p: p.stem)
def test_architectures_fit_a_voice(path, capsys):
    config = printed_config("fit", "tts_base", "--model.init_args.architecture", str(path), capsys=capsys)
    given = yaml.safe_load(path.read_text())
    parsed = yaml.safe_load(config)["model"]["init_args"]["architecture"]
    assert {name: parsed[name] for name in given} == given


def test_a_misspelt_key_is_named():
    with pytest.raises(UsageError, match=r"maximal_epochs.*did you mean --trainer\.max_epochs"):
        run(["fit", "codec", "--trainer.maximal_epochs", "3"])
