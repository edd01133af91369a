"""Every file format that the project reads: how a sound one is written, and what reads it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bad_world import DIM, TINY, codec, manifest, results_of, tone
from fake.corpora import fake_esd
from safetensors.torch import save_file

from emoquant.audio.loading import read_audio
from emoquant.codecs import load_codec
from emoquant.commands.compress_manifest import CompressedRow, read_rows, write_rows
from emoquant.commands.sources import find_sources, read_features
from emoquant.data.esd_text import read_corrections, read_transcript
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.rated import RatedCorpus
from emoquant.encoders import EncoderHead, ProbeHead
from emoquant.encoders.directory import read_directory
from emoquant.encoders.heads import Probe
from emoquant.reports.comparison import read_agreement
from emoquant.reports.output import add_to_index, read_index
from emoquant.reports.redraw import configured_reports
from emoquant.reports.reference import SHIPPED, read_reference
from emoquant.site.provenance import run_config, weights_of
from emoquant.storage.documents import inlined
from emoquant.storage.origin import UNKNOWN
from emoquant.storage.results import read_results
from emoquant.storage.runs import Begun, begin, begun_in, read_state, write_state
from emoquant.voice.alignment.textgrid import read_textgrid
from emoquant.voice.callbacks.listening import _clips_of
from emoquant.voice.clips import Clip, read_clips, write_clips
from emoquant.voice.text.text import front_end
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder
from emoquant.voice.tts.voice import load_voice


class Format(NamedTuple):
    """One format.

    Attributes:
        name: As the document calls it.
        kind: ``"text"``, ``"csv"``, ``"json"``, ``"yaml"``, ``"archive"`` (of torch) or ``"binary"``.
        write: Writes a sound one into an empty folder and returns the file.
        read: Reads that file.
        slow: Whether reading takes too long for thousands of times.
    """

    name: str
    kind: str
    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    slow: bool = False


FORMATS: list[Format] = []

#: A configuration of HiFi-GAN.
HIFIGAN = {
    "resblock": "1", "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8], "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 2], [2, 6]], "num_mels": 80, "n_fft": 1024,
    "hop_size": 256, "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": 8000,
}  # fmt: skip


def read_ratings(path):
    return RatedCorpus(ManifestCorpus(str(path.with_name("m.csv"))), str(path)).utterances()


def reads(name, kind, read, slow=False):
    def add(write):
        FORMATS.append(Format(name, kind, write, read, slow))
        return write

    return add


@reads("audio (wav)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.wav", seconds=0.05)


@reads("audio (flac)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.flac", seconds=0.05)


@reads("audio (ogg)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.ogg", seconds=0.05, subtype="VORBIS")


@reads("audio (aiff)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.aiff", seconds=0.05)


@reads("manifest of a corpus", "csv", lambda path: list(ManifestCorpus(str(path)).utterances()))
def _(folder):
    return manifest(folder, "path,emotion,speaker,split,text\na.wav,sad,x,train,Yes.\nb.wav,happy,y,test,\n").manifest


@reads(
    "ratings of a corpus",
    "csv",
    lambda path: RatedCorpus(ManifestCorpus(str(path.with_name("m.csv"))), str(path)).utterances(),
)
def _(folder):
    corpus = manifest(folder, "path,emotion,speaker,split\na.wav,sad,x,train\nb.wav,happy,y,test\n")
    path = corpus.manifest.with_name("ratings.csv")
    path.write_text("id,rating_recognised\na,80\nb,\n")
    return path


@reads("transcript of ESD", "text", lambda path: read_transcript(path, "cp1252"))
def _(folder):
    fake_esd(folder, speakers=("0011",), sentences=(1,))
    return folder / "0011" / "0011.txt"


@reads("corrections of ESD", "csv", read_corrections)
def _(folder):
    (folder / "c.csv").write_text("id,text\n0011_000001,It must come.\n")
    return folder / "c.csv"


@reads("pronouncing dictionary", "text", lambda path: front_end(f"dictionary:{path}"))
def _(folder):
    (folder / "a.dict").write_text("tak\tt a k\nnie n j e\n")
    return folder / "a.dict"


@reads("TextGrid", "text", read_textgrid)
def _(folder):
    tier = '"IntervalTier"\n"{}"\n0\n1\n2\n0\n0.5\n"a"\n0.5\n1\n"b"\n'
    text = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n2\n'
    (folder / "a.TextGrid").write_text(text + tier.format("phones") + tier.format("words"))
    return folder / "a.TextGrid"


@reads("results.csv", "csv", read_results)
def _(folder):
    return results_of(folder, ["x", "y"]) / "results.csv"


@reads("published figures (CSV)", "csv", lambda path: read_reference(path, "recall", ["sad", "all"]))
def _(folder):
    (folder / "f.csv").write_text("lambda,sad,overall\n0,80,70\n10,20,30\n")
    return folder / "f.csv"


@reads("published figures (JSON)", "json", read_agreement)
def _(folder):
    shutil.copy(SHIPPED / "iemocap_ambiguity_vs_lambda.json", folder / "f.json")
    return folder / "f.json"


@reads("captions.json", "json", lambda path: read_index(path.parent))
def _(folder):
    entry = {name: "x" for name in ("stem", "title", "caption", "alt", "results")}
    (folder / "x.md").write_text("x")
    return add_to_index(folder, [{**entry, "files": ["x.md"], "report": {}}])


@reads("config.yaml of a run", "yaml", configured_reports)
def _(folder):
    text = "trainer:\n  callbacks:\n  - class_path: emoquant.callbacks.ResultsWriter\n    init_args:\n      reports:\n"
    text += "      - class_path: emoquant.reports.RateCurves\n        init_args: {metric: recall}\n"
    (folder / "config.yaml").write_text(text)
    return folder / "config.yaml"


@reads("config.yaml of a site's run", "yaml", lambda path: weights_of([run_config(path.parent)]))
def _(folder):
    (folder / "config.yaml").write_text("model: {voice: checkpoints/none, codecs: [a/b.ckpt]}\n")
    return folder / "config.yaml"


@reads("configuration of a user", "yaml", inlined)
def _(folder):
    (folder / "model.yaml").write_text("class_path: CodecTask\n")
    (folder / "mine.yaml").write_text("name: mine\nmodel: model.yaml\n")
    return folder / "mine.yaml"


@reads("folder.yaml of a folder of runs", "yaml", lambda path: begun_in(path.parent))
def _(folder):
    begin(folder, Begun("esd", None, ["sad", "happy"]))
    return folder / "folder.yaml"


@reads("run.json of a run", "json", lambda path: read_state(path.parent))
def _(folder):
    write_state(folder, {"digest": "a", "finished": True})
    return folder / "run.json"


@reads("config.json of a public vocoder", "json", lambda path: load_vocoder(path.parent))
def _(folder):
    torch.save({"generator": {"conv_pre.weight": torch.ones(3)}}, folder / "g_00000001")
    (folder / "config.json").write_text(json.dumps(HIFIGAN))
    return folder / "config.json"


@reads("weights of a public vocoder", "archive", lambda path: load_vocoder(path.parent))
def _(folder):
    (folder / "config.json").write_text(json.dumps(HIFIGAN))
    torch.save({"generator": {"conv_pre.weight": torch.ones(3)}}, folder / "g_00000001")
    return folder / "g_00000001"


@reads("manifest of clips", "csv", read_clips)
def _(folder):
    write_clips(folder / "manifest.csv", [Clip("a.wav", "synthesis", "A", "x", 1.0, "r", "t", "t", "sad", "s", 3, 0.5)])
    return folder / "manifest.csv"


@reads("journal of a listening run", "text", _clips_of)
def _(folder):
    clip = Clip("a.wav", "synthesis", "A", "x", 1.0, "r", "t", "t", "sad", "s", 3, 0.5)
    (folder / "j.jsonl").write_text(json.dumps(clip._asdict()) + "\n")
    return folder / "j.jsonl"


@reads("manifest of compressed files", "csv", lambda path: read_rows(path, CompressedRow))
def _(folder):
    write_rows(folder / "m.csv", [CompressedRow("a.emq", 9, 10.5, 3, 20, 5.0, 0.9)], CompressedRow)
    return folder / "m.csv"


@reads("features (.npy)", "binary", lambda path: read_features(find_sources(path), None))
def _(folder):
    np.save(folder / "a.npy", np.ones((5, 4), np.float32))
    return folder / "a.npy"


@reads("features (.safetensors)", "binary", lambda path: read_features(find_sources(path), None))
def _(folder):
    save_file({"u1": torch.ones(5, 4)}, folder / "a.safetensors")
    return folder / "a.safetensors"


@reads("codec", "archive", load_codec)
def _(folder):
    return codec(folder / "c.ckpt")


@reads("probe", "archive", lambda path: ProbeHead(str(path)))
def _(folder):
    made = Probe(DIM, ["sad", "happy"])
    state = {f"probe.{name}": value for name, value in made.state_dict().items()}
    described = {"dim": DIM, "labels": ["sad", "happy"], "hidden": 0, "dropout": 0.0}
    torch.save({"probe": described, "encoder": UNKNOWN.stored(), "state_dict": state}, folder / "p.ckpt")
    return folder / "p.ckpt"


def model(folder):
    for name in ("config.yaml", "configuration.json", "tokens.txt", "model.pt"):
        shutil.copy(Path(TINY) / name, folder / name)
    return folder


@reads("weights of an encoder", "archive", lambda path: EncoderHead(str(path.parent)), slow=True)
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


def voice(folder):
    for name in ("voice.json", "voice.safetensors"):
        shutil.copy(Path("checkpoints/tts-toy") / name, folder / name)
    return folder


@reads("voice.json", "json", lambda path: load_voice(path.parent), slow=True)
def _(folder):
    return voice(folder) / "voice.json"


@reads("voice.safetensors", "binary", lambda path: load_voice(path.parent), slow=True)
def _(folder):
    return voice(folder) / "voice.safetensors"


@reads("checkpoint of a voice", "archive", load_voice, slow=True)
def _(folder):
    torch.save({"emoquant_voice": {"version": 1}, "state_dict": {"w": torch.ones(3)}}, folder / "v.ckpt")
    return folder / "v.ckpt"


@reads("checkpoint of a vocoder", "archive", load_vocoder)
def _(folder):
    torch.save({"emoquant_vocoder": {"version": 1}, "state_dict": {"generator.w": torch.ones(3)}}, folder / "v.ckpt")
    return folder / "v.ckpt"
