"""The light autoregressive model: one hidden layer over running sums of code embeddings."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.devices.precision import running_sums
from emoquant.entropy.base import EntropyModel, LambdaBasis, Layout, distinct_lambdas
from emoquant.entropy.context import FrameContext, LambdaTerms, Stream


class LightState:
    """Hold the model's state during a search, for ``N`` rows, each at one lambda.

    Attributes:
        hidden: Terms of lambda in the running sums, offsets included, ``(S, N, H)`` for each step.
        bias: Terms of lambda in the logits, ``(S, N, V)`` for each step.
        steps: For each step of each block the embeddings of its codes, ``(S V, H)``.
        slots: Index of each stream's first row in them, ``(S, 1, 1)`` for each block.
        lookup: Look-up of the terms of earlier frames; None without a memory.
        codes: Codes of the earlier frames, nearest first, ``(N, M, P)``; ``V`` for no frame.
        contexts: Terms of earlier frames in each block's streams, ``(S, N, H)``.
        total: Running sum of each stream of the current block, ``(S, N, W, H)``.
        rough: Terms of the frame's coarse codes in the groups' streams, ``(S, N, 1, H)``, or None.
    """

    def __init__(self, hidden: LambdaTerms, bias: LambdaTerms, steps: list[list[Tensor]], slots: list[Tensor]) -> None:
        self.hidden, self.bias, self.steps, self.slots = hidden, bias, steps, slots
        self.lookup: FrameContext | None = None
        self.codes = self.total = torch.empty(0)
        self.contexts: list[Tensor] = []
        self.rough: Tensor | None = None


class StreamBlock(nn.Module):
    """Model ``S`` independent streams of ``L`` positions: ``logits_p = W_p relu(s_p) + b_p(lambda)``.

    The running sum is ``s_p = context + c_p + e_p(lambda) + sum of E_q[z_q] over the stream's positions q before p``
    (NADE, Larochelle and Murray 2011), so that a step costs one product of ``H x V`` a stream.
    """

    def __init__(self, streams: int, steps: int, layout: Layout, width: int, memory: int, knots: int) -> None:
        super().__init__()
        codes, positions = layout.vocabulary, layout.positions
        self.streams, self.steps = streams, steps

        def table(*shape: int, spread: float = 0.05) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * spread)

        self.embedding = table(streams, steps, codes, width)
        self.own = table(memory, streams, steps, codes + 1, width) if memory else None
        self.shared = table(memory, positions, codes + 1, width, spread=0.01) if memory else None
        self.offset = table(streams, steps, width, spread=0.3)
        self.by_lambda = table(knots, streams, steps, width)
        self.output = table(streams, steps, width, codes, spread=1 / math.sqrt(width))
        self.bias = nn.Parameter(torch.zeros(knots, streams, steps, codes))

    def context(self, previous: Tensor, first: int) -> Tensor:
        """Return the terms of earlier frames in the running sum of each stream, ``(S, N, H)``.

        Args:
            previous: Codes of earlier frames, ``(N, M, P)``; ``V`` for no frame.
            first: Position of the block's first code.
        """
        rows, memory, positions = previous.shape
        width = self.output.shape[2]
        if self.own is None or self.shared is None:
            return self.output.new_zeros(self.streams, rows, width)
        codes = self.own.shape[3]
        shared = previous + torch.arange(memory * positions, device=previous.device).view(memory, -1) * codes
        together = functional.embedding_bag(shared.flatten(1), self.shared.view(-1, width), mode="sum")  # (N, H)
        mine = previous[:, :, first : first + self.streams * self.steps].unflatten(2, (self.streams, self.steps))
        slot = torch.arange(memory * self.streams * self.steps, device=previous.device) * codes
        mine = mine + slot.view(memory, self.streams, self.steps)
        bags = mine.transpose(1, 2).reshape(rows * self.streams, memory * self.steps)
        own = functional.embedding_bag(bags, self.own.view(-1, width), mode="sum")
        return own.view(rows, self.streams, width).transpose(0, 1) + together

    def teacher_forced(self, codes: Tensor, context: Tensor, weights: Tensor) -> Tensor:
        """Return logits ``(N, S, L, V)`` from codes ``(N, S, L)``, contexts ``(S, N, H)``, knot weights ``(N, J)``."""
        width = self.output.shape[2]
        slot = torch.arange(self.streams * self.steps, device=codes.device).view(self.streams, self.steps)
        index = codes[..., :-1] + slot[:, :-1] * self.embedding.shape[2]
        before = running_sums(functional.embedding(index, self.embedding.view(-1, width)), 2)
        sums = functional.pad(before, (0, 0, 1, 0)) + context.transpose(0, 1).unsqueeze(2) + self.offset
        sums = sums + (weights @ self.by_lambda.flatten(1)).view(-1, self.streams, self.steps, width)
        hidden = functional.relu(sums).flatten(1, 2).transpose(0, 1)  # (S L, N, H)
        logits = torch.bmm(hidden, self.output.flatten(0, 1)).transpose(0, 1).unflatten(1, (self.streams, self.steps))
        return logits + (weights @ self.bias.flatten(1)).view_as(logits)


class LightModel(EntropyModel):
    """Model the codes of a frame by a hidden layer over sums of code embeddings: the default entropy model.

    Its rate is that of a transformer over the frame, at a fraction of the time.

    With the codes of the frame before as ``y`` and ``u`` running over the positions of one stream (a group in a
    parallel model, else all groups in sequence)::

        s_p      = c_p + e_p(lambda) + sum_{u < p} E_u[z_u] + sum_u F_u[y_u] + sum_q S_q[y_q] + sum_coarse R[z_coarse]
        logits_p = W_p relu(s_p) + b_p(lambda)

    As it consists of table look-ups of integer codes, one rectifier and one product, it has an exact integer version;
    no decoded features are used. ``e`` and ``b`` are piecewise linear in log lambda.

    Args:
        width: Hidden units ``H``; None to choose them in :meth:`build`: 64 up to 256 feature dimensions, 128 above.
        memory: Number of earlier frames in the context, 0 for none.
        parallel: Whether the groups are coded in parallel, each given the earlier frames and the coarse codes.
        knots: Knots of the lambda axis; 1 for a model that does not depend on lambda.
        layout: Layout to build for at once.
        low: Lambda over the variance of the features per dimension at the first knot.
        high: The same at the last knot; None to choose it in :meth:`build` for the layout
            (:func:`~emoquant.entropy.base.last_knot`).
    """

    carried = "codes", "contexts"

    def __init__(
        self,
        width: int | None = None,
        memory: int = 1,
        parallel: bool = True,
        knots: int = 12,
        layout: Layout | None = None,
        low: float = 1e-4,
        high: float | None = None,
    ) -> None:
        super().__init__()
        if (width is not None and width < 1) or memory < 0 or knots < 1:
            raise ValueError(
                f"width and knots must be at least 1 and memory at least 0, not {width}, {knots}, {memory}"
            )
        self.width, self.memory, self.parallel, self.knots = width, memory, parallel, knots
        self.basis = LambdaBasis(knots, low, high)
        if layout is not None:
            self.build(layout)

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments; see :meth:`EntropyModel.settings`."""
        return {"width": self.width, "memory": self.memory, "parallel": self.parallel, **self.basis.settings()}

    def build(self, layout: Layout) -> None:
        """Allocate the parameters; see :meth:`EntropyModel.build`."""
        if not self._check_layout(layout):
            return
        if self.width is None:
            self.width = 64 if layout.dim <= 256 else 128
        fine = (layout.groups, layout.layers) if self.parallel else (1, layout.groups * layout.layers)
        shapes = ([(1, layout.coarse)] if layout.coarse else []) + [fine]
        parts = [StreamBlock(*shape, layout, self.width, self.memory, self.knots) for shape in shapes]
        with torch.no_grad():
            parts[-1].bias[..., -1] += self.basis.skip_prior().view(-1, 1, 1)
        self.blocks = nn.ModuleList(parts)
        rough = torch.randn(layout.coarse, layout.vocabulary, fine[0], self.width) * 0.05
        self.rough = nn.Parameter(rough) if layout.coarse else None

    def forward(self, codes: Tensor, previous: Tensor, lmbda: Tensor) -> Tensor:
        """Return ``log2 q``; see :meth:`EntropyModel.forward`."""
        previous = previous.masked_fill(previous < 0, self.layout.vocabulary)
        weights = self.basis(lmbda)
        parts, first = [], 0
        for number in range(len(self.blocks)):
            block = self._part(number)
            context = block.context(previous, first)
            if number == len(self.blocks) - 1 and self.rough is not None:
                context = context + self._rough_context(codes[:, :first])
            last = first + block.streams * block.steps
            mine = codes[:, first:last].unflatten(1, (block.streams, block.steps))
            parts.append(block.teacher_forced(mine, context, weights).flatten(1, 2))
            first = last
        return torch.log_softmax(torch.cat(parts, 1), -1) / math.log(2)

    def _rough_context(self, codes: Tensor) -> Tensor:
        assert self.rough is not None
        slot = torch.arange(self.layout.coarse, device=codes.device) * self.layout.vocabulary
        return self.rough.flatten(0, 1)[codes + slot].sum(1).transpose(0, 1)  # (S, N, H)

    def start(self, lmbda: Tensor, width: int = 1) -> LightState:
        """Return the state of rows before their first frame; see :meth:`EntropyModel.start`."""
        distinct, index = distinct_lambdas(lmbda)
        weights, vocabulary = self.basis(distinct), self.layout.vocabulary
        hidden, bias, steps, slots = [], [], [], []
        for number in range(len(self.blocks)):
            block = self._part(number)
            by_lambda = torch.einsum("uj,jslh->sluh", weights, block.by_lambda)
            hidden.append(by_lambda + block.offset.unsqueeze(2))
            bias.append(torch.einsum("uj,jslv->sluv", weights, block.bias))
            steps.append([table.reshape(-1, table.shape[-1]) for table in block.embedding.unbind(1)])
            slots.append(torch.arange(block.streams, device=index.device).view(-1, 1, 1) * vocabulary)
        state = LightState(LambdaTerms(index, hidden), LambdaTerms(index, bias), steps, slots)
        state.codes = index.new_full((len(lmbda), self.memory, self.layout.positions), vocabulary)
        if self.memory:
            state.lookup = FrameContext(*self._embeddings(), len(lmbda))
        self._begin_frame(state)
        return state

    def _embeddings(self) -> tuple[list[Stream], list[int]]:
        parts = [self._part(number) for number in range(len(self.blocks))]
        found = [Stream(part.own, part.shared) for part in parts if part.own is not None and part.shared is not None]
        return found, [0, self.layout.coarse][-len(parts) :]

    def _part(self, block: int) -> StreamBlock:
        part = self.blocks[block]
        assert isinstance(part, StreamBlock)
        return part

    def _begin_frame(self, state: LightState) -> None:
        if state.lookup is not None:
            state.contexts = state.lookup(state.codes)
        else:
            parts = [self._part(number) for number in range(len(self.blocks))]
            state.contexts = [
                part.output.new_zeros(part.streams, len(state.codes), part.output.shape[2]) for part in parts
            ]
        self.resume(state)

    def resume(self, state: LightState) -> None:
        """Begin the next frame; see :meth:`EntropyModel.resume`."""
        state.rough = None
        self._begin(state, 0)

    def _begin(self, state: LightState, block: int) -> None:
        state.total = state.contexts[block].unsqueeze(2)
        if state.rough is not None:
            state.total = state.total + state.rough

    def logits(self, state: LightState, block: int, step: int) -> Tensor:
        """Return logits of a step; see :meth:`EntropyModel.logits`."""
        logits = state.total.new_empty(*state.total.shape[:3], self.layout.vocabulary)
        self.write_logits(state, block, step, logits)
        return logits

    def write_logits(self, state: LightState, block: int, step: int, out: Tensor) -> None:
        """Write the logits of a step into a tensor; see :meth:`EntropyModel.write_logits`."""
        hidden = (state.total + state.hidden.of(block, step).unsqueeze(2)).relu_()  # (S, N, W, H)
        torch.bmm(hidden.flatten(1, 2), self._part(block).output[:, step], out=out.flatten(1, 2))
        out.add_(state.bias.of(block, step).unsqueeze(2))

    def advance(self, state: LightState, block: int, step: int, codes: Tensor, parents: Tensor | None) -> None:
        """Add the chosen codes to the running sums; see :meth:`EntropyModel.advance`."""
        if block < len(self.blocks) - 1:
            self._advance_rough(state, step, codes, parents)
        if step + 1 == self._part(block).steps:
            if block + 1 < len(self.blocks):
                self._begin(state, block + 1)
            return
        total = state.total
        if parents is not None:
            total = total.gather(2, parents.unsqueeze(-1).expand(*parents.shape, total.shape[-1]))
        chosen = state.steps[block][step].index_select(0, (codes + state.slots[block]).flatten())
        state.total = total + chosen.view(*codes.shape, -1)

    def _advance_rough(self, state: LightState, step: int, codes: Tensor, parents: Tensor | None) -> None:
        assert self.rough is not None
        chosen = self.rough[step].flatten(1).index_select(0, codes[0].flatten())
        chosen = chosen.view(*codes.shape[1:], -1, self.rough.shape[-1]).permute(2, 0, 1, 3)  # (S, N, W, H)
        if step and state.rough is not None:
            before = state.rough
            if parents is not None:
                index = parents.unsqueeze(-1).expand(len(before), *parents.shape[1:], before.shape[-1])
                before = before.gather(2, index)
            chosen = before + chosen
        # The search puts the best beam first; the groups go on from it.
        state.rough = chosen[:, :, :1] if step + 1 == self.layout.coarse else chosen

    def end_frame(self, state: LightState, codes: Tensor) -> None:
        """Store the frame's codes as context of the next frame; see :meth:`EntropyModel.end_frame`."""
        if self.memory:
            newest = codes.unsqueeze(1)
            state.codes = newest if self.memory == 1 else torch.cat([newest, state.codes[:, :-1]], 1)
        self._begin_frame(state)

    def select(self, state: LightState, rows: Tensor | slice) -> LightState:
        """Return the state of some rows; see :meth:`EntropyModel.select`."""
        chosen = LightState(state.hidden.select(rows), state.bias.select(rows), state.steps, state.slots)
        chosen.codes, chosen.lookup = state.codes[rows], state.lookup
        chosen.contexts = [context[:, rows] for context in state.contexts]
        chosen.total = state.total[:, rows]
        return chosen
