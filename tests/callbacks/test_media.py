"""Figures, audio, text and tables reach whichever logger a run has."""

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from emoquant.callbacks.media import _scalars_only, media_of


def write_everything(logger):
    media = media_of(Trainer(accelerator="cpu", logger=logger, enable_checkpointing=False, enable_progress_bar=False))
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([0, 1])
    media.figure("room/figure", figure, 7)
    media.audio("room/audio", torch.tensor([0.0, 0.5, -0.5]), 16_000, 7)
    media.text("room/text", "**bold**", 7)
    media.table("room/table", ["name", "value"], [["a", 1.5], ["b", 2.0]], 7)
    media.histogram("room/histogram", torch.tensor([1.0, 3.0]).numpy(), 7)
    media.embedding("room/vectors", torch.eye(2), [["sad"], ["happy"]], ["emotion"], 7)


class Wandb(WandbLogger):
    """Lightning's logger without an account: what the run is given is kept."""

    def __init__(self):
        Logger.__init__(self)
        self._logged, self._prefix, self._wandb_init = [], "", {}

    @property
    def experiment(self):
        return SimpleNamespace(log=self._logged.append)


@pytest.fixture
def wandb(monkeypatch):
    """The classes of the package that Lightning's logger makes, with their own arguments."""
    package = SimpleNamespace(
        Image=lambda data_or_path, **options: ("image", data_or_path, options),
        Audio=lambda data_or_path, sample_rate=None, caption=None: ("audio", data_or_path, sample_rate),
        Table=lambda columns=None, data=None, dataframe=None: ("table", columns, data),
    )
    monkeypatch.setitem(sys.modules, "wandb", package)
    return Wandb()


def test_weights_and_biases_gets_images_audio_and_tables(wandb):
    write_everything(wandb)
    logged = {name: value for each in wandb._logged for name, value in each.items() if name != "trainer/global_step"}
    assert {each["trainer/global_step"] for each in wandb._logged} == {7}
    (kind, pixels, _), *_ = logged["room/figure"]
    assert (kind, pixels.shape, pixels.dtype) == ("image", (50, 100, 4), "uint8")
    assert pixels.min() < 128, "something is drawn"
    (kind, samples, rate), *_ = logged["room/audio"]
    assert (kind, samples.tolist(), rate) == ("audio", [0.0, 0.5, -0.5], 16_000)
    assert logged["room/text"] == ("table", ["text"], [["**bold**"]])
    assert logged["room/table"] == ("table", ["name", "value"], [["a", 1.5], ["b", 2.0]])
    assert logged["room/histogram"] == ("table", ["index", "value"], [[0, 1.0], [1, 3.0]])
    assert logged["room/vectors"][1] == ["emotion", "dimension 0", "dimension 1"]
    assert logged["room/vectors"][2] == [["sad", 1.0, 0.0], ["happy", 0.0, 1.0]]


class Client:
    """What is called of MLflow's client; artifacts are read as they come, since their files are temporary."""

    def __init__(self):
        self.artifacts = {}

    def log_artifact(self, run_id, local_path, artifact_path=None):
        path = Path(local_path)
        self.artifacts[run_id, artifact_path, path.name] = path.read_bytes()


class MLflow(MLFlowLogger):
    """Lightning's logger without a server."""

    run_id = "run"

    def __init__(self):
        Logger.__init__(self)
        self._own = Client()

    @property
    def experiment(self):
        return self._own


def test_mlflow_gets_artifacts():
    logger = MLflow()
    write_everything(logger)
    found = logger._own.artifacts
    assert {(run, folder) for run, folder, _ in found} == {("run", "room")}
    files = {name: content for (*_, name), content in found.items()}
    assert files["figure-7.png"].startswith(b"\x89PNG")
    assert files["audio-7.wav"].startswith(b"RIFF")
    assert files["text-7.md"] == b"**bold**"
    assert files["table-7.csv"].split() == [b"name,value", b"a,1.5", b"b,2.0"]
    assert set(files) >= {"histogram-7.csv", "vectors-7.csv"}


def test_files_lie_beside_the_metrics_of_a_csv_logger(tmp_path):
    write_everything(CSVLogger(tmp_path, "run", 0))
    folder = tmp_path / "run" / "version_0" / "media" / "room"
    assert sorted(path.name for path in folder.iterdir()) == [
        "audio-7.wav", "figure-7.png", "histogram-7.csv", "table-7.csv", "text-7.md", "vectors-7.csv",
    ]  # fmt: skip
    samples, rate = soundfile.read(folder / "audio-7.wav")
    assert rate == 16_000
    assert samples.tolist() == pytest.approx([0.0, 0.5, -0.5], abs=1e-4)
    with (folder / "vectors-7.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == ["sad", "1.0", "0.0"]


def test_tensorboard_shows_each_on_its_page(tmp_path):
    logger = TensorBoardLogger(tmp_path, "run", 0)
    write_everything(logger)
    logger.experiment.flush()
    tags = EventAccumulator(logger.log_dir).Reload().Tags()
    assert tags["images"] == ["room/figure"]
    assert tags["audio"] == ["room/audio"]
    assert tags["histograms"] == ["room/histogram"]
    assert {"room/text/text_summary", "room/table/text_summary"} <= set(tags["tensors"])
    assert list(tmp_path.rglob("metadata.tsv"))


class Other(Logger):
    name, version = "other", 0

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params, *args, **kwargs):
        pass


def test_a_logger_for_scalars_is_named_once_and_no_logger_is_silent(recwarn):
    _scalars_only.cache_clear()
    trainer = Trainer(accelerator="cpu", logger=Other(), enable_checkpointing=False)
    assert media_of(trainer) is media_of(trainer) is None
    assert len([each for each in recwarn if "Other gets scalars only" in str(each.message)]) == 1
    assert media_of(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)) is None
    assert media_of(Trainer(accelerator="cpu", fast_dev_run=True)) is None
    assert len([each for each in recwarn if "scalars only" in str(each.message)]) == 1
