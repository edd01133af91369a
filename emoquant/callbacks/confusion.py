"""Confusion matrices of a classifier in the logger."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from matplotlib.figure import Figure
from torch import Tensor

from emoquant.callbacks.media import media_of


class ConfusionFigures(Callback):
    """Draws the confusion matrix of every group of validation utterances, every few epochs.

    Args:
        every_n_epochs: Epochs from one drawing to the next.
    """

    def __init__(self, every_n_epochs: int = 1) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs={every_n_epochs} must be at least 1")
        self.every_n_epochs = every_n_epochs

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the tables that the task has counted."""
        if trainer.sanity_checking or trainer.current_epoch % self.every_n_epochs:
            return
        task: Any = pl_module
        tables: dict[str, Tensor] = task.tables("validation")  # a collective call: on every rank
        media = media_of(trainer)
        if media is not None:
            for name, table in tables.items():
                figure = confusion_figure(table, [label.split("/")[-1] for label in task.labels])
                media.figure(f"confusion/{name}", figure, trainer.global_step)


def confusion_figure(counts: Tensor, labels: list[str]) -> Figure:
    """Return a figure of a confusion table.

    Args:
        counts: Utterances by true (rows) and recognised class, ``(C, C)``.
        labels: Names of the classes.
    """
    rows = [i for i in range(len(labels)) if int(counts[i].sum())]
    shares = counts[rows] / counts[rows].sum(1, keepdim=True)
    figure = Figure(figsize=(1.2 + 0.6 * len(labels), 1.4 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares.numpy(), vmin=0, vmax=1, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", parse_math=False)
    axes.set_yticks(range(len(rows)), [f"{labels[i]} ({int(counts[i].sum())})" for i in rows], parse_math=False)
    axes.set_xlabel("recognised as")
    for y, row in enumerate(shares.tolist()):
        for x, share in enumerate(row):
            axes.text(x, y, f"{100 * share:.0f}", ha="center", va="center", color="white" if share > 0.6 else "black")
    return figure
