"""Use of the codebooks in training: perplexity, usage and dead codes of every position."""

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor

from emoquant.callbacks.live import CodecCallback
from emoquant.callbacks.media import media_of
from emoquant.codecs.base import Codec
from emoquant.metrics import CodeHistogram, perplexity, usage
from emoquant.types import Batch


class CodebookMonitor(CodecCallback):
    """Counts the codes that the task's codec chooses on validation batches, every few epochs.

    Scalars ``codebook/perplexity``, ``codebook/usage`` (means over positions) and ``codebook/dead_codes`` go to every
    logger; perplexity and usage of every position as figure and histograms. The task's part is its attribute ``codec``
    (None while there is none yet). A task whose ``position_use()`` counts codes in training is drawn every epoch.

    Args:
        point: Operating point at which codes are chosen; at lambda 0 they are the nearest codewords.
        every_n_epochs: Epochs from one count to the next.

    Raises:
        ValueError: ``every_n_epochs`` is below 1.
    """

    def __init__(self, point: float = 0.0, every_n_epochs: int = 1) -> None:
        super().__init__(every_n_epochs)
        self.point = point
        self._codes: CodeHistogram | None = None

    def begin(self, trainer: Trainer, module: LightningModule, codec: Codec) -> None:
        """Begin to count the codes of a codec that has some."""
        self._codes = CodeHistogram(codec.positions, codec.codewords).to(module.device) if codec.positions else None

    def see(self, trainer: Trainer, codec: Codec, batch: Batch, split: str) -> None:
        """Count the codes of a batch."""
        if self._codes is not None:
            self._codes.update(codec(batch.features, batch.lengths, [self.point]).codes)

    def end(self, trainer: Trainer, module: LightningModule, split: str) -> None:
        """Log what was counted."""
        if self._codes is None:
            return
        counts: Tensor = self._codes.compute()[0].cpu()  # (P, V)
        self._codes = None
        if not bool(counts.any()):
            return
        spread, share = perplexity(counts), usage(counts)
        module.log("codebook/perplexity", float(spread.mean()), prog_bar=True, sync_dist=True)
        module.log("codebook/usage", float(share.mean()), prog_bar=True, sync_dist=True)
        module.log("codebook/dead_codes", float((counts[:, :-1] == 0).sum()), sync_dist=True)
        _draw(trainer, "codebook", spread, share)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what the task counted while it fitted codebooks, when there is no codec to look at yet."""
        use = getattr(pl_module, "position_use", None)
        found: tuple[Tensor, Tensor] | None = None if use is None else use()
        if found is not None:
            _draw(trainer, "codebook_training", *found)


def _draw(trainer: Trainer, tag: str, spread: Tensor, share: Tensor) -> None:
    """Draw perplexity and usage of positions, ``(P,)`` each."""
    media, step = media_of(trainer), trainer.global_step
    if media is not None:
        media.histogram(f"{tag}/perplexity_of_positions", spread.numpy(), step)
        media.histogram(f"{tag}/usage_of_positions", share.numpy(), step)
        media.figure(f"{tag}/positions", _bars(spread.numpy(), share.numpy()), step)


def _bars(spread: np.ndarray, share: np.ndarray) -> Figure:
    figure = Figure(figsize=(8, 4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.bar(np.arange(len(spread)), spread)
    upper.set_ylabel("perplexity")
    lower.bar(np.arange(len(share)), 100 * share)
    lower.set_ylabel("usage in %")
    lower.set_xlabel("code position (group-major)")
    lower.set_ylim(0, 100)
    return figure
