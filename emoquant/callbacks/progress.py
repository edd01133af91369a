"""Figures in the progress bar of a sweep."""

import time

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from emoquant.callbacks.live import checked_batch


class SweepProgress(Callback):
    """Shows in a test's progress bar how many utterances were measured and how many frames are coded a second.

    A frame counts once for every operating point of every codec. The task's part is its attribute ``codecs``.
    """

    def __init__(self) -> None:
        self._utterances = self._coded = 0
        self._points, self._start = 1, 0.0

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count."""
        self._utterances = self._coded = 0
        self._points = sum(len(codec.points) for codec in getattr(pl_module, "codecs", ()) if codec.positions)
        self._start = time.monotonic()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *indices: int
    ) -> None:
        """Show what was counted."""
        lengths = checked_batch(batch).lengths
        self._utterances += len(lengths)
        self._coded += int(lengths.sum()) * self._points
        bar = trainer.progress_bar_callback
        if isinstance(bar, TQDMProgressBar) and bar.is_enabled:
            rate = self._coded / max(time.monotonic() - self._start, 1e-9)
            figures = {"utterances": self._utterances, "frames x points/s": f"{rate:,.0f}"}
            bar.test_progress_bar.set_postfix(figures, refresh=False)
