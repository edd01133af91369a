"""Codebooks that follow the data by exponential moving averages, for many code positions at once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from emoquant.devices.ranks import own_rank, world_size


class Statistics(NamedTuple):
    """What a batch says about codebooks.

    Attributes:
        counts: How often each codeword was chosen, ``(Q, K)``.
        sums: Sum of the vectors that chose it, ``(Q, K, d)``.
    """

    counts: Tensor
    sums: Tensor


def reduce_together(*tensors: Tensor) -> list[Tensor]:
    """Return the tensors summed over all processes, by one collective call for all of them."""
    if world_size() == 1:
        return list(tensors)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    return [
        part.view_as(tensor) for part, tensor in zip(flat.split([t.numel() for t in tensors]), tensors, strict=True)
    ]


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows ``(N, ...)`` of all processes in rank order; processes may have different ``N``, also 0."""
    if world_size() == 1:
        return rows
    count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.zeros_like(count) for _ in range(world_size())]
    distributed.all_gather(counts, count)
    sizes = [int(each) for each in counts]
    padded = rows.new_zeros(max(sizes), *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.zeros_like(padded) for _ in sizes]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def share_buffers(module: nn.Module) -> None:
    """Give every process the buffers of the first one.

    Sums by atomic additions on a GPU differ in their last bits from process to process, and k-means and eigenvectors
    amplify that. DDP does not repair it: under manual optimization it sends buffers once, before training.

    Args:
        module: A module whose buffers have the same shapes on all processes.
    """
    if world_size() > 1:
        for buffer in module.buffers():
            if buffer.numel():
                distributed.broadcast(buffer, 0)


def rank_counts(count: int, like: Tensor) -> Tensor:
    """Return a row ``(world size,)`` of zeros with this process's number in its place, to be summed over processes.

    Args:
        count: The number, below 2^24 so that float32 holds it.
        like: A tensor of the wanted device and dtype.
    """
    counts = like.new_zeros(world_size())
    counts[own_rank()] = count
    return counts


class EmaCodebooks(nn.Module):
    """``Q`` codebooks of ``K`` codewords in ``d`` dimensions, trained by exponential moving averages.

    With ``n`` the count and ``s`` the sum of the vectors of a batch that chose a codeword,
    ``N <- decay N + (1 - decay) n``, ``S <- decay S + (1 - decay) s``, and the codeword is ``S / N`` with additive
    smoothing of ``N`` (van den Oord et al. 2017, appendix A.1; the same arithmetic as vector-quantize-pytorch). A
    codeword is dead when its ``N`` falls below ``dead_below``; a vector of the batch takes its place.

    Attributes:
        vectors: Codewords, ``(Q, K, d)``.
        counts: Moving count ``N`` of each codeword, ``(Q, K)``.
        sums: Moving sum ``S`` of the vectors that chose it, ``(Q, K, d)``.
        revived: Dead codewords that were replaced since the start, a scalar int64.
    """

    vectors: Tensor
    counts: Tensor
    sums: Tensor
    revived: Tensor

    def __init__(self, books: int, codewords: int, dim: int, decay: float, dead_below: float) -> None:
        super().__init__()
        self.decay, self.dead_below, self.smoothing = decay, dead_below, 1e-5
        self.register_buffer("vectors", torch.zeros(books, codewords, dim))
        self.register_buffer("counts", torch.ones(books, codewords))
        self.register_buffer("sums", torch.zeros(books, codewords, dim))
        self.register_buffer("revived", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def set(self, vectors: Tensor, counts: Tensor | None = None) -> None:
        """Set the codewords ``(Q, K, d)`` and start their moving averages from them, with counts ``(Q, K)`` or 1."""
        self.vectors.copy_(vectors)
        self.counts.copy_(torch.ones_like(self.counts) if counts is None else counts)
        self.sums.copy_(self.vectors * self.counts.unsqueeze(-1))

    def statistics(self, codes: Tensor, inputs: Tensor) -> Statistics:
        """Count a batch.

        Args:
            codes: Chosen codewords, ``(N, Q)``; ``K`` (SKIP) is not counted.
            inputs: The vectors that chose them, ``(N, Q, d)`` float32.
        """
        books, codewords, dim = self.vectors.shape
        slot = codes + torch.arange(books, device=codes.device) * (codewords + 1)
        sums = inputs.new_zeros(books * (codewords + 1), dim).index_add_(0, slot.reshape(-1), inputs.reshape(-1, dim))
        counts = torch.bincount(slot.reshape(-1), minlength=books * (codewords + 1)).to(inputs)
        return Statistics(
            counts.view(books, codewords + 1)[:, :codewords].contiguous(),
            sums.view(books, codewords + 1, dim)[:, :codewords].contiguous(),
        )

    @torch.no_grad()
    def absorb(self, seen: Statistics) -> None:
        """Move averages and codewords towards a batch's statistics, which are already summed over processes."""
        self.counts.lerp_(seen.counts, 1 - self.decay)
        self.sums.lerp_(seen.sums, 1 - self.decay)
        total = self.counts.sum(-1, keepdim=True)
        smooth = (self.counts + self.smoothing) / (total + self.counts.shape[-1] * self.smoothing) * total
        self.vectors.copy_(self.sums / smooth.unsqueeze(-1))

    def dead(self) -> Tensor:
        """Return which codewords are dead, ``(Q, K)`` bool."""
        return self.counts < self.dead_below

    @torch.no_grad()
    def replace(self, book: Tensor, code: Tensor, vectors: Tensor) -> None:
        """Put vectors ``(R, d)`` in the places of codewords ``code`` of codebooks ``book``, each ``(R,)`` int64."""
        self.vectors[book, code] = vectors
        self.counts[book, code] = self.dead_below
        self.sums[book, code] = vectors * self.dead_below
        self.revived += len(book)


@torch.no_grad()
def revive(
    books: Sequence[EmaCodebooks], inputs: Sequence[Tensor], held: Sequence[int], generator: torch.Generator
) -> int:
    """Put a vector of the batch in the place of every dead codeword; return how many there were.

    The first process says which codewords are dead, so that the size of what is communicated hangs on numbers that all
    processes have. The choice depends only on the vectors of all processes in rank order, so that one process with
    twice the batch and two processes choose alike.

    Args:
        books: The codebooks.
        inputs: The vectors of this process's batch for each of them, ``(N, Q, d)``; ``N`` may be 0.
        held: How many vectors each process has, the same list on all.
        generator: A CPU generator in the same state on all processes.
    """
    begin, total = sum(held[: own_rank()]), sum(held)
    dead = torch.cat([each.dead().flatten() for each in books]).to(torch.uint8)
    if world_size() > 1:
        distributed.broadcast(dead, 0)
    if not total or not bool(dead.any()):
        return 0
    places, chosen = [], []
    for each, vectors, mask in zip(books, inputs, dead.split([each.counts.numel() for each in books]), strict=True):
        book, code = mask.view_as(each.counts).nonzero(as_tuple=True)
        row = torch.randint(total, (len(book),), generator=generator).to(book.device) - begin
        mine = (row >= 0) & (row < len(vectors))
        found = vectors.new_zeros(len(book), vectors.shape[-1])
        found[mine] = vectors[row[mine], book[mine]]
        places.append((book, code))
        chosen.append(found)
    for each, place, vectors in zip(books, places, reduce_together(*chosen), strict=True):
        each.replace(*place, vectors)
    return sum(len(book) for book, _ in places)
