"""What the public names hand out for use is in evaluation mode: the same input gives the same output."""

import pytest
import torch
from torch import nn

import emoquant
from emoquant.codecs import ECVQ, load_codec, save_codec
from emoquant.codecs.search import layout_of
from emoquant.codecs.specs import Place, open_codecs
from emoquant.encoders import EncoderHead, LSTMEncoder, Probe, ProbeHead, UntrainedEmotion2Vec
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.storage.origin import UNKNOWN
from emoquant.tasks import ClassificationTask
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder
from emoquant.voice.tts.voice import load_voice

TINY = "checkpoints/emotion2vec-tiny"


def codec(folder):
    quantizer = GroupedResidualVQ(2, 2, 6, dim=8)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(8)
    model.build(layout_of(quantizer))
    save_codec(ECVQ(quantizer, model), folder / "c.ckpt")
    return emoquant.load_codec(folder / "c.ckpt")


def synthesizer(_):
    made = emoquant.load_synthesizer("checkpoints/tts-toy")
    return nn.ModuleList([made.voice.model, made.vocoder, *([made.encoder] if made.encoder is not None else [])])


def in_training(module):
    """Return the parts of a module that are in training mode."""
    return [name or "itself" for name, part in module.named_modules() if part.training]


def probe(path):
    state = {f"probe.{name}": value for name, value in Probe(8, ["sad", "happy"]).state_dict().items()}
    described = {"dim": 8, "labels": ["sad", "happy"], "hidden": 0, "dropout": 0.5}
    torch.save({"probe": described, "encoder": UNKNOWN.stored(), "state_dict": state}, path)
    return path


def ge2e(path):
    torch.save({"state_dict": LSTMEncoder(hidden=8, layers=1).state_dict()}, path)
    return path


#: What each public name hands out; None for what holds no module.
GIVEN = {
    "BitstreamError": None,
    "Emotion2Vec": lambda _: emoquant.Emotion2Vec(TINY),
    "Row": None,
    "load_codec": codec,
    "load_synthesizer": synthesizer,
    "measure": None,
    "read_results": None,
}


def test_every_public_name_is_listed():
    assert set(GIVEN) == set(emoquant.__all__)


@pytest.mark.parametrize("name", [name for name, make in GIVEN.items() if make])
def test_it_is_in_evaluation_mode(name, tmp_path):
    made = GIVEN[name](tmp_path)
    if hasattr(made, "load"):
        made.load()  # the network, which is read late
    parts = list(made.children()) if name == "load_synthesizer" else [made]
    assert [in_training(part) for part in parts] == [[]] * len(parts)


def test_the_same_waveform_gives_the_same_features():
    encoder = emoquant.Emotion2Vec(TINY)
    waveform = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (encoder(waveform, torch.tensor([8000]))[0] for _ in range(2))
    assert torch.equal(one, other)


def test_heads_probes_and_recurrent_encoders(tmp_path):
    assert not EncoderHead(TINY).training
    for name, write in {"probe": probe, "ge2e": ge2e}.items():
        path = write(tmp_path / f"{name}.ckpt")
        made = ProbeHead(str(path)) if name == "probe" else LSTMEncoder(str(path), hidden=8, layers=1)
        assert in_training(made) == [], name


SHIPPED = {
    "codec": load_codec,
    "vocoder-22k": load_vocoder,
    "tts-nemo": lambda path: load_voice(path).model,
}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped(name):
    assert in_training(SHIPPED[name](f"checkpoints/{name}")) == []


def test_codecs_that_are_made_of_others(tmp_path):
    codec(tmp_path)
    part = {"run": str(tmp_path / "c.ckpt")}
    specs = [
        {"class_path": "Cascade", "init_args": {"first": part, "then": part}},
        {"class_path": "Greedy", "init_args": {"codec": part}},
        {"class_path": "Mixture", "init_args": {"codec": part}},
    ]
    for made in open_codecs(specs, ["sad"], Place(str(tmp_path))):
        assert in_training(made) == [], type(made).__name__


def test_training_turns_training_on(monkeypatch):
    encoder = UntrainedEmotion2Vec(dim=48, depth=1, prenet_depth=1, heads=4)
    assert encoder.training
    encoder.eval()
    task = ClassificationTask(encoder)
    monkeypatch.setattr(task, "class_weights", lambda balanced: None)
    task.on_fit_start()
    assert encoder.training
    assert encoder.load().training
