import json
import sys
import types

import pytest
import torch
import yaml
from small_models import small_encoder, waves, write_small_model

from emoquant.encoders import Emotion2Vec, EncoderHead
from emoquant.encoders.directory import read_directory, write_directory
from emoquant.encoders.hub import find_model


@pytest.fixture
def model(tmp_path):
    write_small_model(tmp_path / "model")
    return tmp_path / "model"


def stored(model):
    return torch.load(model / "model.pt", weights_only=True)["model"]


@torch.no_grad()
def test_an_exported_model_gives_the_same_features(model):
    waveforms, lengths = waves(9_000, 5_000)
    expected, _ = small_encoder()(waveforms, lengths)
    torch.testing.assert_close(Emotion2Vec(str(model)).eval()(waveforms, lengths)[0], expected)


@torch.no_grad()
def test_half_precision_halves_the_file_and_hardly_moves_the_features(tmp_path, model):
    encoder = small_encoder()
    encoder.export(tmp_path / "half")
    waveforms, lengths = waves(9_000)
    exact, _ = encoder(waveforms, lengths)
    half, _ = Emotion2Vec(str(tmp_path / "half")).eval()(waveforms, lengths)
    assert (half - exact).norm() / exact.norm() < 2e-3
    assert (tmp_path / "half" / "model.pt").stat().st_size < 0.6 * (model / "model.pt").stat().st_size


def test_a_model_is_written_in_the_same_bytes_every_time(model, tmp_path):
    write_small_model(tmp_path / "again")
    for path in model.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_exporting_leaves_no_partial_files(model):
    names = {path.name for path in model.iterdir()}
    assert names == {"config.yaml", "configuration.json", "model.pt", "tokens.txt"}


@pytest.mark.parametrize("form", ["bare", "state_dict", "prefixed"])
def test_all_forms_of_checkpoints_are_read(model, form):
    weights = stored(model)
    forms = {
        "bare": weights,
        "state_dict": {"state_dict": weights},
        "prefixed": {"model": {f"d2v_model.{n}" if not n.startswith("proj") else n: v for n, v in weights.items()}},
    }
    expected = Emotion2Vec(str(model)).fingerprint()
    torch.save(forms[form], model / "model.pt")
    loaded = Emotion2Vec(str(model)).load().state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())
    assert Emotion2Vec(str(model)).fingerprint() == expected, "the same weights"


def test_weights_of_the_pretraining_are_left_out(model):
    weights = stored(model) | {"modality_encoders.AUDIO.decoder.proj.weight": torch.zeros(3), "_ema": torch.zeros(2)}
    torch.save(weights, model / "model.pt")
    conf = yaml.safe_load((model / "config.yaml").read_text())
    conf["model_conf"]["modalities"]["audio"]["decoder"] = {"decoder_dim": 32, "decoder_layers": 1}
    (model / "config.yaml").write_text(yaml.safe_dump(conf))
    assert Emotion2Vec(str(model)).load().modality_encoders["AUDIO"].decoder is None


def test_missing_wrong_and_strange_weights_are_named(model):
    weights = stored(model)
    del weights["blocks.0.norm1.bias"]
    weights["proj.weight"] = torch.zeros(9, 3)
    weights["nonsense"] = torch.zeros(1)
    torch.save(weights, model / "model.pt")
    with pytest.raises(ValueError, match=r"norm1.bias is missing; proj.weight is \(9, 3\), expected \(9, 48\); nons"):
        Emotion2Vec(str(model)).load()


def test_a_file_that_holds_no_weights_is_refused(model):
    torch.save({"epoch": 3}, model / "model.pt")
    with pytest.raises(ValueError, match="holds no weights"):
        Emotion2Vec(str(model)).load()


@pytest.mark.parametrize("name", ["config.yaml", "model.pt"])
def test_a_missing_file_is_named(model, name):
    (model / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}"):
        read_directory(model)


def name_weights(model, name):
    (model / "configuration.json").write_text(json.dumps({"file_path_metas": {"init_param": name}}))


def test_the_weights_are_those_that_the_configuration_names(model):
    """The public emotion2vec_base keeps its weights in emotion2vec_base.pt."""
    expected = Emotion2Vec(str(model)).fingerprint()
    name_weights(model, "emotion2vec_base.pt")
    with pytest.raises(FileNotFoundError, match=r"has no emotion2vec_base\.pt"):
        read_directory(model)
    (model / "model.pt").rename(model / "emotion2vec_base.pt")
    assert Emotion2Vec(str(model)).fingerprint() == expected


def test_without_a_name_the_weights_are_model_pt(model):
    (model / "configuration.json").write_text('{"framework": "pytorch"}')
    assert read_directory(model).weights == model / "model.pt"
    (model / "configuration.json").unlink()
    assert read_directory(model).weights == model / "model.pt"


@pytest.mark.parametrize("name", ["../model.pt", "/model.pt", 3])
def test_weights_elsewhere_are_refused(model, name):
    name_weights(model, name)
    with pytest.raises(ValueError, match="expected a file in the same folder"):
        read_directory(model)


def test_another_model_of_funasr_is_refused(model):
    (model / "config.yaml").write_text("model: Paraformer\n")
    with pytest.raises(ValueError, match="does not describe an emotion2vec model"):
        read_directory(model)


def test_a_model_without_a_head_says_so(tmp_path):
    encoder = small_encoder(labels=[])
    write_directory(tmp_path, encoder.load(), encoder.model_conf, [])
    headless = Emotion2Vec(str(tmp_path))
    assert headless.labels == []
    with pytest.raises(ValueError, match="no classification head"):
        headless.head()
    with pytest.raises(ValueError, match="train a probe"):
        EncoderHead(str(tmp_path))


def test_half_a_head_is_none(model):
    weights = stored(model)
    torch.save({"model": {name: value for name, value in weights.items() if name != "proj.bias"}}, model / "model.pt")
    with pytest.raises(ValueError, match="no classification head"):
        EncoderHead(str(model))


def test_labels_must_fit_the_head(tmp_path):
    encoder = small_encoder()
    with pytest.raises(ValueError, match="9 outputs but there are 2 labels"):
        write_directory(tmp_path, encoder.load(), encoder.model_conf, ["a", "b"])


def test_no_such_directory_names_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no model directory .*expected a local directory"):
        Emotion2Vec(str(tmp_path / "none")).load()
    with pytest.raises(FileNotFoundError, match="no model directory"):
        find_model("iic/emotion2vec_plus_base", hub="path")


@pytest.mark.parametrize(
    ("name", "hub", "module", "command"),
    [
        ("iic/emotion2vec_plus_base", "auto", "modelscope.hub.snapshot_download", "modelscope download --model iic/"),
        ("emotion2vec/emotion2vec_base", "auto", "huggingface_hub", "huggingface-cli download emotion2vec/"),
        ("someone/model", "hf", "huggingface_hub", "huggingface-cli download someone/"),
    ],
)
def test_hubs_are_asked_and_an_offline_machine_learns_the_remedy(monkeypatch, tmp_path, name, hub, module, command):
    asked = []

    def download(model):
        asked.append(model)
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(snapshot_download=download))
    with pytest.raises(ConnectionError, match=f"(?s){command}.*no route to host"):
        find_model(name, hub)
    assert asked == [name]
    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(snapshot_download=lambda model: str(tmp_path)))
    assert find_model(name, hub) == tmp_path


def test_the_embedded_model_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder = Emotion2Vec()
    assert encoder.dim % 12 == 0
    assert [label.split("/")[-1] for label in encoder.labels] == [
        "angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "<unk>",
    ]  # fmt: skip
    weights = encoder.directory.weights
    assert weights.stat().st_size <= 12e6
    assert sum(weight.numel() for weight in encoder.load().parameters()) <= 6e6
