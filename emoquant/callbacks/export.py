"""Writing a trained encoder to a model directory."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info

from emoquant.console.trainer_flags import is_trial
from emoquant.interfaces.access import audio_data_of
from emoquant.storage.tensors import read_tensors


class EncoderExport(Callback):
    """Writes the trained encoder in funasr's format when training ends, with features of a chosen variance.

    Where a checkpoint is kept by a figure (a ``ModelCheckpoint`` with ``monitor``) its weights, the best ones, are
    written, else those of the last step.

    The features of an encoder that ends with a layer norm have an arbitrary scale; multiplying them and dividing the
    head by the same factor changes no class. With a total variance of about 1000, the study's Lagrange multipliers
    0 ... 500 lead from no loss to collapse.

    Args:
        directory: Model directory to write.
        variance: Variance of a frame's features, summed over the dimensions, on the training split; None leaves the
            scale as it is.
        batches: Batches of the training split that the variance is measured on.
    """

    def __init__(self, directory: str, variance: float | None = None, batches: int = 40) -> None:
        if (variance is not None and variance <= 0) or batches < 1:
            raise ValueError(f"variance={variance} must be positive and batches={batches} at least 1")
        self.directory, self.variance, self.batches = Path(directory), variance, batches

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure and write, on one process."""
        if not trainer.is_global_zero:
            return
        if is_trial(trainer):
            rank_zero_info(f"a trial of a few batches: {self.directory} is left as it is")
            return
        task: Any = pl_module
        for keeper in trainer.checkpoint_callbacks:
            if isinstance(keeper, ModelCheckpoint) and keeper.monitor and keeper.best_model_path:
                task.load_state_dict(read_tensors(Path(keeper.best_model_path))["state_dict"])
                rank_zero_info(f"{self.directory} gets the weights of {keeper.best_model_path}")
        factor = 1.0 if self.variance is None else math.sqrt(self.variance / self._measure(trainer, task))
        task.export(self.directory, factor)

    @torch.no_grad()
    def _measure(self, trainer: pl.Trainer, task: Any) -> float:  # noqa: ANN401 - a task with an encoder
        """Return the variance of the frames, summed over the dimensions."""
        task.eval()
        count, total, square = 0, torch.zeros(()), torch.zeros(())
        for i, batch in enumerate(audio_data_of(trainer).reference_dataloader()):
            if i == self.batches:
                break
            features, lengths = task.encoder(batch.waveforms.to(task.device), batch.lengths.to(task.device))
            count += int(lengths.sum())
            total = total + features.double().sum((0, 1)).cpu()
            square = square + features.double().square().sum().cpu()
        return float(square / count - (total / count).square().sum())
