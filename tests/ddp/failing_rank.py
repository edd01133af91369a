"""A run of two processes of which one fails: ``failing_rank.py RANK FAILING STAGE FOLDER PORT``."""

import os
import sys
import time
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from emoquant.callbacks import FailTogether


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


def main(rank, failing, stage, folder, port):
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2",
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}  # fmt: skip
    torch.set_num_threads(1)
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False, max_epochs=1,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=Path(folder),
        callbacks=[FailTogether(seconds=0.5)],
    )  # fmt: skip
    getattr(trainer, stage)(Task(int(failing), stage), DataLoader(torch.zeros(8, 1)))


if __name__ == "__main__":
    main(*sys.argv[1:])
