"""Every family of speech models through one class: what transformers gives alone, in batches, in windows, mixed."""

import json

import pytest
import torch
from pretrained_models import ENCODERS, save_encoder
from safetensors.torch import load_file, save_file

from emoquant.console.encoder_words import encoder_spec
from emoquant.encoders import TransformersEncoder
from emoquant.encoders.pretrained import load_front_end, load_pretrained, read_settings

pytestmark = pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
LENGTHS = torch.tensor([9000, 16000, 12345, 9000])


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Return the folder of a family's model, saved on first use."""
    root, found = tmp_path_factory.mktemp("encoders"), {}

    def folder(family):
        if family not in found:
            found[family] = save_encoder(family, root / family)
        return found[family]

    return folder


@pytest.fixture(scope="module")
def waveforms():
    return 0.1 * torch.randn(4, 16000, generator=torch.Generator().manual_seed(1))


def directly(folder, waveforms):
    """Return what transformers gives for each utterance, called as its documentation says."""
    settings = read_settings(folder)
    model, extractor = load_pretrained(folder, settings), load_front_end(folder)
    model = model.get_encoder() if settings.model_type == "whisper" else model
    for waveform in waveforms:
        inputs = extractor([waveform.numpy()], sampling_rate=16_000, return_tensors="pt")
        inputs.pop("attention_mask", None) if settings.model_type != "wav2vec2-bert" else None
        with torch.no_grad():
            yield model(**inputs, output_hidden_states=True)


@pytest.mark.parametrize("family", ENCODERS)
def test_layers_are_those_of_transformers_alone_and_in_batches(family, models, waveforms):
    alone = list(directly(models(family), [row[:end] for row, end in zip(waveforms, LENGTHS, strict=True)]))
    for layer in (0, 1, -1):
        encoder = TransformersEncoder(str(models(family)), layer)
        with torch.no_grad():
            features, counts = encoder(waveforms, LENGTHS)
        assert features.shape == (4, int(counts.max()), encoder.dim)
        assert encoder.sample_rate / encoder.front_end.hop == encoder.frame_rate == 50.0
        assert torch.equal(counts, encoder.frame_lengths(LENGTHS))
        for row, output, count in zip(features, alone, counts, strict=True):
            expected = (output.last_hidden_state if layer == -1 else output.hidden_states[layer])[0, :count]
            assert len(expected) == count
            torch.testing.assert_close(row[:count], expected, atol=1e-4, rtol=0)
            assert not row[count:].any()


@pytest.mark.parametrize("family", ["wavlm", "wav2vec2-bert", "whisper"])
def test_long_recordings_are_cut_and_joined(family, models):
    long = 0.1 * torch.randn(1, 16_000 * 5 + 77)
    encoder = TransformersEncoder(str(models(family)), 0, window=2.0, overlap=0.5)
    features, counts = encoder(long, torch.tensor([long.shape[1]]))
    assert features.shape[1] == int(counts) == int(encoder.frame_lengths(torch.tensor([long.shape[1]])))
    first, _ = encoder(long[:, :32_000], torch.tensor([32_000]))
    torch.testing.assert_close(features[:, :80], first[:, :80], atol=1e-5, rtol=0)


def test_the_mixture_is_the_weighted_sum_of_all_states(models, waveforms, tmp_path):
    folder, path = str(models("hubert")), tmp_path / "layers.json"
    path.write_text(json.dumps({"weights": [0.2, 0.5, 0.3]}))
    mixed = TransformersEncoder(folder, "weighted", str(path))
    features, _ = mixed(waveforms, LENGTHS)
    states = [TransformersEncoder(folder, layer)(waveforms, LENGTHS)[0] for layer in range(3)]
    expected = sum(weight * state for weight, state in zip((0.2, 0.5, 0.3), states, strict=True))
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)
    together, _ = mixed.hidden_states(waveforms, LENGTHS)
    torch.testing.assert_close(together, torch.cat(states, -1), atol=1e-4, rtol=0)
    path.write_text(json.dumps({"weights": [0.5, 0.5]}))
    with pytest.raises(ValueError, match="expected 'weights', 3 numbers that sum to 1"):
        TransformersEncoder(folder, "weighted", str(path))(waveforms, LENGTHS)
    with pytest.raises(FileNotFoundError, match="learn them with emoquant layers"):
        TransformersEncoder(folder, "weighted", str(tmp_path / "none.json")).fingerprint()
    with pytest.raises(ValueError, match="belong together"):
        TransformersEncoder(folder, "weighted")


def test_features_of_another_layer_have_another_origin(models, tmp_path):
    folder = models("hubert")
    first, second = (TransformersEncoder(str(folder), layer).identify() for layer in (1, 2))
    assert not first.agrees(second)
    longer = TransformersEncoder(str(folder), 1, window=20.0).identify()
    assert longer.fingerprint != first.fingerprint
    assert first.agrees(longer)
    copy = tmp_path / "moved"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert TransformersEncoder(str(copy), 1).fingerprint() == first.fingerprint


def test_the_head_of_a_fine_tuned_model_classifies_the_mean(waveforms, tmp_path):
    import transformers

    folder = save_encoder(
        "wav2vec2", tmp_path / "ser", "AutoModelForAudioClassification", id2label={0: "angry", 1: "sad"},
        label2id={"angry": 0, "sad": 1}, num_labels=2, classifier_proj_size=5,
    )  # fmt: skip
    encoder = TransformersEncoder(str(folder))
    head = encoder.head()
    assert head.labels == ["angry", "sad"]
    features, _ = encoder(waveforms[:1], LENGTHS[1:2])
    model = transformers.AutoModelForAudioClassification.from_pretrained(folder).eval()
    given = load_front_end(folder)([waveforms[0].numpy()], sampling_rate=16_000, return_tensors="pt").input_values
    with torch.no_grad():
        torch.testing.assert_close(head(features.mean(1)), model(given).logits, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="no classification head for this layer: train a probe"):
        TransformersEncoder(str(folder), 1).head()


def test_the_head_of_a_dimensional_model_rates_the_mean(waveforms, tmp_path):
    folder = save_encoder("wav2vec2", tmp_path / "dim", id2label={0: "arousal", 1: "dominance", 2: "valence"})
    plain = TransformersEncoder(str(folder))
    assert plain.dimension_head() is None, "no weights yet"
    weights, generator = load_file(folder / "model.safetensors"), torch.Generator().manual_seed(0)
    for name, shape in (("dense", (5, plain.dim)), ("out_proj", (3, 5))):
        weights[f"classifier.{name}.weight"] = torch.randn(shape, generator=generator)
        weights[f"classifier.{name}.bias"] = torch.randn(shape[0], generator=generator)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    encoder = TransformersEncoder(str(folder))
    vectors = encoder(waveforms[:1], LENGTHS[1:2])[0].mean(1)
    inner, shift, outer, bias = (
        weights[f"classifier.{name}"] for name in ("dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias")
    )
    arousal, dominance, valence = (torch.tanh(vectors @ inner.T + shift) @ outer.T + bias)[0]
    said = encoder.dimension_head()(vectors)[0]
    torch.testing.assert_close(said, torch.stack([arousal, valence, dominance]))
    assert TransformersEncoder(str(folder), 1).dimension_head() is None
    weights["classifier.out_proj.bias"] = torch.zeros(2)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="head for arousal, valence, dominance do not fit each other"):
        TransformersEncoder(str(folder)).dimension_head()


class TestBadInput:
    def test_each_gives_one_error(self, models, waveforms, tmp_path):
        def refused(error, match, folder, layer=-1):
            with pytest.raises(error, match=match):
                TransformersEncoder(str(folder), layer)(waveforms, LENGTHS)

        refused(FileNotFoundError, "no folder '/nowhere/model'", "/nowhere/model")
        empty = tmp_path / "empty"
        empty.mkdir()
        refused(FileNotFoundError, r"has no config.json", empty)
        copy = tmp_path / "copy"
        copy.mkdir()
        for path in models("hubert").iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        settings = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**settings, "model_type": "bert"}))
        refused(ValueError, "family 'bert', which is no speech encoder", copy)
        (copy / "config.json").write_text(json.dumps({**settings, "hidden_size": 32}))
        refused(ValueError, r"do not fit its config.json: encoder.* is \(16,\), expected \(32,\)", copy)
        (copy / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 3}))
        refused(ValueError, r"do not fit its config.json: encoder.layers.2", copy)
        (copy / "config.json").write_text(json.dumps(settings))
        refused(ValueError, "has 2 layers: layer must be at most 2, got 7", copy, 7)
        (copy / "preprocessor_config.json").unlink()
        refused(FileNotFoundError, "has no preprocessor_config.json", copy)
        (copy / "model.safetensors").write_bytes(b"cut")
        (copy / "preprocessor_config.json").write_bytes((models("hubert") / "preprocessor_config.json").read_bytes())
        refused(ValueError, "cannot be loaded with transformers", copy)
        (copy / "model.safetensors").unlink()
        refused(FileNotFoundError, "has no weights", copy)

    def test_too_short_an_utterance_is_named(self, models, waveforms):
        with pytest.raises(ValueError, match="utterance 1 of the batch has 300 samples: at least 400"):
            TransformersEncoder(str(models("hubert")))(waveforms[:2], torch.tensor([9000, 300]))


def test_words_of_the_command_line_name_models_of_both_kinds(models):
    folder = str(models("hubert"))
    assert encoder_spec(folder)["class_path"].endswith("TransformersEncoder")
    assert encoder_spec(f"{folder}@1")["init_args"] == {"model": folder, "layer": 1}
    assert encoder_spec("wavlm_base_plus")["init_args"]["layer"] == 6
    assert encoder_spec("checkpoints/emotion2vec-tiny")["class_path"].endswith("Emotion2Vec")
    assert encoder_spec("emotion2vec/emotion2vec_plus_base")["class_path"].endswith("Emotion2Vec")
    assert encoder_spec("checkpoints/not-there")["class_path"].endswith("Emotion2Vec")
    with pytest.raises(ValueError, match="number of a layer behind the @"):
        encoder_spec(f"{folder}@six")
