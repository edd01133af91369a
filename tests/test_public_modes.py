"""What the public names hand out for use is in evaluation mode: the same input gives the same output."""

from pathlib import Path

import pytest
import torch
from torch import nn

import emoquant
from emoquant.codecs import ECVQ, save_codec
from emoquant.codecs.search import layout_of
from emoquant.encoders import EncoderHead, UntrainedEmotion2Vec
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import ClassificationTask
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder

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


#: What each public name hands out; None for what holds no module.
GIVEN = {
    "BitstreamError": None,
    "Emotion2Vec": lambda _: emoquant.Emotion2Vec(TINY),
    "Row": None,
    "load_codec": codec,
    "load_synthesizer": synthesizer,
    "read_results": None,
}


def test_every_public_name_is_listed():
    assert set(GIVEN) == set(emoquant.__all__)


@pytest.mark.parametrize("name", [name for name, make in GIVEN.items() if make])
def test_it_is_in_evaluation_mode(name, tmp_path):
    made = GIVEN[name](tmp_path)
    if hasattr(made, "load"):
        made.load()  # the network, which is read late
    if name != "load_synthesizer":
        assert not made.training
    parts = made.children() if name == "load_synthesizer" else [made]
    assert not [path for part in parts for path, module in part.named_modules() if module.training]


def test_the_same_waveform_gives_the_same_features():
    encoder = emoquant.Emotion2Vec(TINY)
    waveform = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (encoder(waveform, torch.tensor([8000]))[0] for _ in range(2))
    assert torch.equal(one, other)


def test_heads_and_vocoders_are_for_use_too():
    assert not EncoderHead(TINY).training
    vocoder = Path("checkpoints/vocoder-toy")
    if (vocoder / "vocoder.json").is_file():
        assert not [path for path, module in load_vocoder(vocoder).named_modules() if module.training]


def test_training_turns_training_on(monkeypatch):
    encoder = UntrainedEmotion2Vec(dim=48, depth=1, prenet_depth=1, heads=4)
    assert encoder.training
    encoder.eval()
    task = ClassificationTask(encoder)
    monkeypatch.setattr(task, "class_weights", lambda balanced: None)
    task.on_fit_start()
    assert encoder.training
    assert encoder.load().training
