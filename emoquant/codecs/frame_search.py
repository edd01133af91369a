"""Search of the codes of one frame: greedy, or with a beam over its positions."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from emoquant.entropy.base import EntropyModel
from emoquant.quantization.grvq import GroupedResidualVQ


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
        fresh = quantizer.layers if table.shape[-1] != quantizer.dim else len(table)
        blocks.append(Tables(table, table.square().sum(-1)[:, :, None, None, :], fresh))
    return blocks


class FrameSearch:
    """Searches frames side by side, each given what its entropy model's state knows of the frames before.

    Args:
        quantizer: An initialised quantizer.
        entropy: An entropy model built for the quantizer's layout.
        beam: Paths kept from position to position (in a parallel model of each group); 1 for greedy search.
    """

    def __init__(self, quantizer: GroupedResidualVQ, entropy: EntropyModel, beam: int) -> None:
        self.quantizer, self.entropy, self.beam = quantizer, entropy, beam
        self.blocks = _tables(quantizer, entropy.parallel)

    def __call__(
        self,
        residual: Tensor,
        state: Any,  # noqa: ANN401 - the model's own state
        lmbda: Tensor,
        first: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return codes ``(N, P)`` int64 and bits ``(N,)`` of one frame.

        Args:
            residual: What is left to code, ``(N, D)``.
            state: State of the entropy model at the frame's beginning; changed in place.
            lmbda: Lagrange multiplier of each row, ``(N,)``.
            first: Code of the first position, ``(N,)`` int64, if that is given; it must be a coarse stage.
        """
        codes, bits = [], torch.zeros_like(lmbda)
        for number, tables in enumerate(self.blocks):
            chosen, cost = self._block(number, self._targets(residual, tables), state, lmbda, None if number else first)
            codes.append(chosen)
            bits = bits + cost
            if number < len(self.blocks) - 1:
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
        targets: Tensor,
        state: Any,  # noqa: ANN401 - the model's own state
        lmbda: Tensor,
        first: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the codes ``(N, positions of the block)`` and their bits ``(N,)``."""
        tables = self.blocks[number]
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
            cost, parents = tables.norms[step] - 2 * _products(residual, tables.words[step]) - weight * logits, None
            if self.beam == 1 or (first is not None and not step):
                code = cost.argmin(-1) if first is None or step else first.view(1, rows, 1)
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
            residual = residual - _pick(tables.words[step], code)
        winner = torch.zeros_like(spent[..., 0], dtype=torch.int64) if self.beam == 1 else spent.argmin(-1)
        codes = path.gather(2, winner.view(streams, rows, 1, 1).expand(-1, -1, 1, steps)).squeeze(2)
        # Summed along a row's own axis: the last bits of a sum over the leading axis depend on the number of rows.
        spent = bits.gather(2, winner.unsqueeze(-1)).squeeze(-1).T.contiguous().sum(1)
        return codes.transpose(0, 1).flatten(1), spent


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
