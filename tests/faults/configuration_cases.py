"""Configurations, arguments and results."""

from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
from bad_world import codec
from cases import case

from emoquant.cli import UsageError, run
from emoquant.codecs import load_codec
from emoquant.data import AudioDataModule, RenderedCorpus
from emoquant.devices.sharding import parse_shard
from emoquant.quantization import GroupedResidualVQ
from emoquant.reports.redraw import configured_reports
from emoquant.storage.documents import inlined
from emoquant.storage.results import read_results
from emoquant.study.plan import read_experiment
from emoquant.tasks import CodebookTask
from emoquant.voice.tasks import VocoderTask
from emoquant.voice.tts.vocos import VocosGenerator


def config(folder: Path, text: str) -> None:
    path = folder / "run.yaml"
    path.write_text(text)
    run(["fit", f"--config={path}"])


MODEL = "model:\n  class_path: emoquant.tasks.CodebookTask\n  init_args:\n"


NEAR = "is not accepted; did you mean --"


@case(
    "Configurations",
    "a key with a typo",
    UsageError,
    NEAR,
    "'sampel_frames' is not accepted; did you mean --sample_frames",
)
def _(folder):
    config(folder, f"{MODEL}    sampel_frames: 9\n")


@case("Configurations", "a class that there is not", UsageError, "has no attribute", "CodebokTask")
def _(folder):
    config(folder, "model:\n  class_path: emoquant.tasks.CodebokTask\n")


@case(
    "Configurations",
    "an option with a typo",
    UsageError,
    NEAR,
    "'codebook_epohs' is not accepted; did you mean --codebook_epochs",
)
def _(folder):
    run(["fit", "codec", "--model.codebook_epohs", "3"])


@case("Configurations", "an option with a word for a number", UsageError, "Expected a <class 'int'>", "codebook_epochs")
def _(folder):
    run(["fit", "codec", "--model.codebook_epochs", "many"])


@case("Configurations", "YAML that does not parse", ValueError, "is no YAML that can be read", "run.yaml")
def _(folder):
    config(folder, "model: [1, 2\ntrainer: }\n")


@case("Configurations", "a YAML that names itself", ValueError, "names itself, or a YAML that names it", "run.yaml")
def _(folder):
    (folder / "run.yaml").write_text("model: model.yaml\n")
    (folder / "model.yaml").write_text("init_args: {quantizer: run.yaml}\n")
    inlined(folder / "run.yaml")


@case("Configurations", "a file that is not there", FileNotFoundError, "no configuration", "run.yaml")
def _(folder):
    run(["fit", f"--config={folder / 'run.yaml'}"])


def vocoder_with(data, **settings):
    task = VocoderTask(VocosGenerator(dim=16, layers=1), **settings)
    task.trainer = SimpleNamespace(datamodule=data)
    task.setup("fit")


@case("Configurations", "a vocoder with audio of another rate", ValueError, "set its sample_rate to 22050", "16000 Hz")
def _(folder):
    vocoder_with(AudioDataModule(RenderedCorpus(cache_dir=str(folder))))


@case("Configurations", "a voice's mels without its data", TypeError, "a TTSDataModule (speech) as --data")
def _(folder):
    vocoder_with(AudioDataModule(RenderedCorpus(cache_dir=str(folder))), mels_from="checkpoints/tts-toy")


@case("Configurations", "a vocoder made of two beginnings", ValueError, "either a generator or init_from")
def _(folder):
    VocoderTask(VocosGenerator(dim=16, layers=1), init_from="checkpoints/vocoder-22k")


@case("Configurations", "a codec's training that counts steps only", ValueError, "go by epochs", "max_epochs")
def _(folder):
    task = CodebookTask(GroupedResidualVQ())
    task.trainer = pl.Trainer(max_steps=9, logger=False, enable_checkpointing=False, accelerator="cpu")
    task.setup("fit")


@case("Configurations", "more codewords than codes can name", ValueError, "codewords must be at most 32767", "40000")
def _(folder):
    GroupedResidualVQ(codewords=40_000)


@case("Configurations", "a negative lambda", ValueError, "lambdas must be finite and at least 0", "-1.0")
def _(folder):
    load_codec(codec(folder / "c.ckpt"), points=[1.0, -1.0])


@case("Configurations", "a part of an array that there is not", ValueError, "NUMBER from 0 to COUNT - 1", "'8/8'")
def _(folder):
    parse_shard("8/8")


@case(
    "Configurations",
    "an experiment whose needs are no list",
    ValueError,
    "expected a list of votes, pairs",
    "mine.yaml",
)
def _(folder):
    (folder / "mine.yaml").write_text("model: {init_args: {codecs: [{run: codec}]}}\nneeds: 3\n")
    read_experiment(folder / "mine.yaml")


@case(
    "Configurations",
    "an experiment whose model has a number for arguments",
    ValueError,
    "is no experiment",
    "mine.yaml",
)
def _(folder):
    (folder / "mine.yaml").write_text("model: {init_args: 3}\n")
    read_experiment(folder / "mine.yaml")


@case("Configurations", "results.csv with a cell that is no number", ValueError, "could not convert string", "line 2")
def _(folder):
    text = "corpus,codec,lmbda,emotion,metric,value,low,high,n,stratum,interval\nx,y,1,all,uar,much,,,3,all,\n"
    (folder / "results.csv").write_text(text)
    read_results(folder / "results.csv")


@case("Configurations", "a run's config.yaml that is cut off", ValueError, "is no YAML that can be read", "config.yaml")
def _(folder):
    (folder / "config.yaml").write_text("trainer: {callbacks: [")
    configured_reports(folder / "config.yaml")
