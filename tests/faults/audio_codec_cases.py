"""Codecs of audio, tokenizers and encoders of transformers: folders that do not hold what is asked for."""

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import soundfile
import torch
from cases import case
from pretrained_models import save_codec

from emoquant.__main__ import main
from emoquant.audio_codecs import MP3, Clip, DecodedFolder, Lyra, Opus, TokenFolder, TransformersCodec
from emoquant.encoders import LSTMEncoder, TransformersEncoder
from emoquant.encoders.naming import open_encoder

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


@cache
def small_codec(family):
    """Return the folder of a small random codec of transformers, saved once."""
    return save_codec(family, Path(mkdtemp()) / family)


def changed_codec(folder, family, **settings):
    """Return a codec whose configuration was changed, and a second of sound."""
    shutil.copytree(small_codec(family), folder / "model")
    path = folder / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return TransformersCodec(str(folder / "model")), Clip("a", folder / "a.wav", torch.sin(torch.arange(16_000.0)))


def saved_encoder(folder):
    LSTMEncoder(output="states", hidden=8, layers=1).save(folder / "speakers")
    return folder / "speakers"


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


@case(ROOM, "a codec of transformers without weights", FileNotFoundError, "has no weights", "model")
def _(folder):
    _ = TransformersCodec(model(folder, "mimi", weights=False)).points


@case(ROOM, "weights of another class of codec", ValueError, "they are of another model, or cut", "model")
def _(folder):
    codec, clip = changed_codec(folder, "dac")
    shutil.copy(small_codec("encodec") / "model.safetensors", folder / "model")
    codec.recode([clip], codec.points[0])


@case(ROOM, "weights of a codec of another size", ValueError, "is (16, 4), expected (32, 4)", "model")
def _(folder):
    codec, clip = changed_codec(folder, "dac", codebook_size=32)
    codec.recode([clip], codec.points[0])


@case(ROOM, "weights of a codec cut off", ValueError, "cannot be loaded with transformers", "model")
def _(folder):
    codec, clip = changed_codec(folder, "dac")
    path = folder / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-64])
    codec.recode([clip], codec.points[0])


@case(ROOM, "a codec of transformers at another sampling rate", None, "resampled")
def _(folder):
    codec, clip = changed_codec(folder, "dac", sampling_rate=24_000)
    assert codec.recode([clip], codec.points[0])[0].waveform.shape == clip.waveform.shape
    return "resampled"


@case(ROOM, "a codec whose sampling rate is 0", ValueError, "a codebook size of 0: copy it again", "config.json")
def _(folder):
    _ = changed_codec(folder, "dac", sampling_rate=0)[0].points


@case(ROOM, "EnCodec for music, in windows", ValueError, "this EnCodec is one for music", "encodec_24khz")
def _(folder):
    codec, clip = changed_codec(folder, "encodec", chunk_length_s=1.0, normalize=True)
    codec.recode([clip], codec.points[0])


@case(ROOM, "more codebooks than a codec has", ValueError, "has no 9 codebooks: expected numbers among 1, 2, 3", "dac")
def _(folder):
    _ = TransformersCodec(str(small_codec("dac")), [9]).points


@case(ROOM, "a damaged file of Lyra", ValueError, "cannot be loaded", "quantizer.tflite")
def _(folder):
    for name in ("soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite"):
        (folder / name).write_bytes(b"damaged")
    Lyra(str(folder)).recode([Clip("a", folder / "a.wav", torch.zeros(320))], 3200.0)


@case(ROOM, "an utterance without samples", ValueError, "has no samples, which codec 'opus' needs", "'a'")
def _(folder):
    Opus([8000]).recode([Clip("a", folder / "a.wav", torch.zeros(0))], 8000.0)


@case(ROOM, "a folder of decoded files that is not there", FileNotFoundError, "expected decoded audio", "mine")
def _(folder):
    DecodedFolder(str(folder / "mine"), 900).fingerprint()


@case(ROOM, "tokens that are missing", FileNotFoundError, "lacks the tokens of 1 utterances", "'a'")
def _(folder):
    np.save(folder / "b.npy", np.zeros(25, np.int64))
    TokenFolder(str(folder), 9, 25).tokens([Clip("a", folder / "a.wav", torch.zeros(16_000))])


@case(ROOM, "tokens of another length", ValueError, "check frame_rate (50)", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.zeros(25, np.int64))
    TokenFolder(str(folder), 9, 50).tokens([Clip("a", folder / "a.wav", torch.zeros(16_000))])


@case(ROOM, "tokens beyond the codebook", ValueError, "token 9 in frame 0, expected 0 to 8", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.full(25, 9))
    TokenFolder(str(folder), 9, 25).tokens([Clip("a", folder / "a.wav", torch.zeros(16_000))])


@case(ROOM, "a saved encoder without its description", FileNotFoundError, "expected it beside", "encoder.json")
def _(folder):
    (saved_encoder(folder) / "encoder.json").unlink()
    open_encoder(str(folder / "speakers"))


@case(ROOM, "a saved encoder without its weights", FileNotFoundError, "expected it beside", "encoder.safetensors")
def _(folder):
    (saved_encoder(folder) / "encoder.safetensors").unlink()
    open_encoder(str(folder / "speakers"))


@case(ROOM, "a saved encoder that claims to be larger", ValueError, "larger than its file", "encoder.safetensors")
def _(folder):
    path = saved_encoder(folder) / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden": 99_000}))
    open_encoder(str(folder / "speakers"))


@case(ROOM, "bits without a codec", SystemExit, "expected --codecs, --audio_codecs or --tokenizers")
def _(folder):
    main(["bits", "--codecs", "[]", "--folder", str(folder)])


@case(ROOM, "bits with a recogniser that is not there", SystemExit, "no Whisper model", "none/of/it")
def _(folder):
    main(["bits", "--folder", str(folder), "--recognizer", "emoquant.voice.text.recognition.WhisperRecognizer",
          "--recognizer.model", "none/of/it"])  # fmt: skip


@case(ROOM, "bits with a folder without a recogniser", SystemExit, "holds no Whisper model: model.bin", "words")
def _(folder):
    (folder / "words").mkdir()
    main(["bits", "--folder", str(folder), "--recognizer", "emoquant.voice.text.recognition.WhisperRecognizer",
          "--recognizer.model", str(folder / "words")])  # fmt: skip


@case(ROOM, "bits with speakers heard by nobody", SystemExit, "expected it beside encoder.json", "speakers")
def _(folder):
    (saved_encoder(folder) / "encoder.safetensors").unlink()
    main(["bits", "--folder", str(folder), "--speaker_encoder", str(folder / "speakers")])
