"""Checkpoints of codecs, probes, encoders, voices and vocoders."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from bad_world import DIM, TINY, UNREADABLE, Malicious, codec, tone
from cases import case

from emoquant.codecs import load_codec
from emoquant.codecs.checkpoint import SECTION
from emoquant.codecs.history import History
from emoquant.commands.compress import compress
from emoquant.encoders import Emotion2Vec, EncoderHead, ProbeHead
from emoquant.storage.origin import Origin
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder
from emoquant.voice.tts.voice import load_voice


@case("Checkpoints", "a codec that is not there", FileNotFoundError, "train a codec first, or check the path", "c.ckpt")
def _(folder):
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "the folder of a run without a checkpoint", FileNotFoundError, "or name a file", "version_*")
def _(folder):
    load_codec(folder)


@case("Checkpoints", "a codec that was cut off", ValueError, UNREADABLE, "c.ckpt")
def _(folder):
    path = codec(folder / "c.ckpt")
    path.write_bytes(path.read_bytes()[:-3000])
    load_codec(path)


@case("Checkpoints", "a codec with code to run (a pickle)", ValueError, UNREADABLE, "c.ckpt")
def _(folder):
    (folder / "c.ckpt").write_bytes(pickle.dumps(Malicious(folder), protocol=2))
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec with code to run (an archive)", ValueError, UNREADABLE, "c.ckpt")
def _(folder):
    torch.save({SECTION: Malicious(folder), "state_dict": {}}, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a checkpoint of another model", ValueError, "expected one of a codec's training", "c.ckpt")
def _(folder):
    torch.save({"state_dict": {"weight": torch.ones(2)}}, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec of a newer version", ValueError, "update emoquant or retrain", "codec format 9")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content[SECTION]["version"] = 9
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "codebooks without an entropy model", ValueError, "train one on it (EntropyTask)", "c.ckpt")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content[SECTION]["entropy"] = None
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec whose entropy model is not trained yet", ValueError, "let it go on", "--ckpt_path")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content[SECTION]["history"] = History("esd", 90, "codebooks", epoch=1, epochs=0).stored()
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec of a class outside the project", ValueError, "--allow_class their_module", "their_module")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content[SECTION]["entropy"]["class_path"] = "their_module.Model"
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec that is described larger than it is", ValueError, "larger than its file", "c.ckpt")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content[SECTION]["quantizer"]["init"]["dim"] = 10**9
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec whose weights are NaN", ValueError, "the training diverged", "c.ckpt")
def _(folder):
    content = torch.load(codec(folder / "c.ckpt"), weights_only=True)
    content["state_dict"]["quantizer.fine.vectors"][0] = torch.nan
    torch.save(content, folder / "c.ckpt")
    load_codec(folder / "c.ckpt")


@case("Checkpoints", "a codec of another encoder", ValueError, "choose the encoder it was trained on", "'theirs'")
def _(folder):
    dim = Emotion2Vec(TINY).dim
    path = codec(folder / "c.ckpt", dim, Origin("theirs", "ab" * 32))
    compress(tone(folder / "a.wav"), folder / "out", path, encoder=TINY, progress=False)


@case(
    "Checkpoints",
    "features of another dimension than the codec's",
    ValueError,
    "use the encoder that the codec was trained on",
    "a.npy",
)
def _(folder):
    np.save(folder / "a.npy", np.ones((5, DIM + 1), np.float32))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Checkpoints", "a probe that is not there", FileNotFoundError, "train one with emoquant fit probe", "p.ckpt")
def _(folder):
    ProbeHead(str(folder / "p.ckpt"))


@case("Checkpoints", "a probe with code to run", ValueError, UNREADABLE, "p.ckpt")
def _(folder):
    torch.save({"probe": Malicious(folder)}, folder / "p.ckpt")
    ProbeHead(str(folder / "p.ckpt"))


@case("Checkpoints", "a codec where a probe is wanted", ValueError, "expected one that ProbeTask wrote", "c.ckpt")
def _(folder):
    ProbeHead(str(codec(folder / "c.ckpt")))


@case("Checkpoints", "an encoder that is not there", FileNotFoundError, "expected a local directory", "nowhere/model")
def _(folder):
    Emotion2Vec(str(folder / "nowhere/model")).load()


def model_directory(folder: Path) -> Path:
    for name in ("config.yaml", "configuration.json", "tokens.txt", "model.pt"):
        (folder / name).write_bytes((Path(TINY) / name).read_bytes())
    return folder


@case(
    "Checkpoints",
    "an encoder without weights",
    FileNotFoundError,
    "expected a directory in funasr's format",
    "model.pt",
)
def _(folder):
    (model_directory(folder) / "model.pt").unlink()
    EncoderHead(str(folder))


@case(
    "Checkpoints", "an encoder whose configuration.json is cut off", ValueError, "fetch the model again", "uration.json"
)
def _(folder):
    (model_directory(folder) / "configuration.json").write_text('{"file_path_metas": {"init')
    EncoderHead(str(folder))


@case(
    "Checkpoints", "an encoder with weights elsewhere", ValueError, "expected a file in the same folder", "uration.json"
)
def _(folder):
    (model_directory(folder) / "configuration.json").write_text('{"file_path_metas": {"init_param": "../model.pt"}}')
    EncoderHead(str(folder))


@case("Checkpoints", "an encoder with code to run", ValueError, UNREADABLE, "model.pt")
def _(folder):
    torch.save({"model": Malicious(folder)}, model_directory(folder) / "model.pt")
    EncoderHead(str(folder))


@case("Checkpoints", "an encoder that was cut off", ValueError, UNREADABLE, "model.pt")
def _(folder):
    path = model_directory(folder) / "model.pt"
    path.write_bytes(path.read_bytes()[:100_000])
    EncoderHead(str(folder))


@case("Checkpoints", "a voice that is not there", FileNotFoundError, "expected a folder with voice.json", "voice")
def _(folder):
    load_voice(folder / "voice")


@case("Checkpoints", "a voice with code to run", ValueError, UNREADABLE, "v.ckpt")
def _(folder):
    torch.save({"emoquant_voice": Malicious(folder), "state_dict": {}}, folder / "v.ckpt")
    load_voice(folder / "v.ckpt")


OTHER_VOICE = "use what it was trained with, or train a new voice"


@case("Checkpoints", "training of a voice that goes on with another encoder", ValueError, OTHER_VOICE, "'Other:00'")
def _(folder):
    facts = load_voice("checkpoints/tts-toy").facts
    facts.require(replace(facts, encoder="Other:00"))


@case("Checkpoints", "training of a voice that goes on with other speakers", ValueError, OTHER_VOICE, "'somebody'")
def _(folder):
    facts = load_voice("checkpoints/tts-toy").facts
    facts.require(replace(facts, speakers=("somebody",)))


@case("Checkpoints", "training of a voice that goes on with emotions in another order", ValueError, OTHER_VOICE, "sad")
def _(folder):
    facts = load_voice("checkpoints/tts-toy").facts
    facts.require(replace(facts, emotions=facts.emotions[::-1]))


@case("Checkpoints", "a codec where a vocoder is wanted", ValueError, "is of another kind: it lacks", "c.ckpt")
def _(folder):
    load_vocoder(str(codec(folder / "c.ckpt")))
