"""Look-ups of the light model in a search: terms of earlier frames' codes and terms of lambda."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Stream(NamedTuple):
    """Hold the embeddings of earlier frames' codes in one block of the light model.

    Attributes:
        own: Embeddings of the codes of a stream itself, ``(M, S, L, V + 1, H)``.
        shared: Embeddings of all codes of a frame, the same for every stream, ``(M, P, V + 1, H)``.
    """

    own: Tensor
    shared: Tensor


class FrameContext:
    """Sum the embeddings of earlier frames' codes for every stream of every block, in one look-up.

    The sums are those of ``StreamBlock.context`` to the last bit on a CPU.

    Args:
        blocks: The embeddings of every block.
        firsts: Position of the first code of each block.
        rows: Rows ``N`` of the search.
    """

    def __init__(self, blocks: Sequence[Stream], firsts: Sequence[int], rows: int) -> None:
        device, width = blocks[0].own.device, blocks[0].own.shape[-1]
        self.table = torch.cat([table.reshape(-1, width) for block in blocks for table in block])
        self.streams = [block.own.shape[1] for block in blocks]
        columns, shifts, starts, base, item = [], [], [], 0, 0
        for block, first in zip(blocks, firsts, strict=True):
            memory, streams, steps, codes = block.own.shape[:4]
            place = torch.arange(memory * block.shared.shape[1], device=device)
            own = place.view(memory, -1)[:, first : first + streams * steps].unflatten(1, (streams, steps))
            slot = torch.arange(memory * streams * steps, device=device).view(memory, streams, steps)
            columns += [own.transpose(0, 1).reshape(-1), place]
            shifts += [slot.transpose(0, 1).reshape(-1) * codes + base]
            base += block.own.numel() // width
            shifts += [place * codes + base]
            base += block.shared.numel() // width
            starts.append(torch.arange(streams + 1, device=device) * (memory * steps) + item)
            item += streams * memory * steps + len(place)
        self.columns, self.shifts = torch.cat(columns), torch.cat(shifts)
        begins = torch.arange(rows, device=device).unsqueeze(1) * item
        self.starts = (torch.cat(starts) + begins).flatten()

    def __call__(self, codes: Tensor) -> list[Tensor]:
        """Return what earlier frames add to each block's streams, ``(S, N, H)`` each.

        Args:
            codes: Codes of the earlier frames, nearest first, ``(N, M, P)``; ``V`` where there is no frame.
        """
        rows, bags = len(codes), sum(self.streams) + len(self.streams)
        items = codes.flatten(1).index_select(1, self.columns) + self.shifts
        sums = functional.embedding_bag(items.view(-1), self.table, self.starts[: rows * bags], mode="sum")
        parts = sums.view(rows, bags, -1).split([streams + 1 for streams in self.streams], 1)
        return [part[:, :-1].transpose(0, 1) + part[:, -1] for part in parts]


class LambdaTerms:
    """Give the terms of lambda of every row, expanded from those of the distinct lambdas at a step's first use.

    Args:
        index: Index of each row's lambda among the distinct ones, ``(N,)``.
        tables: Terms of each block at the distinct lambdas, ``(S, L, U, X)``.
    """

    def __init__(self, index: Tensor, tables: Sequence[Tensor]) -> None:
        self.index, self.tables = index, tables
        self._kept: dict[tuple[int, int], Tensor] = {}

    def of(self, block: int, step: int) -> Tensor:
        """Return the terms of a step, ``(S, N, X)``."""
        if (block, step) not in self._kept:
            self._kept[block, step] = self.tables[block][:, step].index_select(1, self.index)
        return self._kept[block, step]

    def select(self, rows: Tensor | slice) -> "LambdaTerms":
        """Return the terms of some rows."""
        chosen = LambdaTerms(self.index[rows], self.tables)
        chosen._kept = {place: terms[:, rows] for place, terms in self._kept.items()}
        return chosen
