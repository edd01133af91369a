"""Trainings that go on from what is no checkpoint of theirs, and one whose events cannot be written."""

import lightning.pytorch as pl
import torch
from bad_world import UNREADABLE, Malicious, codec
from cases import case
from disk_cases import full_disk
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import TensorBoardLogger

from emoquant.callbacks import ResumedProgress, WholeCheckpoints
from emoquant.cli.event_files import named_event_files

GIVEN = "a training that goes on from"


def train(folder, resume=None, steps=2, logger=False, callbacks=()):
    trainer = pl.Trainer(
        max_steps=steps, logger=logger, default_root_dir=folder, plugins=[WholeCheckpoints()], accelerator="cpu",
        callbacks=[ResumedProgress(), *callbacks], enable_checkpointing=bool(callbacks), enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(Chatty() if logger else BoringModel(), ckpt_path=str(resume) if resume else None)


class Chatty(BoringModel):
    """Tells TensorBoard much."""

    def training_step(self, batch, batch_idx):
        self.logger.experiment.add_text("text", "x" * 4000, batch_idx)
        return super().training_step(batch, batch_idx)


def checkpoint(folder, weights_only=False):
    train(folder, callbacks=[ModelCheckpoint(folder, "last", save_weights_only=weights_only)])
    return folder / "last.ckpt"


@case("Checkpoints", f"{GIVEN} a file that is not there", FileNotFoundError, "no such checkpoint", "c.ckpt")
def _(folder):
    train(folder, folder / "c.ckpt")


@case("Checkpoints", f"{GIVEN} an address", FileNotFoundError, "expected a file, or --ckpt_path last", "127.0.0.1")
def _(folder):
    train(folder, "http://127.0.0.1:9/c.ckpt")


@case("Checkpoints", f"{GIVEN} a checkpoint with code to run", ValueError, UNREADABLE, "last.ckpt")
def _(folder):
    content = torch.load(checkpoint(folder), weights_only=True)
    torch.save({**content, "callbacks": Malicious(folder)}, folder / "last.ckpt")
    train(folder, folder / "last.ckpt")


@case("Checkpoints", f"{GIVEN} a checkpoint that was cut off", ValueError, UNREADABLE, "last.ckpt")
def _(folder):
    path = checkpoint(folder)
    path.write_bytes(path.read_bytes()[:-300])
    train(folder, path)


@case(
    "Checkpoints", f"{GIVEN} a codec that was saved by itself", ValueError, "is no checkpoint of a training", "c.ckpt"
)
def _(folder):
    train(folder, codec(folder / "c.ckpt"))


@case("Checkpoints", f"{GIVEN} a checkpoint of weights alone", ValueError, "holds no training that could go on")
def _(folder):
    train(folder, checkpoint(folder, weights_only=True), steps=4)


@case("Checkpoints", f"{GIVEN} a checkpoint without its counts", ValueError, "holds no training that could go on")
def _(folder):
    content = torch.load(checkpoint(folder), weights_only=True)
    del content["loops"]["fit_loop"]["epoch_progress"]["total"]
    torch.save(content, folder / "last.ckpt")
    train(folder, folder / "last.ckpt", steps=4)


@case("Disks", "a disk that is full while TensorBoard writes", OSError, "free space, or choose a folder", "runs")
def _(folder):
    with full_disk(20_000), named_event_files(str(folder / "runs")):
        train(folder, steps=64, logger=TensorBoardLogger(folder / "runs"))
