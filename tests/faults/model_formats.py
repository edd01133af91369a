"""Formats of models: codecs, heads, encoders, voices and vocoders, all small."""

import json

import lightning
import torch
from bad_world import DIM, codec
from format_table import reads
from public_weights import HIFIGAN, random_state
from safetensors.torch import save_file
from small_models import SIZES, write_small_model
from voice_batches import TINY

from emoquant.audio.mel import MelSettings
from emoquant.callbacks import WholeCheckpoints
from emoquant.codecs import load_codec
from emoquant.codecs.pretrained import save_pretrained
from emoquant.encoders import EncoderHead, LSTMEncoder, ProbeHead
from emoquant.encoders.directory import read_directory
from emoquant.encoders.heads import Probe
from emoquant.encoders.naming import open_encoder
from emoquant.storage.origin import UNKNOWN
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.vocoder_checkpoint import describe_vocoder, load_vocoder, save_vocoder
from emoquant.voice.tts.vocos import VocosGenerator
from emoquant.voice.tts.voice import Voice, VoiceFacts, describe_voice, load_voice, save_voice

MEL = MelSettings(mels=8)


@reads("codec", "archive", load_codec)
def _(folder):
    return codec(folder / "c.ckpt")


@reads("probe", "archive", lambda path: ProbeHead(str(path)))
def probe(folder):
    described = {"dim": DIM, "labels": ["sad", "happy"], "hidden": 0, "dropout": 0.0}
    state = {f"probe.{name}": value for name, value in Probe(DIM, ["sad", "happy"]).state_dict().items()}
    torch.save({"probe": described, "encoder": UNKNOWN.stored(), "state_dict": state}, folder / "p.ckpt")
    return folder / "p.ckpt"


def shared_codec(folder):
    save_pretrained(load_codec(codec(folder / "c.ckpt")), folder / "shared")
    return folder / "shared"


@reads("codec.json", "json", lambda path: load_codec(path.parent))
def _(folder):
    return shared_codec(folder) / "codec.json"


@reads("codec.safetensors", "binary", lambda path: load_codec(path.parent))
def _(folder):
    return shared_codec(folder) / "codec.safetensors"


def shared_probe(folder):
    ProbeHead(str(probe(folder))).save(folder / "shared")
    return folder / "shared"


@reads("probe.json", "json", lambda path: ProbeHead(str(path.parent)))
def _(folder):
    return shared_probe(folder) / "probe.json"


@reads("probe.safetensors", "binary", lambda path: ProbeHead(str(path.parent)))
def _(folder):
    return shared_probe(folder) / "probe.safetensors"


@reads("checkpoint that a training goes on from", "archive", WholeCheckpoints().load_checkpoint)
def _(folder):
    content = {"state_dict": {"w": torch.ones(2)}, "pytorch-lightning_version": lightning.__version__, "epoch": 1}
    WholeCheckpoints().save_checkpoint({**content, "loops": {"fit_loop": {"state_dict": {}}}}, folder / "last.ckpt")
    return folder / "last.ckpt"


def model(folder):
    write_small_model(folder, **{**SIZES, "dim": 16, "prenet_depth": 1, "heads": 2, "front_end": "[(4, 10, 5)]"})
    return folder


@reads("weights of an encoder", "archive", lambda path: EncoderHead(str(path.parent)))
def _(folder):
    return model(folder) / "model.pt"


@reads("config.yaml of an encoder", "yaml", lambda path: read_directory(path.parent))
def _(folder):
    return model(folder) / "config.yaml"


@reads("configuration.json of an encoder", "json", lambda path: read_directory(path.parent))
def _(folder):
    return model(folder) / "configuration.json"


@reads("tokens.txt of an encoder", "text", lambda path: read_directory(path.parent))
def _(folder):
    return model(folder) / "tokens.txt"


@reads("weights of a GE2E encoder", "archive", lambda path: LSTMEncoder(str(path), hidden=8, layers=1))
def _(folder):
    state = {f"encoder.{name}": value for name, value in LSTMEncoder(hidden=8, layers=1).state_dict().items()}
    torch.save({"state_dict": state}, folder / "e.ckpt")
    return folder / "e.ckpt"


def saved_encoder(folder):
    LSTMEncoder(output="states", hidden=8, layers=1).save(folder / "saved")
    return folder / "saved"


@reads("encoder.json", "json", lambda path: open_encoder(str(path.parent)))
def _(folder):
    return saved_encoder(folder) / "encoder.json"


@reads("encoder.safetensors", "binary", lambda path: open_encoder(str(path.parent)))
def _(folder):
    return saved_encoder(folder) / "encoder.safetensors"


def random_voice():
    architecture = Architecture(**{**TINY, "hidden": 8, "attention_ffn": 8})
    facts = VoiceFacts(architecture, ("a", "b"), "espeak:en-us", MEL, 4, 4, "tiny", ("sad",), ("x",), 200.0, 20.0)
    return Voice(facts.build(), facts, torch.ones(1, 4))


def voice(folder):
    save_voice(folder, random_voice())
    return folder


@reads("voice.json", "json", lambda path: load_voice(path.parent))
def _(folder):
    return voice(folder) / "voice.json"


@reads("voice.safetensors", "binary", lambda path: load_voice(path.parent))
def _(folder):
    return voice(folder) / "voice.safetensors"


@reads("checkpoint of a voice", "archive", load_voice)
def _(folder):
    made = random_voice()
    state = {f"model.{name}": value for name, value in made.model.state_dict().items()}
    state["speaker_centroids"] = made.speaker_centroids
    torch.save({"emoquant_voice": describe_voice(made.facts), "state_dict": state}, folder / "v.ckpt")
    return folder / "v.ckpt"


def generator():
    return VocosGenerator(8, 64, 16, dim=4, layers=1)


@reads("vocoder.json", "json", lambda path: load_vocoder(path.parent))
def _(folder):
    save_vocoder(folder, generator(), MEL)
    return folder / "vocoder.json"


@reads("vocoder.safetensors", "binary", lambda path: load_vocoder(path.parent))
def _(folder):
    save_vocoder(folder, generator(), MEL)
    return folder / "vocoder.safetensors"


@reads("checkpoint of a vocoder", "archive", load_vocoder)
def _(folder):
    made = generator()
    state = {f"generator.{name}": value for name, value in made.state_dict().items()}
    torch.save({"emoquant_vocoder": describe_vocoder(made, MEL), "state_dict": state}, folder / "v.ckpt")
    return folder / "v.ckpt"


def public(folder):
    (folder / "config.json").write_text(json.dumps(HIFIGAN["V3"]))
    return folder


@reads("config.json of a public vocoder", "json", lambda path: load_vocoder(path.parent))
def _(folder):
    torch.save({"generator": random_state(HIFIGAN["V3"])}, public(folder) / "g_00000001")
    return folder / "config.json"


@reads("weights of a public vocoder", "archive", lambda path: load_vocoder(path.parent))
def _(folder):
    torch.save({"generator": random_state(HIFIGAN["V3"])}, public(folder) / "g_00000001")
    return folder / "g_00000001"


@reads("weights of a public vocoder (.safetensors)", "binary", lambda path: load_vocoder(path.parent))
def _(folder):
    save_file(random_state(HIFIGAN["V3"]), public(folder) / "generator.safetensors")
    return folder / "generator.safetensors"
