"""The settings of a run, beside its files and in its loggers; what the log does not say."""

import logging
import os
import subprocess
import sys

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from lightning.fabric.utilities.warnings import PossibleUserWarning as Possible
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tiny_world import TinyData

from emoquant.callbacks import PartsSummary, RunSettings
from emoquant.console.quiet import leave_out_noise
from emoquant.storage.files import partial_name

CONFIG = {"seed_everything": 3, "model": {"class_path": "rooms.Task", "init_args": {"rate": 0.5, "head": None}}}


class Task(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 3)
        self.layer.bias.requires_grad_(False)

    def training_step(self, batch, batch_idx):
        loss = self.layer.weight.square().sum()
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", 2.0, prog_bar=True, batch_size=1)
        self.log("val/other", 1.0, batch_size=1)

    def test_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def settings():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--seed_everything", type=int)
    parser.add_argument("--model", type=dict)
    return RunSettings(parser, Namespace(**CONFIG))


def trainer(folder, logger, **options):
    return Trainer(
        accelerator="cpu", max_epochs=2, logger=logger, callbacks=[settings(), PartsSummary()],
        enable_checkpointing=False, enable_progress_bar=False, use_distributed_sampler=False, default_root_dir=folder,
        limit_train_batches=1, limit_val_batches=1, **options,
    )  # fmt: skip


def hyperparameters(folder):
    """Return the settings and the names of the figures that TensorBoard's page of hyperparameters has."""
    contents = EventAccumulator(str(folder)).Reload().summary_metadata
    found = [
        plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
        for name, metadata in contents.items()
        if name.startswith("_hparams_")
    ]
    names = [info.name.tag for each in found for info in each.experiment.metric_infos]
    values = [each.session_start_info.hparams for each in found if each.HasField("session_start_info")]
    return {name: value for each in values for name, value in each.items()}, names


def test_tensorboard_shows_settings_beside_the_figures_of_the_validation(tmp_path):
    trainer(tmp_path, TensorBoardLogger(tmp_path, "run", 0)).fit(Task(), TinyData())
    values, names = hyperparameters(tmp_path / "run" / "version_0")
    assert names == ["val/loss"]
    assert {name: value.number_value or value.string_value for name, value in values.items()} == {
        "seed_everything": 3.0, "model": "Task", "model.rate": 0.5,
    }  # fmt: skip
    scalars = EventAccumulator(str(tmp_path / "run" / "version_0")).Reload().Scalars("val/loss")
    assert [event.value for event in scalars] == [2.0, 2.0], "no curve has a point that was not measured"
    assert yaml.safe_load((tmp_path / "run" / "version_0" / "config.yaml").read_text()) == CONFIG


def test_what_a_killed_run_left_half_written_is_removed_by_the_next_one(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    half = partial_name("last.ckpt", "0123abcd").replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    folders = [tmp_path / "run" / "version_0", tmp_path / "run" / "version_0" / "checkpoints"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / half).write_bytes(b"half")
    trainer(tmp_path, TensorBoardLogger(tmp_path, "run")).fit(Task(), TinyData())
    assert (tmp_path / "run" / "version_1" / "config.yaml").is_file()
    assert not [path for folder in folders for path in folder.iterdir() if path.name == half]


def test_an_evaluation_has_its_settings_too(tmp_path):
    trainer(tmp_path, TensorBoardLogger(tmp_path, "run", 0)).test(Task(), TinyData(), verbose=False)
    values, names = hyperparameters(tmp_path / "run" / "version_0")
    assert "model.rate" in values
    assert names == []


def test_other_loggers_are_told_once(tmp_path):
    logger = CSVLogger(tmp_path, "run", 0)
    told = []
    logger.log_hyperparams = told.append
    run = trainer(tmp_path, logger)
    run.fit(Task(), TinyData())
    run.test(Task(), TinyData(), verbose=False)
    assert told == [{"seed_everything": 3, "model": "Task", "model.rate": 0.5}]
    assert (tmp_path / "run" / "version_0" / "config.yaml").is_file()


def test_a_trial_leaves_nothing_behind(tmp_path):
    trainer(tmp_path, TensorBoardLogger(tmp_path, "run", 0), fast_dev_run=True).fit(Task(), TinyData())
    assert not list(tmp_path.rglob("*"))


def test_the_summary_counts_parameters_and_no_operations(tmp_path, caplog):
    caplog.set_level(logging.INFO, "lightning.pytorch.utilities.rank_zero")
    trainer(tmp_path, False).fit(Task(), TinyData())
    (text,) = [record.getMessage() for record in caplog.records if "parameters are trained" in record.getMessage()]
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["Name", "Type", "Params", "Mode"]
    assert lines[1] == ["layer", "Linear", "9", "train"]
    assert text.endswith("6 parameters are trained, 3 are not (0.0 MB)")


@pytest.fixture
def quiet(recwarn):
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = list(log.filters)
    leave_out_noise()
    leave_out_noise()
    yield
    log.filters[:] = before


def test_noise_is_left_out_and_nothing_else(quiet, caplog, recwarn):
    rank_zero_warn("The 'val_dataloader' does not have many workers which may be a bottleneck.", category=Possible)
    rank_zero_warn("The number of training batches (5) is smaller than the logging interval ...", category=Possible)
    assert not [each for each in recwarn if each.category is Possible]
    rank_zero_warn("The dataloader has something else that may be a bottleneck.", category=Possible)
    assert [str(each.message)[:17] for each in recwarn if each.category is Possible] == ["The dataloader ha"]
    caplog.set_level(logging.INFO, "lightning.pytorch.utilities.rank_zero")
    rank_zero_info("💡 Tip: For seamless cloud logging and experiment tracking, try installing something")
    rank_zero_info("GPU available: False")
    assert [record.getMessage() for record in caplog.records] == ["GPU available: False"]


def test_a_run_of_short_epochs_says_nothing_of_what_nobody_can_act_on(tmp_path, quiet, caplog, recwarn):
    caplog.set_level(logging.INFO, "lightning.pytorch.utilities.rank_zero")
    trainer(tmp_path, TensorBoardLogger(tmp_path, "run", 0), log_every_n_steps=10).fit(Task(), TinyData())
    said = [str(each.message) for each in recwarn] + [record.getMessage() for record in caplog.records]
    for noise in ("many workers", "logging interval", "LeafSpec", "litlogger", "summary callbacks"):
        assert not [text for text in said if noise in text], noise
    assert [text for text in said if "`Trainer.fit` stopped" in text]
