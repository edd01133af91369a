"""Weighted squared errors: the metric in which a transform codec is fitted and searched."""

import torch
from torch import Tensor, nn

#: Least weight of a direction relative to the largest: float32 must hold the way there and back.
LEAST_WEIGHT = 1e-6


class Weighting(nn.Module):
    """Hold two matrices that errors are multiplied by before squaring: for time means, and for deviations from them.

    Attributes:
        forth: Symmetric matrices, ``(2, D, D)``: for the time mean (in the stream form for blocks' means), and for the
            deviations from it.
        back: Inverses of these matrices.
    """

    forth: Tensor
    back: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("forth", torch.eye(dim).repeat(2, 1, 1))
        self.register_buffer("back", torch.eye(dim).repeat(2, 1, 1))

    @torch.no_grad()
    def set(self, metrics: Tensor) -> None:
        """Set the matrices to the square roots of metrics.

        Args:
            metrics: Symmetric and positive definite, ``(2, D, D)`` float64: an error ``e`` counts ``e' metric e``.

        Raises:
            ValueError: A direction weighs hardly anything or is not finite.
        """
        values, vectors = torch.linalg.eigh(metrics.double().cpu())
        if not bool((values > LEAST_WEIGHT * values.max()).all()):
            raise ValueError(
                f"the least weight of a direction must be above {LEAST_WEIGHT:g} of the largest, got "
                f"{float(values.min()):g} of {float(values.max()):g}: give squared error more weight"
            )
        roots = values.sqrt().unsqueeze(1)
        self.forth.copy_(vectors * roots @ vectors.mT)
        self.back.copy_(vectors / roots @ vectors.mT)

    def check(self) -> None:
        """Check that the matrices are each other's inverses.

        Raises:
            ValueError: They are not.
        """
        product = self.forth.double() @ self.back.double()
        if not torch.allclose(product, torch.eye(len(product[0])).to(product), atol=1e-2):
            raise ValueError("the weights of errors have no inverse: the file is damaged; train it again")
