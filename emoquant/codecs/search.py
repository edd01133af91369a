"""Entropy-constrained search: the code of least distortion plus lambda times bits, at every position of every frame."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from emoquant.entropy.base import EntropyModel, Layout
from emoquant.quantization.grvq import GroupedResidualVQ

#: Rows below which matrix products take another kernel (see ``rowwise_product``); every search has at least as many.
MINIMUM_ROWS = 8


def layout_of(quantizer: GroupedResidualVQ) -> Layout:
    """Return the code layout of a quantizer."""
    return Layout(quantizer.coarse, quantizer.groups, quantizer.layers, quantizer.codewords)


class Found(NamedTuple):
    """Result of a search.

    Attributes:
        codes: Chosen codes, ``(N, T, P)`` int16; -1 past the end of a row.
        bits: Bits of each frame, ``(N, T)`` float32; 0 past the end.
        components: Reconstruction before the inverse transform, ``(N, T, D)`` float32; 0 past the end.
    """

    codes: Tensor
    bits: Tensor
    components: Tensor


class Tables(NamedTuple):
    """Codewords of a block in the order of its steps.

    Attributes:
        words: Codewords with SKIP, ``(steps, S, V, d)``.
        norms: Their squared norms, ``(steps, S, 1, 1, V)``.
        fresh: Steps between changes of what is coded: all of them, or ``L`` where groups follow each other.
    """

    words: Tensor
    norms: Tensor
    fresh: int


def _tables(quantizer: GroupedResidualVQ, parallel: bool) -> list[Tables]:
    blocks = []
    fine = quantizer.fine_table()
    words = fine.transpose(0, 1) if parallel else fine.flatten(0, 1).unsqueeze(1)
    for table in ([quantizer.coarse_table().unsqueeze(1)] if quantizer.coarse else []) + [words]:
        table = table.contiguous()
        fresh = quantizer.layers if table is not None and table.shape[-1] != quantizer.dim else len(table)
        blocks.append(Tables(table, table.square().sum(-1)[:, :, None, None, :], fresh))
    return blocks


class Search:
    """Searches with one quantizer and one entropy model; keep it no longer than their weights stay the same.

    At each position, with residual ``r``, the cost of code ``k`` is ``J(k) = ||r - c_k||^2 - lmbda log2 q(k | past)``,
    SKIP included (Chou, Lookabaugh and Gray 1989). Greedy search takes the least at each position; with ``beam`` > 1
    the best ``beam`` paths of a frame (in a parallel model of each group) are kept, and the frame ends with the best.

    A row is an utterance at one lambda. Rows are computed side by side and time is a loop, unless neither the entropy
    model nor the quantizer looks back: then every frame is a row. On CPU a row's result does not depend, to the last
    bit, on the rows beside it; on a GPU matrix products differ in the last bits with the number of rows, which changes
    a code only where two costs are equal to seven digits.

    A search that looks one position ahead can end in a fixed path of codes at large lambda, and where lambda is so
    small that the rate hardly falls it can lose more bits by accident than it wins. So a row that SKIP everywhere would
    serve at a lower cost becomes SKIP everywhere, and one below the lambdas that the model tells from 0 gets the codes
    of lambda 0 if these spend fewer bits (not for a model that is blind to lambda: that is the study's search, fixed
    paths included).

    Args:
        quantizer: An initialised quantizer.
        entropy: An entropy model built for the quantizer's layout.
        beam: Paths kept; 1 for greedy search.
    """

    def __init__(self, quantizer: GroupedResidualVQ, entropy: EntropyModel, beam: int = 1) -> None:
        if beam < 1:
            raise ValueError(f"beam must be at least 1, not {beam}")
        self.quantizer, self.entropy, self.beam = quantizer, entropy, beam
        self.blocks = _tables(quantizer, entropy.parallel)
        self.sequential = entropy.memory > 0 or quantizer.predictive
        self.weighs_paths = entropy.basis.knots > 1

    @torch.no_grad()
    def __call__(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> Found:
        """Search rows.

        Args:
            components: Components of frames, ``(N, T, D)`` float32.
            lengths: Frames of each row, ``(N,)``, at least 1; the rows must be in falling order of length.
            lmbda: Lagrange multiplier of each row, ``(N,)``, in squared feature units per bit.
        """
        with torch.autocast(components.device.type, enabled=False):
            lmbda = lmbda.to(components)
            if self.sequential:
                return self._best_of(components, lengths, lmbda)
            rows, frames = components.shape[:2]
            valid = torch.arange(frames, device=components.device) < lengths.unsqueeze(1)
            flat = self._best_of(
                components[valid].unsqueeze(1), torch.ones(int(valid.sum()), dtype=torch.int64),
                lmbda.unsqueeze(1).expand(-1, frames)[valid],
            )  # fmt: skip
            found = self._empty(rows, frames, components)
            for whole, part in zip(found, flat, strict=True):
                whole[valid] = part[:, 0]
            return found

    def _empty(self, rows: int, frames: int, like: Tensor) -> Found:
        codes = torch.full((rows, frames, self.quantizer.positions), -1, dtype=torch.int16, device=like.device)
        return Found(codes, like.new_zeros(rows, frames), like.new_zeros(rows, frames, self.quantizer.dim))

    def _best_of(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> Found:
        """Search rows; one at a lambda that the model takes for 0 also at 0, and keep what spends fewer bits."""
        basis = self.entropy.basis
        taken_for_zero = (lmbda > 0) & (lmbda.double() <= basis.low * basis.scale.double())
        faint = (taken_for_zero & self.weighs_paths).nonzero().squeeze(1)
        if not len(faint):
            return self._over_time(components, lengths, lmbda)[0]
        rows = torch.cat([torch.arange(len(lmbda), device=lmbda.device), faint])
        multipliers, ends = lmbda[rows], lengths.to(rows.device)[rows]
        multipliers[len(lmbda) :] = 0
        order = ends.argsort(descending=True, stable=True)
        found, spent = self._over_time(components[rows[order]], ends[order], multipliers[order])
        place = order.argsort()
        own, zero = place[: len(lmbda)], place[len(lmbda) :]
        own[faint] = torch.where(spent[own[faint]] > spent[zero], zero, own[faint])
        return Found(*(each[own] for each in found))

    def _over_time(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> tuple[Found, Tensor]:
        """Search rows; also return the bits of each, ``(N,)`` float64."""
        rows, multipliers = len(components), lmbda
        missing = max(0, MINIMUM_ROWS - rows)
        if missing:
            components = torch.cat([components, components.new_zeros(missing, *components.shape[1:])])
            lmbda = multipliers = torch.cat([lmbda, lmbda.new_zeros(missing)])
        found = self._empty(len(components), components.shape[1], components)
        silence = self._bits_of_silence(lmbda)
        spent = torch.zeros(2, 2, len(components), dtype=torch.float64, device=components.device)
        state = self.entropy.start(lmbda, self.beam)
        forecast = components.new_zeros(len(components), components.shape[2])
        ends = lengths.tolist()
        for frame in range(components.shape[1]):
            active = sum(end > frame for end in ends)
            kept = max(MINIMUM_ROWS, active)
            if kept < len(forecast):
                state, forecast, lmbda = self.entropy.narrow(state, kept), forecast[:kept], lmbda[:kept]
            codes, bits = self._frame(components[:kept, frame] - forecast, state, lmbda)
            rough, fine = self.quantizer.lookup(codes)
            found.codes[:active, frame] = codes[:active].to(torch.int16)
            found.bits[:active, frame] = bits[:active]
            restored = rough + fine + forecast
            found.components[:active, frame] = restored[:active]
            target, quiet = components[:active, frame], silence[min(frame, self.entropy.memory)]
            spent[0, 0, :active] += (target - restored[:active]).square().sum(-1)
            spent[0, 1, :active] += bits[:active]
            spent[1, 0, :active] += target.square().sum(-1)
            spent[1, 1, :active] += quiet[:active]
            if self.sequential and frame + 1 < components.shape[1]:
                self.entropy.end_frame(state, codes)
                forecast = self.quantizer.predictor * (forecast + fine)
        costs = spent[:, 0] + multipliers * spent[:, 1]
        silent = (costs[1] < costs[0]) & self.weighs_paths
        self._silence(found, silent, silence)
        return Found(*(each[:rows] for each in found)), torch.where(silent, spent[1, 1], spent[0, 1])[:rows]

    def _bits_of_silence(self, lmbda: Tensor) -> Tensor:
        """Bits of a frame that is SKIP everywhere after ``f`` such frames, ``(memory + 1, N)``."""
        memory, positions = self.entropy.memory, self.quantizer.positions
        distinct, index = lmbda.unique(return_inverse=True)
        skip = torch.full((len(distinct), positions), self.quantizer.codewords, device=lmbda.device)
        bits = []
        for frame in range(memory + 1):
            before = torch.full((len(distinct), memory, positions), -1, device=lmbda.device)
            before[:, :frame] = self.quantizer.codewords
            bits.append(_padded_rows(self.entropy, skip, before, distinct)[index])
        return torch.stack(bits)

    def _silence(self, found: Found, rows: Tensor, silence: Tensor) -> None:
        """Make rows SKIP everywhere."""
        valid = (found.codes[..., 0] >= 0) & rows.unsqueeze(1)
        frames = torch.arange(valid.shape[1], device=valid.device).clamp(max=self.entropy.memory)
        found.codes[valid] = self.quantizer.codewords
        found.components[valid] = 0
        found.bits.copy_(torch.where(valid, silence[frames].T, found.bits))

    def _frame(self, residual: Tensor, state: Any, lmbda: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Return codes ``(N, P)`` int64 and bits ``(N,)`` of one frame, given what is left to code, ``(N, D)``."""
        codes, bits = [], torch.zeros_like(lmbda)
        for number, tables in enumerate(self.blocks):
            last = number == len(self.blocks) - 1
            chosen, cost = self._block(number, tables, self._targets(residual, tables), state, lmbda)
            codes.append(chosen)
            bits = bits + cost
            if not last:
                residual = residual - self._rough(chosen)
        return torch.cat(codes, 1), bits

    def _rough(self, codes: Tensor) -> Tensor:
        total = torch.zeros(len(codes), self.quantizer.dim, device=codes.device)
        for stage in range(codes.shape[1]):
            total = total + self.blocks[0].words[stage, 0][codes[:, stage]]
        return total

    def _targets(self, residual: Tensor, tables: Tables) -> Tensor:
        """What the block codes, ``(segments, S, N, d)``: a segment is what is coded until a group is complete."""
        streams, size = tables.words.shape[1], tables.words.shape[-1]
        parts = residual.view(len(residual), -1, size).transpose(0, 1)  # (S or segments, N, d)
        return parts.unsqueeze(0).contiguous() if streams > 1 else parts.unsqueeze(1).contiguous()

    def _block(
        self,
        number: int,
        tables: Tables,
        targets: Tensor,
        state: Any,  # noqa: ANN401
        lmbda: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the codes ``(N, positions of the block)`` and their bits ``(N,)``."""
        steps, streams = tables.words.shape[:2]
        rows = len(lmbda)
        weight = (lmbda / math.log(2)).view(1, rows, 1, 1)
        path = torch.zeros(streams, rows, 1, 0, dtype=torch.int64, device=lmbda.device)
        spent = bits = lmbda.new_zeros(streams, rows, 1)
        residual = targets[0].unsqueeze(2)
        for step in range(steps):
            if step and step % tables.fresh == 0:
                residual = targets[step // tables.fresh].unsqueeze(2).expand(-1, -1, path.shape[2], -1)
            logits = self.entropy.logits(state, number, step)
            cost = tables.norms[step] - 2 * _products(residual, tables.words[step]) - weight * logits
            if self.beam == 1:
                code, parents = cost.argmin(-1), None
                bits = bits + _bits(logits, code)
            else:
                logits = logits.expand(cost.shape)
                normal = torch.logsumexp(logits, -1, keepdim=True)
                cost = cost + weight * normal + spent.unsqueeze(-1)
                code, parents, spent = _best(cost, self.beam)
                picked = _gather_beams(logits, parents).gather(-1, code.unsqueeze(-1)) - _gather_beams(normal, parents)
                bits = bits.gather(2, parents) - picked.squeeze(-1) / math.log(2)
                residual, path = _gather_beams(residual, parents), _gather_beams(path, parents)
            path = torch.cat([path, code.unsqueeze(-1)], -1)
            self.entropy.advance(state, number, step, code, parents)
            residual = residual - _pick(tables.words[step], code)
        winner = torch.zeros_like(spent[..., 0], dtype=torch.int64) if self.beam == 1 else spent.argmin(-1)
        codes = path.gather(2, winner.view(streams, rows, 1, 1).expand(-1, -1, 1, steps)).squeeze(2)
        # Summed along a row's own axis: the last bits of a sum over the leading axis depend on the number of rows.
        spent = bits.gather(2, winner.unsqueeze(-1)).squeeze(-1).T.contiguous().sum(1)
        return codes.transpose(0, 1).flatten(1), spent


def _padded_rows(model: EntropyModel, codes: Tensor, before: Tensor, lmbda: Tensor) -> Tensor:
    """Bits ``(N,)`` of frames, computed over at least as many rows as make a row independent of their number."""
    count = max(0, MINIMUM_ROWS - len(codes))
    codes, before, lmbda = (
        torch.cat([each, each[:1].expand(count, *each.shape[1:])]) for each in (codes, before, lmbda)
    )
    bits = model.bits(codes, before, lmbda)
    return bits[: len(bits) - count].sum(-1)


def _products(residual: Tensor, words: Tensor) -> Tensor:
    """Inner products ``(S, N, W, V)`` of residuals ``(S, N, W, d)`` with codewords ``(S, V, d)``."""
    flat = torch.bmm(residual.flatten(1, 2), words.transpose(1, 2))
    return flat.view(*residual.shape[:3], -1)


def _pick(words: Tensor, codes: Tensor) -> Tensor:
    """Codewords ``(S, N, W, d)`` of codes ``(S, N, W)`` from tables ``(S, V, d)``."""
    slot = torch.arange(len(words), device=words.device).view(-1, 1, 1) * words.shape[1]
    return words.flatten(0, 1)[codes + slot]


def _bits(logits: Tensor, codes: Tensor) -> Tensor:
    chosen = logits.gather(-1, codes.unsqueeze(-1)).squeeze(-1)
    return (torch.logsumexp(logits, -1) - chosen) / math.log(2)


def _best(cost: Tensor, beam: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations of costs ``(S, N, W, V)``: codes, parents and costs, each ``(S, N, <= beam)``."""
    values, index = cost.flatten(2).topk(min(beam, cost.shape[2] * cost.shape[3]), -1, largest=False)
    return index % cost.shape[3], index // cost.shape[3], values


def _gather_beams(tensor: Tensor, parents: Tensor) -> Tensor:
    """Rows ``(S, N, W', x)`` of a tensor ``(S, N, W, x)`` by parent beams ``(S, N, W')``."""
    return tensor.gather(2, parents.unsqueeze(-1).expand(*parents.shape, tensor.shape[-1]))
