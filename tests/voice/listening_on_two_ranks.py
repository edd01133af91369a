"""Renders the listening test's references on two processes, each its share."""

import sys
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from test_listening import SHORT, listening

if __name__ == "__main__":
    torch.set_num_threads(1)
    world, out = Path(sys.argv[1]), Path(sys.argv[2])
    task, writer, data = listening(world, out, **SHORT)
    settings = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "callbacks": [writer]}
    trainer = Trainer(accelerator="cpu", devices=2, strategy="ddp_fork", use_distributed_sampler=False, **settings)
    trainer.predict(task, datamodule=data, return_predictions=False)
