"""Formats that are read as audio or text: recordings, corpora, results, configurations."""

import json
import shutil

from bad_world import manifest, results_of, tone
from fake.corpora import fake_cremad, fake_esd, fake_iemocap
from format_table import reads

from emoquant.audio.loading import read_audio
from emoquant.commands.compress_manifest import CompressedRow, DecompressedRow, read_rows, write_rows
from emoquant.data.cremad import CREMAD
from emoquant.data.esd_text import read_corrections, read_transcript
from emoquant.data.iemocap import IEMOCAP
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.rated import RatedCorpus
from emoquant.reports.comparison import read_agreement
from emoquant.reports.output import add_to_index, read_index
from emoquant.reports.redraw import configured_reports
from emoquant.reports.reference import SHIPPED, read_reference
from emoquant.site.provenance import run_config, weights_of
from emoquant.storage.documents import inlined
from emoquant.storage.results import read_results
from emoquant.storage.runs import Begun, begin, begun_in, read_state, write_state
from emoquant.study.plan import read_experiment
from emoquant.voice.alignment.textgrid import read_textgrid
from emoquant.voice.callbacks.listening import _clips_of
from emoquant.voice.clips import Clip, read_clips, write_clips
from emoquant.voice.text.text import front_end


@reads("audio (wav)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.wav", seconds=0.05)


@reads("audio (flac)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.flac", seconds=0.05)


@reads("audio (ogg)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.ogg", seconds=0.05, subtype="VORBIS")


@reads("audio (opus)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.opus", seconds=0.05, format="OGG", subtype="OPUS")


@reads("audio (mp3)", "binary", lambda path: read_audio(path, shortest=1))
def _(folder):
    return tone(folder / "a.mp3", seconds=0.05, subtype="MPEG_LAYER_III")


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


@reads("votes of CREMA-D", "csv", lambda path: CREMAD(str(path.parents[1])).utterances())
def _(folder):
    return fake_cremad(folder, actors=3) / "processedResults" / "tabulatedVotes.csv"


@reads("evaluation of IEMOCAP", "text", lambda path: IEMOCAP(str(path.parents[3])).utterances())
def _(folder):
    return fake_iemocap(folder, turns=1) / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"


@reads("transcription of IEMOCAP", "text", lambda path: IEMOCAP(str(path.parents[3])).utterances())
def _(folder):
    return fake_iemocap(folder, turns=1) / "Session1" / "dialog" / "transcriptions" / "Ses01F_impro01.txt"


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


@reads("experiment of a study", "yaml", read_experiment)
def _(folder):
    (folder / "mine.yaml").write_text("# Mine.\nneeds: [votes]\nmodel: {init_args: {codecs: [{run: codec}]}}\n")
    return folder / "mine.yaml"


@reads("folder.yaml of a folder of runs", "yaml", lambda path: begun_in(path.parent))
def _(folder):
    begin(folder, Begun("esd", None, ["sad", "happy"]))
    return folder / "folder.yaml"


@reads("run.json of a run", "json", lambda path: read_state(path.parent))
def _(folder):
    write_state(folder, {"digest": "a", "finished": True})
    return folder / "run.json"


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


@reads("manifest of decompressed files", "csv", lambda path: read_rows(path, DecompressedRow))
def _(folder):
    rows = [DecompressedRow("first_speaker_angry_01.npy", "ab"), DecompressedRow("second_speaker_sad_02.npy")]
    write_rows(folder / "decompressed.csv", rows, DecompressedRow)
    return folder / "decompressed.csv"
