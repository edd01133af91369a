"""Codecs of audio and encoders of transformers: folders that do not hold what is asked for."""

import json

import numpy as np
import soundfile
import torch
from cases import case

from emoquant.audio_codecs import MP3, Clip, DecodedFolder, Lyra, Opus, TransformersCodec
from emoquant.encoders import TransformersEncoder

ROOM = "Codecs of audio, encoders of transformers"


def model(folder, family, weights=True):
    """Write a folder that looks like a model of transformers."""
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps({"model_type": family}))
    if weights:
        (folder / "model" / "model.safetensors").write_bytes(b"")
    return str(folder / "model")


def decoded(folder, seconds):
    """Return a codec of a folder with one decoded file, and the second of sound that it should be of."""
    (folder / "mine").mkdir()
    soundfile.write(folder / "mine" / "a.wav", np.sin(np.arange(int(16_000 * seconds))), 16_000)
    return DecodedFolder(str(folder / "mine"), 900), Clip("a", folder / "a.wav", torch.sin(torch.arange(16_000.0)))


@case(ROOM, "an encoder that is no folder", FileNotFoundError, "expected a model in transformers' format", "none/of/it")
def _(folder):
    _ = TransformersEncoder("none/of/it").dim


@case(ROOM, "a folder without a configuration", FileNotFoundError, "expected a folder as save_pretrained", "model")
def _(folder):
    (folder / "model").mkdir()
    _ = TransformersEncoder(str(folder / "model")).dim


@case(ROOM, "a folder without weights", FileNotFoundError, "has no weights", "model")
def _(folder):
    _ = TransformersEncoder(model(folder, "hubert", weights=False)).dim


@case(ROOM, "a model of text as encoder", ValueError, "which is no speech encoder: expected one of", "'bert'")
def _(folder):
    _ = TransformersEncoder(model(folder, "bert")).dim


@case(ROOM, "a speech encoder as audio codec", ValueError, "which is no audio codec: expected one of", "'hubert'")
def _(folder):
    _ = TransformersCodec(model(folder, "hubert")).points


@case(ROOM, "a layer below the first", ValueError, "expected a number from 0, -1 for the output", "-7")
def _(folder):
    TransformersEncoder("a/b", -7)


@case(ROOM, "weights of a mixture for one layer", ValueError, "belong together: give both or neither")
def _(folder):
    TransformersEncoder("a/b", 3, "layers.json")


@case(ROOM, "a bit rate that Opus does not have", ValueError, "Opus takes 6000 to 256000 bits a second", "500")
def _(folder):
    Opus([500])


@case(ROOM, "a bit rate that Lyra does not have", ValueError, "has the rates 3200, 6000 and 9200", "4000")
def _(folder):
    Lyra("lyra_v2", [4000])


@case(ROOM, "Lyra without its files", FileNotFoundError, "expected Lyra V2's files", "soundstream_encoder.tflite")
def _(folder):
    Lyra(str(folder)).fingerprint()


@case(ROOM, "an operating point that a codec has not", ValueError, "has no operating point 7; it has 16000", "mp3")
def _(folder):
    MP3([16_000]).recode([], 7)


@case(ROOM, "decoded files that are missing", FileNotFoundError, "lacks the decoded files of 1 utterances", "'b'")
def _(folder):
    codec, clip = decoded(folder, 1.0)
    codec.recode([clip._replace(name="b", path=folder / "b.wav")], 900.0)


@case(ROOM, "a decoded file of another length", ValueError, "has 2.00 s, its utterance 'a' 1.00 s", "a.wav")
def _(folder):
    codec, clip = decoded(folder, 2.0)
    codec.recode([clip], 900.0)


@case(ROOM, "decoded files at another sampling rate", None, "resampled")
def _(folder):
    codec, clip = decoded(folder, 1.0)
    soundfile.write(folder / "mine" / "a.wav", np.sin(np.arange(24_000) / 1.5), 24_000)
    assert codec.recode([clip], 900.0)[0].waveform.shape == clip.waveform.shape
    return "resampled"
