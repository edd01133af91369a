"""How the code positions are used in training, summed on the device and written now and then."""

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from emoquant.quantization.grvq import GroupedResidualVQ


class PositionUse:
    """Means of perplexity and usage of every code position over the steps since they were last written.

    There are tens of positions: logging each of them at every step would cost more than the step itself on a GPU.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._frames = 0

    def add(self, perplexity: Tensor, usage: Tensor, frames: int) -> None:
        """Add a step's perplexity and usage, ``(P,)`` each, weighted by its frames."""
        weighted = torch.stack([perplexity, usage]) * frames
        self._sums = weighted if self._sums is None else self._sums.add_(weighted)
        self._frames += frames

    def write(self, trainer: Trainer, quantizer: GroupedResidualVQ) -> None:
        """Write the means to the loggers and begin anew; nothing where no step was added."""
        if self._sums is None or not self._frames:
            return
        means = (self._sums / self._frames).tolist()
        self._sums, self._frames = None, 0
        figures = {
            f"codebook_{name}/{quantizer.position_name(position)}": value
            for name, values in zip(("perplexity", "usage"), means, strict=True)
            for position, value in enumerate(values)
        }
        for logger in trainer.loggers:
            logger.log_metrics(figures, step=trainer.fit_loop.total_batch_idx)
