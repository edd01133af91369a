"""One histogram of codes per position: the entropy model without any context."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from emoquant.entropy.base import EntropyModel, LambdaBasis, Layout, distinct_lambdas


class FactorizedState:
    """Hold the logits at the distinct lambdas, ``(P, U, V)``, and the index of each row's lambda among them."""

    def __init__(self, index: Tensor, logits: Tensor) -> None:
        self.index, self.table = index, logits


class FactorizedModel(EntropyModel):
    """Model codes by one histogram per code position, piecewise linear in log lambda: the baseline without context.

    Args:
        knots: Knots of the lambda axis; 1 for one histogram at all lambdas.
        layout: Layout to build for at once.
        low: Lambda over the variance of the features per dimension at the first knot.
        high: The same at the last knot; None to choose it in :meth:`build` for the layout
            (:func:`~emoquant.entropy.base.last_knot`).
    """

    parallel = True

    def __init__(
        self, knots: int = 12, layout: Layout | None = None, low: float = 1e-4, high: float | None = None
    ) -> None:
        super().__init__()
        self.knots = knots
        self.basis = LambdaBasis(knots, low, high)
        if layout is not None:
            self.build(layout)

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments; see :meth:`EntropyModel.settings`."""
        return self.basis.settings()

    def build(self, layout: Layout) -> None:
        """Allocate the parameters; see :meth:`EntropyModel.build`."""
        if self._check_layout(layout):
            self.bias = nn.Parameter(torch.zeros(self.knots, layout.positions, layout.vocabulary))
            with torch.no_grad():
                self.bias[:, layout.coarse :, -1] += self.basis.skip_prior().unsqueeze(1)

    def forward(self, codes: Tensor, previous: Tensor, lmbda: Tensor) -> Tensor:
        """Return ``log2 q``; see :meth:`EntropyModel.forward`."""
        logits = (self.basis(lmbda) @ self.bias.flatten(1)).view(len(codes), *self.bias.shape[1:])
        return torch.log_softmax(logits, -1) / math.log(2)

    def start(self, lmbda: Tensor, width: int = 1) -> FactorizedState:
        """Return the state of rows; see :meth:`EntropyModel.start`."""
        distinct, index = distinct_lambdas(lmbda)
        return FactorizedState(index, torch.einsum("uj,jpv->puv", self.basis(distinct), self.bias))

    def logits(self, state: FactorizedState, block: int, step: int) -> Tensor:
        """Return logits of a step; see :meth:`EntropyModel.logits`."""
        coarse, groups = self.layout.coarse, self.layout.groups
        if coarse and block == 0:
            table = state.table[step : step + 1]
        else:
            table = state.table[coarse:].unflatten(0, (groups, self.layout.layers))[:, step]
        return table.index_select(1, state.index).unsqueeze(2)

    def advance(self, state: FactorizedState, block: int, step: int, codes: Tensor, parents: Tensor | None) -> None:
        """Do nothing, as there is no context; see :meth:`EntropyModel.advance`."""

    def end_frame(self, state: FactorizedState, codes: Tensor) -> None:
        """Do nothing, as there is no context; see :meth:`EntropyModel.end_frame`."""

    def select(self, state: FactorizedState, rows: Tensor | slice) -> FactorizedState:
        """Return the state of some rows; see :meth:`EntropyModel.select`."""
        return FactorizedState(state.index[rows], state.table)


@torch.no_grad()
def gate(layout: Layout, skip: float = 0.7) -> FactorizedModel:
    """Return a model with a fixed probability of SKIP and equally likely codewords.

    A search with it chooses the nearest codeword, or SKIP if the nearest one reduces the squared error by less than
    lambda times the difference of their bits.

    Args:
        layout: Layout of the codes.
        skip: Probability of SKIP at every position.

    Example:
        >>> bits = gate(Layout(0, 2, 1, 4), skip=0.5).bits(torch.tensor([[0, 4]]), torch.zeros(1, 0, 2), torch.ones(1))
        >>> bits.tolist()
        [[3.0, 1.0]]
    """
    model = FactorizedModel(1, layout)
    model.bias[..., : layout.codewords] = math.log((1 - skip) / layout.codewords)
    model.bias[..., layout.codewords] = math.log(skip)
    return model.requires_grad_(False)
