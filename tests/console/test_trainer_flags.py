"""Flags of the trainer beside the callbacks of configs/trainer.yaml, and the folders of runs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from emoquant.console.trainer_flags import (
    callbacks_left,
    is_overfitting,
    is_trial,
    last_saved_last,
    run_folder,
    runs_folder,
)

CONFIGURED = yaml.safe_load((Path(__file__).parents[2] / "configs" / "trainer.yaml").read_text())["trainer"]
OWN = {"FailTogether", "ResumedProgress", "SeededSteps", "Preemption"}


def left(**flags):
    found = callbacks_left({**CONFIGURED, **flags})
    return {callback["class_path"].rpartition(".")[2] for callback in found}


def test_a_flag_turns_off_its_callbacks_and_no_other():
    everything = {"TQDMProgressBar", "ModelCheckpoint", "PartsSummary"} | OWN
    assert left() == left(enable_progress_bar=None, enable_checkpointing=True) == everything
    assert left(enable_progress_bar=False) == everything - {"TQDMProgressBar"}
    assert left(enable_checkpointing=False) == everything - {"ModelCheckpoint"}
    assert left(enable_model_summary=False) == everything - {"PartsSummary"}
    assert left(enable_progress_bar=False, enable_checkpointing=False, enable_model_summary=False) == OWN


def test_without_a_logger_nothing_asks_for_one():
    callbacks = [{"class_path": "LearningRateMonitor"}, {"class_path": "emoquant.callbacks.LambdaSweep"}]
    assert callbacks_left({"logger": False, "callbacks": callbacks}) == callbacks[1:]
    assert callbacks_left({"logger": None, "callbacks": callbacks}) == callbacks


def test_the_configuration_is_left_as_it_is_whatever_its_form():
    bar = Namespace(class_path="lightning.pytorch.callbacks.RichProgressBar")
    trainer = Namespace(enable_progress_bar=False, enable_checkpointing=False, callbacks=[bar, ModelCheckpoint()])
    assert callbacks_left(trainer) == []
    assert len(trainer.callbacks) == 2
    assert callbacks_left({"callbacks": None}) is None
    assert callbacks_left(Namespace(enable_progress_bar=False, callbacks=bar)) == []


def test_the_trainer_takes_what_is_left(tmp_path):
    from emoquant import callbacks as own

    flags = {"enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}
    made = [getattr(own, name)() for name in sorted(left(**flags))]
    trainer = Trainer(accelerator="cpu", logger=False, callbacks=made, default_root_dir=tmp_path, **flags)
    assert trainer.checkpoint_callback is None
    assert trainer.progress_bar_callback is None


class Remote(Logger):
    """A logger with a folder for its own files, as Weights & Biases has one."""

    name, version, save_dir = "project", "ab12", "elsewhere"

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params, *args, **kwargs):
        pass


@pytest.mark.parametrize(
    ("logger", "own", "shared"),
    [
        (TensorBoardLogger("logs", "run", 3), "logs/run/version_3", "logs/run"),
        (CSVLogger("logs", "run", 3), "logs/run/version_3", "logs/run"),
        (Remote(), "root", "root"),
        (False, "root", "root"),
    ],
)
def test_files_of_a_run_lie_in_a_folder_of_its_own(logger, own, shared):
    trainer = Trainer(accelerator="cpu", logger=logger, default_root_dir="root", enable_checkpointing=False)
    assert run_folder(trainer) == Path(own)
    assert runs_folder(trainer) == Path(shared)


def test_trials_and_overfitting_are_told():
    assert is_trial(SimpleNamespace(fast_dev_run=1))
    assert not is_trial(SimpleNamespace())
    assert is_overfitting(SimpleNamespace(overfit_batches=0.1))
    assert not is_overfitting(SimpleNamespace(overfit_batches=0.0))


def test_checkpoints_of_the_last_epoch_are_saved_behind_those_of_the_best():
    kept = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"filename": "last"}}
    best = {"class_path": "ModelCheckpoint", "init_args": {"monitor": "val/uar"}}
    bar = {"class_path": "lightning.pytorch.callbacks.TQDMProgressBar"}
    assert last_saved_last([bar, kept, best]) == [bar, best, kept]
    assert last_saved_last([ModelCheckpoint(), best])[0] is best
