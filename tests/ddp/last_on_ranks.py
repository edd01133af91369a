"""One of two processes that look for the last checkpoint and would see different ones, for ``test_last.py``."""

import lightning.pytorch as pl
import torch
from forked import as_rank

from emoquant.cli.last import agreed


def work(rank, folder, port):
    as_rank(rank, 2, port)
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, default_root_dir=folder)
    looked = []

    def find():
        looked.append(rank)
        return f"of rank {rank}"

    found = [agreed(trainer, find), agreed(trainer, lambda: None)]
    torch.save({"found": found, "looked": looked}, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()
