"""Search of the codes of one frame: greedy, or with a beam over its positions."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from emoquant.entropy.base import EntropyModel
from emoquant.quantization.grvq import GroupedResidualVQ


class FrameCodes(NamedTuple):
    """Hold the search result of one frame of ``N`` rows.

    Attributes:
        codes: Chosen codes, ``(N, P)`` int64.
        bits: Bits of the frame, ``(N,)``.
        rough: Sum of its coarse codewords, ``(N, D)``.
        fine: Sum of its groups' codewords, ``(N, D)``.
    """

    codes: Tensor
    bits: Tensor
    rough: Tensor
    fine: Tensor


class Tables(NamedTuple):
    """Hold the codewords of a block in the order of its steps.

    Attributes:
        words: Codewords with SKIP, ``(steps, S, V, d)``.
        twice: Twice the codewords, for the products of squared distances.
        norms: Their squared norms, ``(steps, S, 1, 1, V)``.
        slots: Index of each stream's first row among the codewords of a step, ``(S, 1, 1)``.
        fresh: Number of steps that code the same residual: all of them, or ``L`` if the groups are coded one by one.
    """

    words: Tensor
    twice: Tensor
    norms: Tensor
    slots: Tensor
    fresh: int


class Greedy(NamedTuple):
    """Hold the choices of a greedy search in the order of its steps.

    Attributes:
        codes: Codes of each step, ``(S, N, 1)`` int64.
        words: Their codewords, ``(S, N, d)``.
        logits: Logits by which they were chosen, ``(P, N, V)``, step after step with all streams of a step.
    """

    codes: list[Tensor]
    words: list[Tensor]
    logits: Tensor


def _tables(quantizer: GroupedResidualVQ, parallel: bool) -> list[Tables]:
    blocks = []
    fine = quantizer.fine_table()
    words = fine.transpose(0, 1) if parallel else fine.flatten(0, 1).unsqueeze(1)
    for table in ([quantizer.coarse_table().unsqueeze(1)] if quantizer.coarse else []) + [words]:
        table = table.contiguous()
        fresh = quantizer.layers if table.shape[-1] != quantizer.dim else len(table)
        norms = table.square().sum(-1)[:, :, None, None, :]
        slots = torch.arange(table.shape[1], device=table.device).view(-1, 1, 1) * table.shape[2]
        blocks.append(Tables(table, 2 * table, norms, slots, fresh))
    return blocks


class FrameSearch:
    """Search the codes of one frame of many rows in parallel, given the entropy model's state of earlier frames.

    Args:
        quantizer: An initialised quantizer.
        entropy: An entropy model built for the quantizer's layout.
        beam: Number of paths kept from position to position (in a parallel model for each group); 1 is greedy search.
    """

    def __init__(self, quantizer: GroupedResidualVQ, entropy: EntropyModel, beam: int) -> None:
        self.quantizer, self.entropy, self.beam = quantizer, entropy, beam
        self.blocks = _tables(quantizer, entropy.parallel)
        shape = (quantizer.layers, quantizer.groups) if entropy.parallel else (1, quantizer.groups * quantizer.layers)
        device, coarse = self.blocks[-1].words.device, quantizer.coarse
        fine = coarse + torch.arange(quantizer.groups * quantizer.layers, device=device).view(shape).T.flatten()
        self.order = torch.cat([torch.arange(coarse, device=device), fine])

    def __call__(
        self,
        residual: Tensor,
        state: Any,  # noqa: ANN401 - the model's own state
        weight: Tensor,
        first: Tensor | None = None,
    ) -> FrameCodes:
        """Search one frame.

        Args:
            residual: What is left to code, ``(N, D)``.
            state: State of the entropy model at the frame's beginning; changed in place.
            weight: Lagrange multiplier of each row over ln 2, ``(1, N, 1, 1)``.
            first: Code of the first position, ``(N,)`` int64, if that is given; it must be a coarse stage.
        """
        if self.beam > 1:
            return self._with_beam(residual, state, weight, first)
        found = Greedy([], [], weight.new_empty(self.quantizer.positions, len(residual), self.quantizer.codewords + 1))
        rough = None
        for number, tables in enumerate(self.blocks):
            self._greedy(number, self._targets(residual, tables), state, weight, None if number else first, found)
            if number < len(self.blocks) - 1:
                rough = _total([word[0] for word in found.words])
                residual = residual - rough
        codes = torch.cat(found.codes)
        bits = self._bits(_bits(found.logits.unsqueeze(2), codes).squeeze(-1))
        codes = codes.squeeze(-1).index_select(0, self.order).T
        if not self.entropy.parallel:
            return FrameCodes(codes, bits, *self.quantizer.lookup(codes))
        fine = _total(found.words[self.quantizer.coarse :]).transpose(0, 1).flatten(1)
        return FrameCodes(codes, bits, torch.zeros_like(fine) if rough is None else rough, fine)

    def _bits(self, bits: Tensor) -> Tensor:
        """Bits ``(N,)`` of bits ``(P, N)`` in the order of the steps, summed over steps, streams and blocks."""
        parts = []
        for tables in self.blocks:
            steps, streams = tables.words.shape[:2]
            block, bits = bits[: steps * streams], bits[steps * streams :]
            parts.append(_row_sums(_total(list(block.unflatten(0, (steps, streams)).unbind()))))
        return _total(parts)

    def _targets(self, residual: Tensor, tables: Tables) -> Tensor:
        """What the block codes, ``(segments, S, N, d)``: a segment is what is coded until a group is complete."""
        streams, size = tables.words.shape[1], tables.words.shape[-1]
        parts = residual.view(len(residual), -1, size).transpose(0, 1)  # (S or segments, N, d)
        return parts.unsqueeze(0).contiguous() if streams > 1 else parts.unsqueeze(1).contiguous()

    def _greedy(
        self,
        number: int,
        targets: Tensor,
        state: Any,  # noqa: ANN401 - the model's own state
        weight: Tensor,
        first: Tensor | None,
        found: Greedy,
    ) -> None:
        """Take the code of least cost at every step of a block, and add it to what was found before."""
        tables = self.blocks[number]
        steps, streams, _, size = tables.words.shape
        before = self.quantizer.coarse if number else 0
        residual = targets[0]
        for step in range(steps):
            fresh, within = divmod(step, tables.fresh)
            residual = residual - found.words[-1] if within else targets[fresh]
            logits = found.logits[before + step * streams :][:streams].unsqueeze(2)
            self.entropy.write_logits(state, number, step, logits)
            if first is None or step:
                products = torch.bmm(residual, tables.twice[step].transpose(1, 2)).unsqueeze(2)
                cost = torch.sub(tables.norms[step], products, out=products)
                code = cost.sub_(weight * logits).argmin(-1)
            else:
                code = first.view(1, -1, 1)
            self.entropy.advance(state, number, step, code, None)
            place = code if streams == 1 else code + tables.slots
            word = tables.words[step].flatten(0, 1).index_select(0, place.flatten())
            found.words.append(word.view(streams, -1, size))
            found.codes.append(code)

    def _with_beam(self, residual: Tensor, state: Any, weight: Tensor, first: Tensor | None) -> FrameCodes:  # noqa: ANN401 - the model's state
        """Search one frame with a beam; see :meth:`__call__`."""
        codes, bits = [], []
        for number, tables in enumerate(self.blocks):
            targets = self._targets(residual, tables)
            chosen, cost = self._beamed(number, targets, state, weight, None if number else first)
            codes.append(chosen)
            bits.append(cost)
            if number < len(self.blocks) - 1:
                words = self.blocks[0].words[:, 0]
                residual = residual - _total([words[stage][chosen[:, stage]] for stage in range(len(words))])
        joined = torch.cat(codes, 1)
        return FrameCodes(joined, _total(bits), *self.quantizer.lookup(joined))

    def _beamed(
        self,
        number: int,
        targets: Tensor,
        state: Any,  # noqa: ANN401 - the model's own state
        weight: Tensor,
        first: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the codes ``(N, positions of the block)`` of the best path and their bits ``(N,)``."""
        tables = self.blocks[number]
        steps, streams = tables.words.shape[:2]
        rows = weight.shape[1]
        path = torch.zeros(streams, rows, 1, 0, dtype=torch.int64, device=weight.device)
        spent = bits = weight.new_zeros(streams, rows, 1)
        residual = targets[0].unsqueeze(2)
        for step in range(steps):
            if step and step % tables.fresh == 0:
                residual = targets[step // tables.fresh].unsqueeze(2).expand(-1, -1, path.shape[2], -1)
            logits = self.entropy.logits(state, number, step)
            cost, parents = tables.norms[step] - _products(residual, tables.twice[step]) - weight * logits, None
            if first is not None and not step:
                code = first.view(1, rows, 1)
                bits = bits + _bits(logits, code)
            else:
                logits = logits.expand(cost.shape)
                normal = torch.logsumexp(logits, -1)
                cost = cost + (weight.squeeze(-1) * normal + spent).unsqueeze(-1)
                code, parents, spent = _best(cost, self.beam)
                chosen = logits.flatten(2).gather(2, parents * logits.shape[3] + code)
                bits = bits.gather(2, parents) + (normal.gather(2, parents) - chosen) / math.log(2)
                residual, path = _gather_beams(residual, parents), _gather_beams(path, parents)
            path = torch.cat([path, code.unsqueeze(-1)], -1)
            self.entropy.advance(state, number, step, code, parents)
            residual = residual - tables.words[step].flatten(0, 1)[code + tables.slots]
        winner = spent.argmin(-1)
        codes = path.gather(2, winner.view(streams, rows, 1, 1).expand(-1, -1, 1, steps)).squeeze(2)
        return codes.transpose(0, 1).flatten(1), _row_sums(bits.gather(2, winner.unsqueeze(-1)).squeeze(-1))


def _total(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _row_sums(bits: Tensor) -> Tensor:
    """Sums ``(N,)`` over streams of bits ``(S, N)``.

    Summed along a row's own axis: the last bits of a sum over the leading axis depend on the number of rows.
    """
    return bits[0] if len(bits) == 1 else bits.T.contiguous().sum(1)


def _products(residual: Tensor, words: Tensor) -> Tensor:
    """Inner products ``(S, N, W, V)`` of residuals ``(S, N, W, d)`` with codewords ``(S, V, d)``."""
    flat = torch.bmm(residual.flatten(1, 2), words.transpose(1, 2))
    return flat.view(*residual.shape[:3], -1)


def _bits(logits: Tensor, codes: Tensor) -> Tensor:
    """Bits ``(..., W)`` of codes ``(..., W)`` under finite logits ``(..., W, V)``."""
    largest = logits.amax(-1, keepdim=True)
    normal = (logits - largest).exp_().sum(-1).log_().add_(largest.squeeze(-1))
    return normal.sub_(logits.gather(-1, codes.unsqueeze(-1)).squeeze(-1)).div_(math.log(2))


def _best(cost: Tensor, beam: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations of costs ``(S, N, W, V)``: codes, parents and costs, each ``(S, N, <= beam)``."""
    values, index = cost.flatten(2).topk(min(beam, cost.shape[2] * cost.shape[3]), -1, largest=False)
    return index % cost.shape[3], index // cost.shape[3], values


def _gather_beams(tensor: Tensor, parents: Tensor) -> Tensor:
    """Rows ``(S, N, W', x)`` of a tensor ``(S, N, W, x)`` by parent beams ``(S, N, W')``."""
    return tensor.gather(2, parents.unsqueeze(-1).expand(*parents.shape, tensor.shape[-1]))
