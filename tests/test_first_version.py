"""Runs of the first version (commit 511d590) are read: checkpoint, results, and the spelling of their configuration."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from emoquant.__main__ import main
from emoquant.codecs import load_codec
from emoquant.codecs.specs import Place, open_codecs
from emoquant.storage.results import read_results

RUNS = Path(__file__).parent / "expected" / "first_version"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A working folder with these runs."""
    shutil.copytree(RUNS, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_a_codec_is_loaded_and_codes(runs):
    codec = load_codec("runs/codec_happy", points=[0.0, 10.0])
    assert codec.name == "codec_happy"
    assert (codec.dim, codec.quantizer.groups) == (192, 4)
    assert codec.source.history.corpus == "rendered"
    assert codec.trained_on == {}, "its training says nothing of emotions"
    features = 10 * torch.randn(7, 192)
    assert codec.decompress(codec.compress(features, lmbda=1.0)).shape == features.shape


def test_its_evaluations_configuration_names_codecs_in_the_old_way(runs):
    config = yaml.safe_load((runs / "lambda_sweep/version_0/config.yaml").read_text())
    (codec,) = open_codecs(config["model"]["init_args"]["codecs"], ["happy"], Place())
    assert len(codec.points) == 14


def test_its_results_are_drawn_again(runs):
    rows = read_results(runs / "lambda_sweep/version_0/results.csv")
    assert {row.seeds for row in rows} == {1}
    main(["reports", "runs/lambda_sweep"])
    assert (runs / "lambda_sweep/version_0/reports/recall_table.md").is_file()


def test_its_configuration_is_still_one(runs, capsys):
    for command, name in (("fit", "codec_happy"), ("test", "lambda_sweep")):
        config = runs / name / "version_0" / "config.yaml"
        content = yaml.safe_load(config.read_text())
        for key in ("ckpt_path", "weights_only"):
            content.pop(key, None)
        callbacks = [each for each in content["trainer"]["callbacks"] if "TrainingEmotions" not in each["class_path"]]
        content["trainer"]["callbacks"] = callbacks
        config.write_text(yaml.safe_dump(content))
        with pytest.raises(SystemExit):
            main([command, "--config", str(config), "--print_config"])
        assert "model:" in capsys.readouterr().out
