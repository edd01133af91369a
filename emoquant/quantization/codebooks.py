"""Codebooks trained by exponential moving averages, one for each code position, and sums over processes for them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from emoquant.devices.ranks import own_rank, world_size


class Statistics(NamedTuple):
    """Hold a batch's counts and sums of the vectors assigned to each codeword.

    Attributes:
        counts: How often each codeword was chosen, ``(Q, K)``.
        sums: Sum of the vectors assigned to it, ``(Q, K, d)``.
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
    """Copy the buffers of the first process to all processes.

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
    """Return a vector with this process's count at the index of its rank and zeros elsewhere, ``(world size,)``.

    The sum of these vectors over all processes is the list of all counts.

    Args:
        count: A count of this process, below 2^24 so that float32 holds it exactly.
        like: A tensor of the wanted device and dtype.
    """
    counts = like.new_zeros(world_size())
    counts[own_rank()] = count
    return counts


class EmaCodebooks(nn.Module):
    """Hold ``Q`` codebooks of ``K`` codewords in ``d`` dimensions and train them by exponential moving averages.

    With ``n`` the count and ``s`` the sum of the vectors of a batch that are assigned to a codeword,
    ``N <- decay N + (1 - decay) n``, ``S <- decay S + (1 - decay) s``, and the codeword is ``S / N`` with additive
    smoothing of ``N`` (van den Oord et al. 2017, appendix A.1; the same arithmetic as vector-quantize-pytorch). A
    codeword is dead when its ``N`` falls below ``dead_below``; a vector of the batch takes its place.

    Attributes:
        vectors: Codewords, ``(Q, K, d)``.
        counts: Moving count ``N`` of each codeword, ``(Q, K)``.
        sums: Moving sum ``S`` of the vectors assigned to it, ``(Q, K, d)``.
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
        """Set the codewords ``(Q, K, d)`` and start their moving averages there, with counts ``(Q, K)``, else all 1."""
        self.vectors.copy_(vectors)
        self.counts.copy_(torch.ones_like(self.counts) if counts is None else counts)
        self.sums.copy_(self.vectors * self.counts.unsqueeze(-1))

    def statistics(self, codes: Tensor, inputs: Tensor) -> Statistics:
        """Return how many vectors of a batch are assigned to each codeword, and their sums.

        Args:
            codes: Code of each vector in each codebook, ``(N, Q)``; ``K`` (SKIP) is not counted.
            inputs: The quantized vectors, ``(N, Q, d)`` float32.
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
        """Update the moving averages and codewords with a batch's statistics, already summed over processes."""
        self.counts.lerp_(seen.counts, 1 - self.decay)
        self.sums.lerp_(seen.sums, 1 - self.decay)
        total = self.counts.sum(-1, keepdim=True)
        smooth = (self.counts + self.smoothing) / (total + self.counts.shape[-1] * self.smoothing) * total
        self.vectors.copy_(self.sums / smooth.unsqueeze(-1))

    def dead(self) -> Tensor:
        """Return which codewords are dead (moving count below ``dead_below``), ``(Q, K)`` bool."""
        return self.counts < self.dead_below

    @torch.no_grad()
    def replace(self, book: Tensor, code: Tensor, vectors: Tensor) -> None:
        """Replace codewords by vectors ``(R, d)``: number ``code`` of codebook ``book``, each ``(R,)`` int64."""
        self.vectors[book, code] = vectors
        self.counts[book, code] = self.dead_below
        self.sums[book, code] = vectors * self.dead_below
        self.revived += len(book)


@torch.no_grad()
def revive(
    books: Sequence[EmaCodebooks], inputs: Sequence[Tensor], held: Sequence[int], generator: torch.Generator
) -> int:
    """Replace every dead codeword by a random vector of the batch; return how many were replaced.

    Which codewords are dead is taken from the first process, so that all processes exchange tensors of one size. The
    vectors are drawn from those of all processes in rank order: two processes draw the same ones as one process with
    the whole batch.

    Args:
        books: The codebooks.
        inputs: For each of them the vectors of this process's batch, ``(N, Q, d)``; ``N`` may be 0.
        held: Number of vectors of each process, the same list on all.
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
