"""One of two processes that look for the last checkpoint and would see different ones, for ``test_last.py``."""

import os

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


def machine(number, folder, port):
    """Be the first process of one of two machines that Lightning starts, one process on each, without a launcher."""
    torch.set_num_threads(1)
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "GROUP_RANK", "TORCHELASTIC_RUN_ID"):
        os.environ.pop(name, None)
    os.environ |= {"NODE_RANK": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, num_nodes=2, strategy="ddp", logger=False, default_root_dir=folder
    )
    looked = []

    def find():
        looked.append(number)
        return f"of machine {number}"

    found = [agreed(trainer, find)]
    trainer.strategy.setup_environment()  # as the trainer does: the same address serves the run
    ranks = torch.ones(1)
    torch.distributed.all_reduce(ranks)
    torch.save({"found": found, "looked": looked, "ranks": int(ranks)}, folder / f"{number}.pt")
    torch.distributed.destroy_process_group()
