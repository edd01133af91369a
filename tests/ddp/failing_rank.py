"""One process of a run of two of which one fails, for ``test_failing_ranks.py``."""

import os
import time

import lightning.pytorch as pl
import torch
from fake.encoder import FakeEncoder
from forked import as_rank
from torch.utils.data import DataLoader

from emoquant.callbacks import FailTogether
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule


class Task(pl.LightningModule):
    """Fails on one process while the other is in a call that never returns, as a collective call of NCCL would be."""

    def __init__(self, failing, stage):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.failing, self.stage = failing, stage

    def _step(self, stage):
        if stage == self.stage:
            if self.global_rank == self.failing:
                raise ValueError("planted in the step")
            time.sleep(600)
        return self.weight.square()

    def training_step(self, batch, batch_idx):
        return self._step("fit")

    def test_step(self, batch, batch_idx):
        self._step("test")

    def predict_step(self, batch, batch_idx):
        self._step("predict")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Encoder(FakeEncoder):
    """Fails on one process while the other has much to encode."""

    def __init__(self, failing):
        super().__init__()
        self.failing = failing

    def forward(self, waveforms, lengths):
        if int(os.environ["RANK"]) == self.failing:
            raise OSError("planted in the step")
        time.sleep(600)


class Corpus(ManifestCorpus):
    """Cannot be prepared, which the first process alone tries."""

    def prepare(self):
        raise FileNotFoundError("planted in the step")


def data(stage, failing, folder):
    if stage not in ("extract", "prepare"):
        return DataLoader(torch.zeros(8, 1))
    corpus = (Corpus if stage == "prepare" else ManifestCorpus)(str(folder / "corpus" / "manifest.csv"))
    return EmotionDataModule(corpus, Encoder(failing), cache_dir=str(folder / "cache"))


def work(rank, failing, stage, folder, port):
    as_rank(rank, 2, port)
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False, max_epochs=1,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
        callbacks=[FailTogether(seconds=0.5)],
    )  # fmt: skip
    run = getattr(trainer, stage if stage in ("fit", "test", "predict") else "fit")
    run(Task(failing, stage), data(stage, failing, folder))
