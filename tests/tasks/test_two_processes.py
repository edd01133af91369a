"""Vocoders and utterance encoders on two processes (gloo), each with its own batches."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
for part in ("tests/tasks", "tests"):
    sys.path.insert(0, "{root}/" + part)
import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from test_{name} import {imports}


class Own(pl.LightningDataModule):
    def loader(self, seeds):
        rank = self.trainer.global_rank
        return DataLoader([{batch}(seed + 100 * rank) for seed in seeds], batch_size=None)

    def train_dataloader(self):
        return self.loader(range(3))

    def val_dataloader(self):
        return self.loader(range(9, 10))


class Compare(pl.Callback):
    def on_train_end(self, trainer, module):
        for name, value in {{**dict(module.named_parameters()), **dict(module.named_buffers())}}.items():
            if value.is_floating_point():
                both = module.all_gather(value.detach())
                assert torch.equal(both[0], both[1]), name
        means = module.all_gather(torch.stack([trainer.callback_metrics[name] for name in {metrics}]))
        assert torch.equal(means[0], means[1]), "validation is of both"
        print("rank", trainer.global_rank, "equal at step", trainer.global_step, flush=True)


torch.manual_seed(0)
torch.set_num_threads(1)
module = {module}
run = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False, enable_checkpointing=False,
                 enable_progress_bar=False, use_distributed_sampler=False, callbacks=[Compare()])
run.fit(module, datamodule=Own())
"""

VOCODER = {
    "name": "vocoder_task",
    "imports": "batch, task",
    "batch": "batch",
    "module": "task(judges_from=2, spectrum_weight=1.0)",
    "metrics": ["val/loss_mel"],
}
ENCODER = {
    "name": "ge2e",
    "imports": "GE2ETask, LSTMEncoder, tones",
    "batch": "tones",
    "module": "GE2ETask(LSTMEncoder(hidden=8, layers=1))",
    "metrics": ["val/loss", "val/accuracy"],
}


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "steps"), [(VOCODER, 12), (ENCODER, 6)], ids=["vocoder", "ge2e"])
def test_two_processes_keep_equal_weights_without_unused_parameters(tmp_path, settings, steps):
    root = Path(__file__).parents[2]
    program = tmp_path / "run.py"
    program.write_text(PROGRAM.format(root=root, **settings))
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, str(program)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count(f"equal at step {steps}") == 2
