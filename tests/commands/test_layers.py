"""Every hidden state of a model measured alike: planted emotion is found, in heat maps and in the mixture."""

import csv
import json

import numpy as np
import pytest
import soundfile
import torch
from pretrained_models import save_encoder

from emoquant.__main__ import main
from emoquant.encoders import TransformersEncoder
from emoquant.storage.results import read_results
from emoquant.study.layers import Vectors, learn_mixture

EMOTIONS = ["angry", "sad"]


def planted(seed, count=80):
    """Return vectors whose second state alone, ten times smaller than the others, tells the emotions apart."""
    random = torch.Generator().manual_seed(seed)
    emotions = torch.arange(count) % 2
    states = torch.randn(count, 3, 4, generator=random)
    states[:, 1] += 3 * (2 * emotions[:, None] - 1)
    states[:, 1] /= 10
    return Vectors(states, emotions)


def test_the_mixture_finds_the_layer_that_knows():
    weights, uar = learn_mixture(planted(0), planted(1), 2)
    assert sum(weights) == pytest.approx(1.0)
    assert weights[1] > 0.7  # small as its values are
    assert uar > 0.95


def corpus(folder):
    """Write utterances of two emotions that differ in pitch, and return their table."""
    random = np.random.default_rng(0)
    lines = []
    for index in range(36):
        emotion, split = EMOTIONS[index % 2], ("train", "validation", "test")[index % 9 // 3]
        time = np.arange(14_000 + 320 * index) / 16_000
        pitch = (420 if emotion == "angry" else 110) * (1 + 0.1 * random.random())
        sound = 0.2 * np.sign(np.sin(2 * np.pi * pitch * time)) + 0.02 * random.standard_normal(len(time))
        soundfile.write(folder / f"{index}.wav", sound, 16_000)
        lines.append([f"{index}.wav", emotion, f"s{index % 9}", split])
    with (folder / "utterances.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "emotion", "speaker", "split"], *lines])
    return str(folder / "utterances.csv")


@pytest.mark.slow
def test_states_are_measured_and_mixed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus").mkdir()
    table, model = corpus(tmp_path / "corpus"), save_encoder("hubert", tmp_path / "hubert")
    main(["layers", str(model), "--data", table, "--folder", "runs/layers", "--ratios", "[0, 1, 1000]"])
    rows = read_results(tmp_path / "runs" / "layers" / "results.csv")
    assert {row.codec for row in rows} == {"layer 0", "layer 1", "layer 2"}
    assert {row.lmbda for row in rows if row.metric == "agreement" and row.lmbda == row.lmbda} == {0.0, 1.0, 1000.0}
    kept = {
        row.lmbda: row.value for row in rows if (row.metric, row.codec, row.emotion) == ("agreement", "layer 1", "all")
    }
    assert kept[0.0] >= kept[1000.0]
    reports = {path.name for path in (tmp_path / "runs" / "layers" / "reports").iterdir()}
    assert {"layers_agreement.png", "layers_uar.svg", "layers_uar.md"} <= reports
    mixture = tmp_path / "runs" / "layers" / "layers.json"
    assert len(json.loads(mixture.read_text())["weights"]) == 3
    features, counts = TransformersEncoder(str(model), "weighted", str(mixture))(
        torch.randn(1, 16_000), torch.tensor([16_000])
    )
    assert features.shape == (1, int(counts), 16)


def test_other_encoders_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["layers", "checkpoints/emotion2vec-tiny"])
    assert "expected a model of transformers" in " ".join(capsys.readouterr().err.split())
