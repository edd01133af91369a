"""The reference entropy model: a causal transformer over the codes of one frame, with a key-value cache."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.entropy.base import EntropyModel, LambdaBasis, Layout


class AutoregressiveState:
    """Hold the model's state during a search, for ``N`` rows with ``W`` beams each.

    Attributes:
        weights: Weights of the lambda knots for each row, ``(N, J)``.
        codes: Codes of the earlier frames, nearest first, ``(N, M, P)``; -1 where there is none.
        cache: Keys and values of each layer, ``(2, N W, heads, position, size)``; None before the first position.
        token: Embedded input of the next position, ``(N W, H)``.
        common: Term of lambda and earlier frames that is added to every input, ``(N, H)``.
    """

    def __init__(self, weights: Tensor, codes: Tensor) -> None:
        self.weights, self.codes = weights, codes
        self.cache: list[Tensor | None] = []
        self.token = self.common = torch.empty(0)


class _Layer(nn.Module):
    """A pre-norm transformer layer whose attention may look at cached positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the new hidden states ``(N, p, H)`` and the keys and values ``(2, N, heads, positions, size)``."""
        rows, count, width = hidden.shape
        qkv = self.qkv(self.norm(hidden)).view(rows, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        pair = torch.stack([key, value])
        if cache is not None:
            pair = torch.cat([cache, pair], 3)
        mixed = functional.scaled_dot_product_attention(query, pair[0], pair[1], is_causal=cache is None and count > 1)
        hidden = hidden + self.merge(mixed.transpose(1, 2).reshape(rows, count, width))
        return hidden + self.down(functional.gelu(self.up(self.norm2(hidden)))), pair


class AutoregressiveModel(EntropyModel):
    """Predict every code of a frame from all codes before it in the frame, by a causal transformer, as in the study.

    Args:
        layers: Transformer layers.
        width: Width of the hidden states.
        heads: Attention heads; must divide the width.
        memory: Number of earlier frames whose embedded codes are added to every input; 0 in the study.
        knots: Knots of the lambda axis; 1 for a model that does not depend on lambda, as in the study.
        layout: Layout to build for at once.
        low: Lambda over the variance of the features per dimension at the first knot.
        high: The same at the last knot; None to choose it in :meth:`build` for the layout
            (:func:`~emoquant.entropy.base.last_knot`).
    """

    parallel = False
    carried = "codes", "common"

    def __init__(
        self,
        layers: int = 6,
        width: int = 256,
        heads: int = 8,
        memory: int = 0,
        knots: int = 1,
        layout: Layout | None = None,
        low: float = 1e-4,
        high: float | None = None,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide the width {width}")
        self.layers, self.width, self.heads, self.memory, self.knots = layers, width, heads, memory, knots
        self.basis = LambdaBasis(knots, low, high)
        if layout is not None:
            self.build(layout)

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments; see :meth:`EntropyModel.settings`."""
        names = "layers", "width", "heads", "memory"
        return {name: getattr(self, name) for name in names} | self.basis.settings()

    def build(self, layout: Layout) -> None:
        """Allocate the parameters; see :meth:`EntropyModel.build`."""
        if not self._check_layout(layout):
            return
        positions, codes = layout.positions, layout.vocabulary
        self.embedding = nn.Parameter(torch.randn(positions, codes, self.width) * 0.02)
        self.place = nn.Parameter(torch.randn(positions, self.width) * 0.02)
        self.by_lambda = nn.Parameter(torch.randn(self.knots, self.width) * 0.02)
        past = torch.randn(self.memory, positions, codes + 1, self.width) * 0.02
        self.past = nn.Parameter(past) if self.memory else None
        self.stack = nn.ModuleList(_Layer(self.width, self.heads) for _ in range(self.layers))
        self.norm = nn.LayerNorm(self.width)
        self.output = nn.Linear(self.width, codes)

    def forward(self, codes: Tensor, previous: Tensor, lmbda: Tensor) -> Tensor:
        """Return ``log2 q``; see :meth:`EntropyModel.forward`."""
        index = torch.arange(codes.shape[1] - 1, device=codes.device)
        tokens = functional.pad(self.embedding[index, codes[:, :-1]], (0, 0, 1, 0)) + self.place
        hidden = tokens + self._common(self.basis(lmbda), previous).unsqueeze(1)
        for layer in self.stack:
            hidden, _ = layer(hidden, None)
        return torch.log_softmax(self.output(self.norm(hidden)).float(), -1) / math.log(2)

    def _common(self, weights: Tensor, previous: Tensor) -> Tensor:
        common = weights @ self.by_lambda
        if self.past is None:
            return common
        index = previous.masked_fill(previous < 0, self.layout.vocabulary).flatten(1)
        slot = torch.arange(index.shape[1], device=index.device) * self.past.shape[2]
        return common + functional.embedding_bag(index + slot, self.past.view(-1, self.width), mode="sum")

    def start(self, lmbda: Tensor, width: int = 1) -> AutoregressiveState:
        """Return the state of rows before their first frame; see :meth:`EntropyModel.start`."""
        none = torch.full((len(lmbda), self.memory, self.layout.positions), -1, device=lmbda.device)
        state = AutoregressiveState(self.basis(lmbda), none)
        self._begin(state)
        return state

    def _begin(self, state: AutoregressiveState) -> None:
        state.common = self._common(state.weights, state.codes)
        self.resume(state)

    def resume(self, state: AutoregressiveState) -> None:
        """Begin the next frame; see :meth:`EntropyModel.resume`."""
        state.cache = [None] * self.layers
        state.token = state.common + self.place[0]

    def logits(self, state: AutoregressiveState, block: int, step: int) -> Tensor:
        """Return logits of a step; see :meth:`EntropyModel.logits`."""
        hidden = state.token.unsqueeze(1)
        for number, layer in enumerate(self.stack):
            hidden, state.cache[number] = layer(hidden, state.cache[number])
        return self.output(self.norm(hidden[:, 0])).float().view(1, len(state.common), -1, self.layout.vocabulary)

    def advance(self, state: AutoregressiveState, block: int, step: int, codes: Tensor, parents: Tensor | None) -> None:
        """Embed the chosen codes as the next input; see :meth:`EntropyModel.advance`."""
        position = step if block == 0 and self.layout.coarse else self.layout.coarse + step
        rows, beams = codes.shape[1:]
        width = len(state.token) // rows
        done = block == 0 and self.layout.coarse and step + 1 == self.layout.coarse
        if done and beams > 1:
            # Beams end with the block: all go on from the best, which the search puts first.
            codes, parents, beams = codes[..., :1], None if parents is None else parents[..., :1], 1
        if parents is not None:
            source = (parents[0] + torch.arange(rows, device=codes.device).unsqueeze(1) * width).flatten()
            state.cache = [None if pair is None else pair[:, source] for pair in state.cache]
        if position + 1 < self.layout.positions:
            common = state.common.repeat_interleave(beams, 0)
            state.token = self.embedding[position, codes.flatten()] + self.place[position + 1] + common

    def end_frame(self, state: AutoregressiveState, codes: Tensor) -> None:
        """Store the frame's codes as context of the next frame; see :meth:`EntropyModel.end_frame`."""
        if self.memory:
            state.codes = torch.cat([codes.unsqueeze(1), state.codes[:, :-1]], 1)
        self._begin(state)

    def select(self, state: AutoregressiveState, rows: Tensor | slice) -> AutoregressiveState:
        """Return the state of some rows; see :meth:`EntropyModel.select`."""
        chosen = AutoregressiveState(state.weights[rows], state.codes[rows])
        chosen.cache = [None if pair is None else pair[:, rows] for pair in state.cache]
        chosen.token, chosen.common = state.token[rows], state.common[rows]
        return chosen
