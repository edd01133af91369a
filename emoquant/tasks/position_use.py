"""How the code positions are used in training, summed on the device."""

import torch
from torch import Tensor


class PositionUse:
    """Means of perplexity and usage of every code position over steps.

    There are tens of positions: logging each of them at every step would cost more than the step itself on a GPU.
    """

    def __init__(self) -> None:
        self._sums: Tensor | None = None
        self._frames = 0

    def add(self, perplexity: Tensor, usage: Tensor, frames: int) -> None:
        """Add a step's perplexity and usage, ``(P,)`` each, weighted by its frames."""
        weighted = torch.stack([perplexity, usage]).double() * frames
        self._sums = weighted if self._sums is None else self._sums.add_(weighted)
        self._frames += frames

    def means(self) -> tuple[Tensor, Tensor] | None:
        """Return the means of perplexity and usage, ``(P,)`` float64 on the CPU each; None before the first step."""
        if self._sums is None:
            return None
        perplexity, usage = (self._sums / self._frames).cpu()
        return perplexity, usage
