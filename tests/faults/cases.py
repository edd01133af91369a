"""Bad input, case by case: what is given, and the error or the right result that comes of it.

``docs/faults.md`` is made from this table (``GENERATE_EXPECTED=1 pytest tests/faults``).
"""

import contextlib
import errno
import json
import os
import pickle
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from fake.corpora import write_tone
from fake.encoder import FakeEncoder
from safetensors.torch import save_file

from emoquant.audio import AudioError, read_audio
from emoquant.cli import train
from emoquant.codecs import ECVQ, load_codec, save_codec
from emoquant.codecs.bitstream import BitstreamError
from emoquant.codecs.checkpoint import SECTION
from emoquant.codecs.search import layout_of
from emoquant.commands.compress import compress
from emoquant.commands.decompress import decompress
from emoquant.data.esd import ESD
from emoquant.data.extraction import ExtractionSettings, extract, open_store
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule
from emoquant.data.store import DamagedEntryError
from emoquant.encoders import Emotion2Vec, EncoderHead, ProbeHead
from emoquant.entropy import LightModel
from emoquant.origin import Origin
from emoquant.quantization import GroupedResidualVQ
from emoquant.reports.redraw import configured_reports
from emoquant.results import read_results
from emoquant.sharding import parse_shard
from emoquant.tts.vocoder_checkpoint import load_vocoder
from emoquant.tts.voice import load_voice

TINY = "checkpoints/emotion2vec-tiny"
QUIET = ExtractionSettings(progress=False)
DIM = 8


class Case(NamedTuple):
    """One kind of bad (or unusual) input.

    Attributes:
        room: Heading in the document.
        given: What is given, in words.
        act: Does it in an empty folder; returns what came of it where that is no error.
        error: The error; None where there is a right result.
        says: What the message says, or the result in words.
        names: What the message must name besides: the file or the value.
    """

    room: str
    given: str
    act: Callable[[Path], object]
    error: type[BaseException] | None
    says: str
    names: str = ""


CASES: list[Case] = []


def case(room, given, error, says, names=""):
    def add(act):
        CASES.append(Case(room, given, act, error, says, names))
        return act

    return add


# --- audio -----------------------------------------------------------------------------------------------------------


def tone(path: Path, seconds=0.5, rate=16_000, channels=1, subtype="PCM_16", **kind) -> Path:
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 200 * time)[:, None] * np.linspace(1, 0.5, channels)
    soundfile.write(path, wave, rate, subtype=subtype, **kind)
    return path


@case("Audio", "a file that is not there", FileNotFoundError, "no such audio file; check the corpus folder", "a.wav")
def _(folder):
    read_audio(folder / "a.wav")


@case("Audio", "a file without a byte", AudioError, "empty: the file has no bytes; copy it again", "a.wav")
def _(folder):
    (folder / "a.wav").write_bytes(b"")
    read_audio(folder / "a.wav")


@case("Audio", "a header without samples", AudioError, "there are no samples; copy the file again", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.zeros(0), 16_000)
    read_audio(folder / "a.wav")


@case("Audio", "a wav file that was cut off", AudioError, "bytes of samples are missing; copy it again", "a.wav")
def _(folder):
    data = tone(folder / "a.wav").read_bytes()
    (folder / "a.wav").write_bytes(data[: len(data) // 2])
    read_audio(folder / "a.wav")


@case("Audio", "a flac file that was cut off", AudioError, "copy the file again", "a.flac")
def _(folder):
    data = tone(folder / "a.flac").read_bytes()
    (folder / "a.flac").write_bytes(data[: len(data) // 2])
    read_audio(folder / "a.flac")


@case("Audio", "text with the ending .wav", AudioError, "expected wav, flac, ogg, opus or mp3", "a.wav")
def _(folder):
    (folder / "a.wav").write_text("this is no audio" * 30)
    read_audio(folder / "a.wav")


@case("Audio", "a folder with the ending .wav", AudioError, "expected wav, flac, ogg, opus or mp3", "a.wav")
def _(folder):
    (folder / "a.wav").mkdir()
    read_audio(folder / "a.wav")


@case("Audio", "silence", AudioError, "every sample from 0.0 s on is zero; leave it out or replace the file", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.zeros(8000), 16_000)
    read_audio(folder / "a.wav")


@case("Audio", "a sample that is NaN", AudioError, "a sample is NaN or infinite; write the file again", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.array([0.1] * 500 + [np.nan]), 16_000, subtype="FLOAT")
    read_audio(folder / "a.wav")


@case("Audio", "a sample that is infinite", AudioError, "a sample is NaN or infinite; write the file again", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.array([0.1] * 500 + [np.inf]), 16_000, subtype="DOUBLE")
    read_audio(folder / "a.wav")


@case("Audio", "too short for one frame", AudioError, "399 samples at 16000 Hz where at least 400 are needed", "a.wav")
def _(folder):
    read_audio(tone(folder / "a.wav", seconds=399.5 / 16_000))


@case("Audio", "a part that lies outside the file", AudioError, "correct start and end in the manifest", "a.wav")
def _(folder):
    read_audio(tone(folder / "a.wav"), 0.2, 3.0)


@case("Audio", "much longer than the encoder's window (2 min)", None, "read whole; the encoder uses windows")
def _(folder):
    waveform = read_audio(tone(folder / "a.wav", seconds=120))
    assert int(Emotion2Vec(TINY).frame_lengths(torch.tensor([len(waveform)]))) == 5998


@case("Audio", "8 bits a sample", None, "read; within 1/128 of 16 bits")
def _(folder):
    whole = read_audio(tone(folder / "a.wav"))
    assert (read_audio(tone(folder / "b.wav", subtype="PCM_U8")) - whole).abs().max() < 1 / 128


@case("Audio", "stereo, 24 bits", None, "read as the mean of the channels")
def _(folder):
    mono, stereo = read_audio(tone(folder / "a.wav")), tone(folder / "b.wav", channels=2, subtype="PCM_24")
    assert torch.allclose(read_audio(stereo), 0.75 * mono, atol=1e-3)


@case("Audio", "96 kHz", None, "resampled to 16 kHz: the same length and tone")
def _(folder):
    low, high = read_audio(tone(folder / "a.wav")), read_audio(tone(folder / "b.wav", rate=96_000))
    assert len(high) == len(low)
    assert torch.allclose(high[500:-500], low[500:-500], atol=1e-2)


@case("Audio", "8 kHz (telephone)", None, "resampled to 16 kHz")
def _(folder):
    assert len(read_audio(tone(folder / "a.wav", rate=8000))) == 8000


@case("Audio", "a flac file with the ending .wav", None, "read by its content")
def _(folder):
    (tone(folder / "a.flac")).rename(folder / "a.wav")
    assert len(read_audio(folder / "a.wav")) == 8000


@case("Audio", "a path with spaces, umlauts and other scripts", None, "read")
def _(folder):
    place = folder / "mein Ordner" / "感情 Ärger"
    place.mkdir(parents=True)
    assert len(read_audio(tone(place / "wütend #1 'ja'.wav"))) == 8000


# --- corpora ---------------------------------------------------------------------------------------------------------


def manifest(folder: Path, text: str, **options) -> ManifestCorpus:
    for number, file in enumerate(("a.wav", "b.wav", "sub/c.wav")):
        write_tone(folder / "corpus" / file, number=number)
    path = folder / "corpus" / "m.csv"
    path.write_text(text, encoding="utf-8")
    return ManifestCorpus(str(path), **options)


LINES = "path,emotion,speaker,split\na.wav,sad,x,train\n"


@case("Corpora", "a manifest that is not there", FileNotFoundError, "no such manifest; expected a CSV file", "m.csv")
def _(folder):
    ManifestCorpus(str(folder / "m.csv")).utterances()


@case("Corpora", "an empty manifest", ValueError, "no column ['emotion', 'path']", "m.csv")
def _(folder):
    manifest(folder, "").utterances()


@case("Corpora", "a manifest with nothing but a header", ValueError, "no utterance", "m.csv")
def _(folder):
    manifest(folder, "path,emotion,speaker,split\n").utterances()


@case("Corpora", "a manifest without the column emotion", ValueError, "no column ['emotion']; the file has", "m.csv")
def _(folder):
    manifest(folder, "path,mood\na.wav,sad\n").utterances()


@case("Corpora", "two utterances of one id", ValueError, "give every utterance its own in a column id", "line 3")
def _(folder):
    manifest(folder, "path,emotion,split,id\na.wav,sad,test,1\nb.wav,sad,test,1\n").utterances()


@case("Corpora", "an emotion that nobody knows (mislabelled)", ValueError, "unknown emotion 'sda'", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split\na.wav,sda,train\n").utterances()


@case("Corpora", "a split that there is not", ValueError, "expected one of ['train', 'validation', 'test']", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split\na.wav,sad,evaluation\n").utterances()


@case("Corpora", "a path with .. in a manifest", ValueError, "set allow_outside if that is meant", "../../etc/x.wav")
def _(folder):
    manifest(folder, "path,emotion,split\n../../etc/x.wav,sad,train\n").utterances()


@case("Corpora", "an absolute path in a manifest", ValueError, "set allow_outside if that is meant", "/etc/passwd")
def _(folder):
    manifest(folder, "path,emotion,split\n/etc/passwd,sad,train\n").utterances()


@case("Corpora", "a link out of the root", ValueError, "by a link; set allow_outside if meant", "away")
def _(folder):
    corpus = manifest(folder, "path,emotion,split\naway/x.wav,sad,train\n")
    write_tone(folder / "elsewhere" / "x.wav")
    (folder / "corpus" / "away").symlink_to(folder / "elsewhere")
    corpus.utterances()


@case("Corpora", "the same with allow_outside", None, "read: the user allowed it")
def _(folder):
    write_tone(folder / "elsewhere" / "x.wav")
    corpus = manifest(folder, "path,emotion,split\n../elsewhere/x.wav,sad,train\n", allow_outside=True)
    assert len(corpus.utterances()) == 1


@case("Corpora", "an id with a path in it", ValueError, "has a path separator", "../evil")
def _(folder):
    manifest(folder, "path,emotion,split,id\na.wav,sad,train,../evil\n").utterances()


@case("Corpora", "a file that is listed and not there", FileNotFoundError, "check root, which is", "line 3")
def _(folder):
    manifest(folder, LINES + "gone.wav,sad,x,train\n").utterances()


@case("Corpora", "a quotation mark that does not end", ValueError, "not CSV", "line 3")
def _(folder):
    manifest(folder, LINES + 'b.wav,"sad,x,train\n').utterances()


@case("Corpora", "a manifest in Latin-1", ValueError, "not UTF-8", "save it as UTF-8")
def _(folder):
    corpus = manifest(folder, LINES)
    corpus.manifest.write_bytes("path,emotion,speaker,split\na.wav,sad,Jürgen,train\n".encode("latin-1"))
    corpus.utterances()


@case("Corpora", "a line with a cell too few", ValueError, "not as many cells as the header: 3 instead of 4", "line 3")
def _(folder):
    manifest(folder, LINES + "b.wav,sad,x\n").utterances()


@case("Corpora", "an end before its start", ValueError, "end 0.1 s is not after start 0.2 s", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split,start,end\na.wav,sad,train,0.2,0.1\n").utterances()


@case("Corpora", "a start that is no number", ValueError, "start is 'nan', expected a number", "line 2")
def _(folder):
    manifest(folder, "path,emotion,split,start,end\na.wav,sad,train,nan,\n").utterances()


@case("Corpora", "a corpus folder that is not there", FileNotFoundError, "ESD is given for research on request", "ESD")
def _(folder):
    ESD(str(folder / "ESD")).utterances()


@case("Corpora", "a corpus without one of the emotions asked for", ValueError, "no utterance with one of", "m")
def _(folder):
    data = EmotionDataModule(manifest(folder, LINES), FakeEncoder(), ["happy"], str(folder / "cache"))
    data.setup()


@case("Corpora", "an emotion in the configuration that nobody knows", ValueError, "unknown emotion", "hapy")
def _(folder):
    EmotionDataModule(manifest(folder, LINES), FakeEncoder(), ["hapy"], str(folder / "cache"))


# --- features --------------------------------------------------------------------------------------------------------


def extracted(folder: Path, encoder=None):
    corpus = manifest(folder, LINES + "b.wav,happy,x,train\nsub/c.wav,sad,y,test\n")
    encoder = encoder or FakeEncoder()
    store = open_store(encoder, folder / "cache")
    extract(corpus.utterances(), encoder, store, settings=QUIET)
    store.merge()
    store.refresh()
    return corpus, encoder, store


@case("Features", "one broken file among good ones", AudioError, "1 of 3 utterances cannot be used", "b.wav")
def _(folder):
    corpus = manifest(folder, LINES + "b.wav,happy,x,train\nsub/c.wav,sad,y,test\n")
    utterances = corpus.utterances()
    (folder / "corpus" / "b.wav").write_bytes(b"")
    encoder = FakeEncoder()
    store = open_store(encoder, folder / "cache")
    try:
        extract(utterances, encoder, store, settings=QUIET)
    finally:
        store.refresh()
        assert len(store.index) == 2, "the others are stored"


@case("Features", "a corpus that vanished", FileNotFoundError, "is the corpus folder still there?", "a.wav")
def _(folder):
    corpus, encoder, store = extracted(folder)
    utterances = corpus.utterances()
    (folder / "corpus").rename(folder / "moved")
    extract(utterances, encoder, store, settings=QUIET)


@case("Features", "a cache of another encoder", ValueError, "choose another cache folder, or delete this one", "store")
def _(folder):
    _, _, store = extracted(folder)
    path = store.folder / "store.json"
    path.write_text(path.read_text().replace(store.fingerprint, "0" * 64))
    open_store(FakeEncoder(), folder / "cache")


@case("Features", "a cache of a newer format", ValueError, "choose another cache folder, or delete this one", "store")
def _(folder):
    _, _, store = extracted(folder)
    path = store.folder / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    open_store(FakeEncoder(), folder / "cache")


@case("Features", "a cache whose description is cut off", ValueError, "delete this file if the folder", "store.json")
def _(folder):
    _, _, store = extracted(folder)
    (store.folder / "store.json").write_text('{"fingerprint": "ab')
    open_store(FakeEncoder(), folder / "cache")


@case("Features", "a shard that was cut off", None, "its entries are computed again")
def _(folder):
    corpus, encoder, store = extracted(folder)
    (shard,) = (store.folder / "shards").iterdir()
    shard.write_bytes(shard.read_bytes()[:-40])
    again = open_store(encoder, folder / "cache")
    assert extract(corpus.utterances(), encoder, again, settings=QUIET) == 1


@case("Features", "a flipped bit in a shard", DamagedEntryError, "run the same command again", "safetensors")
def _(folder):
    corpus, encoder, store = extracted(folder)
    (shard,) = (store.folder / "shards").iterdir()
    found, data = shard.stat(), bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    os.utime(shard, ns=(found.st_atime_ns, found.st_mtime_ns))
    again = open_store(encoder, folder / "cache")
    try:
        for row in again.index.rows_of():
            again.read(row)
    finally:
        assert extract(corpus.utterances(), encoder, open_store(encoder, folder / "cache"), settings=QUIET) == 1


@case("Features", "half a line at the end of a killed run's journal", None, "ignored; what it named is computed again")
def _(folder):
    corpus, encoder, store = extracted(folder)
    manifest = store.folder / "manifest.jsonl"
    (store.folder / "journal-00000-deadbeef.jsonl").write_bytes(manifest.read_bytes()[:-20])
    manifest.unlink()
    again = open_store(encoder, folder / "cache")
    assert extract(corpus.utterances(), encoder, again, settings=QUIET) == 3


@case("Features", "a half-written shard that a killed run left", None, "removed when the next run ends")
def _(folder):
    _, _, store = extracted(folder)
    left = store.folder / "shards" / ".00000-deadbeef-00001.safetensors.77-0a.tmp"
    left.write_bytes(b"half")
    (store.folder / "journal-00000-deadbeef.jsonl").write_bytes(b"")
    store.merge()
    assert not left.exists()


@case("Features", "a feature that is NaN", ValueError, "check the encoder's weights", "a feature is NaN")
def _(folder):
    encoder = FakeEncoder()
    encoder.weight.fill_(float("nan"))
    extracted(folder, encoder)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def codec(path: Path, dim: int = DIM, origin: Origin | None = None) -> Path:
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, dim=dim)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(8)
    model.build(layout_of(quantizer))
    made = ECVQ(quantizer, model)
    made.origin = origin
    save_codec(made, path)
    return path


class Malicious:
    """Would make a file called ran when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (open, (str(self.folder / "ran"), "w"))


UNREADABLE = "it is damaged, cut off or of another kind"


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


@case("Checkpoints", "a codec of another encoder", ValueError, "choose the encoder it was trained on", "'theirs'")
def _(folder):
    dim = Emotion2Vec(TINY).dim
    path = codec(folder / "c.ckpt", dim, Origin("theirs", "ab" * 32))
    compress(tone(folder / "a.wav"), folder / "out", path, encoder=TINY, progress=False)


@case("Checkpoints", "features of another dimension than the codec's", ValueError, "use its encoder", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.ones((5, DIM + 1), np.float32))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Checkpoints", "a probe that is not there", FileNotFoundError, "train one with python train.py fit", "p.ckpt")
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


@case("Checkpoints", "a codec where a vocoder is wanted", ValueError, "is of another kind: it lacks", "c.ckpt")
def _(folder):
    load_vocoder(str(codec(folder / "c.ckpt")))


# --- compressed files ------------------------------------------------------------------------------------------------


def compressed(folder: Path) -> tuple[Path, Path]:
    np.save(folder / "a.npy", np.random.default_rng(0).normal(size=(40, DIM)).astype(np.float32))
    path = codec(folder / "c.ckpt")
    compress(folder / "a.npy", folder / "emq", path, progress=False)
    return folder / "emq" / "a.emq", path


@case("Compressed files", "an .emq file that was cut off", BitstreamError, "truncated", "a.emq")
def _(folder):
    file, path = compressed(folder)
    file.write_bytes(file.read_bytes()[:-2])
    decompress(file, folder / "out", path, progress=False)


@case("Compressed files", "an .emq file with a flipped bit", BitstreamError, "the checksum does not match", "a.emq")
def _(folder):
    file, path = compressed(folder)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    decompress(file, folder / "out", path, progress=False)


@case("Compressed files", "something else with the ending .emq", BitstreamError, "is this a file that", "a.emq")
def _(folder):
    file, path = compressed(folder)
    file.write_bytes(b"GIF89a" * 9)
    decompress(file, folder / "out", path, progress=False)


@case(
    "Compressed files",
    "an .emq file of another codec",
    BitstreamError,
    "load the checkpoint that compressed it",
    "a.emq",
)
def _(folder):
    file, path = compressed(folder)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["quantizer.fine.vectors"] += 1
    torch.save(content, path)
    decompress(file, folder / "out", path, progress=False)


@case("Compressed files", "a folder without .emq files", FileNotFoundError, "expected files ending in .emq", "empty")
def _(folder):
    (folder / "empty").mkdir()
    decompress(folder / "empty", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "an archive that names ../../evil", ValueError, "not safe as a file name; rename it", "evil")
def _(folder):
    save_file({"../../evil": torch.ones(4, DIM)}, folder / "a.safetensors")
    compress(folder / "a.safetensors", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case(
    "Compressed files",
    "a link out of the output folder",
    ValueError,
    "would be written outside",
    "remove the link",
)
def _(folder):
    (folder / "in" / "s").mkdir(parents=True)
    np.save(folder / "in" / "s" / "a.npy", np.ones((4, DIM), np.float32))
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out" / "s").symlink_to(folder / "elsewhere")
    try:
        compress(folder / "in", folder / "out", codec(folder / "c.ckpt"), progress=False)
    finally:
        assert not list((folder / "elsewhere").iterdir())


@case("Compressed files", "features with pickled objects", ValueError, "cannot be read as frame features", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.array([Malicious(folder)], object), allow_pickle=True)
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "features that are NaN", ValueError, "features hold NaN or infinity", "check what made them")
def _(folder):
    np.save(folder / "a.npy", np.full((4, DIM), np.nan, np.float32))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "features without a frame", ValueError, "must be (T, 8) with T >= 1, got (0, 8)")
def _(folder):
    np.save(folder / "a.npy", np.ones((0, DIM), np.float32))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "features of more frames than allowed", ValueError, "split the recording or set most_frames")
def _(folder):
    loaded = load_codec(codec(folder / "c.ckpt"))
    loaded.most_frames = 10
    loaded.compress(torch.ones(11, DIM))


@case("Compressed files", "integers for features", ValueError, "expected frame features (T, D) in floating", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.ones((4, DIM), np.int64))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "two inputs with one output", ValueError, "rename one or use separate folders", "a.wav")
def _(folder):
    (folder / "in").mkdir()
    np.save(folder / "in" / "a.npy", np.ones((4, DIM), np.float32))
    tone(folder / "in" / "a.wav")
    compress(folder / "in", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "an output folder of other settings", ValueError, "another folder or --overwrite", "emq")
def _(folder):
    _, path = compressed(folder)
    compress(folder / "a.npy", folder / "emq", path, lmbda=9.0, progress=False)


@case("Compressed files", "audio without an encoder", ValueError, "name an encoder (--encoder DIRECTORY)", "a.wav")
def _(folder):
    compress(tone(folder / "a.wav"), folder / "out", codec(folder / "c.ckpt"), progress=False)


# --- configurations and results --------------------------------------------------------------------------------------


def config(folder: Path, text: str) -> None:
    path = folder / "run.yaml"
    path.write_text(text)
    train(["fit", f"--config={path}"])


MODEL = "model:\n  class_path: emoquant.tasks.CodebookTask\n  init_args:\n"


@case("Configurations", "a key with a typo", SystemExit, "is not accepted", "sampel_frames")
def _(folder):
    config(folder, f"{MODEL}    sampel_frames: 9\n")


@case("Configurations", "a class that there is not", SystemExit, "has no attribute", "CodebokTask")
def _(folder):
    config(folder, "model:\n  class_path: emoquant.tasks.CodebokTask\n")


@case("Configurations", "YAML that does not parse", SystemExit, "is no YAML that can be read", "run.yaml")
def _(folder):
    config(folder, "model: [1, 2\ntrainer: }\n")


@case("Configurations", "a file that is not there", SystemExit, "does not exist", "run.yaml")
def _(folder):
    train(["fit", f"--config={folder / 'run.yaml'}"])


@case("Configurations", "a negative lambda", ValueError, "lambdas must be finite and at least 0", "-1.0")
def _(folder):
    load_codec(codec(folder / "c.ckpt"), points=[1.0, -1.0])


@case("Configurations", "a part of an array that there is not", ValueError, "NUMBER from 0 to COUNT - 1", "'8/8'")
def _(folder):
    parse_shard("8/8")


@case("Configurations", "results.csv with a cell that is no number", ValueError, "could not convert string", "line 2")
def _(folder):
    text = "corpus,codec,lmbda,emotion,metric,value,low,high,n,stratum,interval\nx,y,1,all,uar,much,,,3,all,\n"
    (folder / "results.csv").write_text(text)
    read_results(folder / "results.csv")


@case("Configurations", "a run's config.yaml that is cut off", ValueError, "is no YAML that can be read", "config.yaml")
def _(folder):
    (folder / "config.yaml").write_text("trainer: {callbacks: [")
    configured_reports(folder / "config.yaml")


# --- disks -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def full_disk(size: int):
    """Let no file grow beyond a size, as on a disk with a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


REMEDY = "free space, or choose a folder that can be written"


@case("Disks", "a disk that is full while a codec is saved", OSError, REMEDY, "c.ckpt")
def _(folder):
    before = codec(folder / "c.ckpt").read_bytes()
    try:
        with full_disk(2000):
            codec(folder / "c.ckpt")
    finally:
        assert (folder / "c.ckpt").read_bytes() == before, "what was there is as it was"
        assert len(list(folder.iterdir())) == 1


@case("Disks", "a disk that is full while a training saves its checkpoint", OSError, REMEDY, "last.ckpt")
def _(folder):
    from emoquant.callbacks import WholeCheckpoints

    saver, path = WholeCheckpoints(), folder / "run" / "last.ckpt"
    saver.save_checkpoint({"step": 1, "weight": torch.zeros(1000)}, path)
    try:
        with full_disk(2000):
            saver.save_checkpoint({"step": 2, "weight": torch.zeros(1000)}, path)
    finally:
        assert torch.load(path, weights_only=True)["step"] == 1
        assert len(list((folder / "run").iterdir())) == 1


@case("Disks", "a disk that is full while features are extracted", OSError, REMEDY, "safetensors")
def _(folder):
    utterances = manifest(folder, LINES + "b.wav,happy,x,train\nsub/c.wav,sad,y,test\n").utterances()
    encoder = FakeEncoder()
    store = open_store(encoder, folder / "cache")
    try:
        with full_disk(1000):
            extract(utterances, encoder, store, settings=QUIET)
    finally:
        assert extract(utterances, encoder, open_store(encoder, folder / "cache"), settings=QUIET) == 3, "once more"


@case("Disks", "a disk that is full while files are compressed", OSError, REMEDY, "b.emq")
def _(folder):
    (folder / "in").mkdir()
    for name, frames in {"a": 5, "b": 600}.items():
        np.save(folder / "in" / f"{name}.npy", np.random.default_rng(0).normal(size=(frames, DIM)).astype(np.float32))
    path = codec(folder / "c.ckpt")
    options = {"lmbda": 0.0, "utterances": 1, "progress": False}
    try:
        with full_disk(600):
            compress(folder / "in", folder / "out", path, **options)
    finally:
        assert [each.name for each in (folder / "out").glob("*.emq")] == ["a.emq"]
        before = (folder / "out" / "a.emq").stat()
        compress(folder / "in", folder / "out", path, **options)
        assert (folder / "out" / "a.emq").stat() == before, "what was done is not done again"


class ReadOnly:
    """Makes writing fail as on a file system that is mounted read-only (a test may run as root)."""

    def __enter__(self):
        self.kept = Path.open, Path.write_bytes

        def refuse(path, mode="r", *rest, **options):
            if set(mode) & set("wax+"):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return self.kept[0](path, mode, *rest, **options)

        Path.open = refuse

    def __exit__(self, *_):
        Path.open, Path.write_bytes = self.kept


@case("Disks", "an output folder that cannot be written", OSError, "Read-only file system", "emq")
def _(folder):
    np.save(folder / "a.npy", np.ones((4, DIM), np.float32))
    path = codec(folder / "c.ckpt")
    with ReadOnly():
        compress(folder / "a.npy", folder / "emq", path, progress=False)


@case("Disks", "a feature cache that cannot be written, and is whole", None, "read as it is")
def _(folder):
    corpus, _, _ = extracted(folder)
    with ReadOnly():
        data = EmotionDataModule(corpus, FakeEncoder(), ["sad", "happy"], str(folder / "cache"))
        data.setup()
        assert int(next(iter(data.train_dataloader())).lengths.sum()) > 0
