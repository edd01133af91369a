"""k-means for many independent codebooks at once."""

import torch
from torch import Tensor


def nearest(vectors: Tensor, codewords: Tensor) -> Tensor:
    """Return the index of the nearest codeword of each vector.

    Args:
        vectors: Vectors, ``(Q, N, d)``.
        codewords: Codewords, ``(Q, K, d)``.

    Returns:
        Indices ``(Q, N)`` int64; the lowest index where two are equally near.
    """
    half_norms = 0.5 * codewords.square().sum(-1)
    return torch.baddbmm(half_norms.unsqueeze(1), vectors, codewords.transpose(1, 2), alpha=-1).argmin(-1)


def kmeans(vectors: Tensor, codewords: int, iterations: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cluster each of ``Q`` sets of vectors by Lloyd's algorithm; an empty cluster restarts at a random vector.

    Args:
        vectors: Vectors, ``(Q, N, d)`` float32.
        codewords: Clusters ``K`` of each set; where ``N < K`` vectors are taken more than once with a little noise.
        iterations: Rounds of assignment and averaging.
        generator: CPU generator that the first codewords are drawn with.

    Returns:
        Codewords ``(Q, K, d)`` and how many vectors each has, ``(Q, K)`` float32.
    """
    sets, count, dim = vectors.shape
    draws = [torch.randperm(count, generator=generator) for _ in range(-(-codewords // count))]
    means = vectors[:, torch.cat(draws)[:codewords].to(vectors.device)].clone()
    if count < codewords:
        noise = torch.randn(means.shape, generator=generator).to(means)
        means += 1e-3 * vectors.std() * noise
    counts = vectors.new_ones(sets, codewords)
    for _ in range(iterations):
        chosen = nearest(vectors, means)
        slot = (chosen + torch.arange(sets, device=chosen.device).unsqueeze(1) * codewords).reshape(-1)
        sums = vectors.new_zeros(sets * codewords, dim).index_add_(0, slot, vectors.reshape(-1, dim))
        counts = torch.bincount(slot, minlength=sets * codewords).to(vectors).view(sets, codewords)
        filled = sums.view(sets, codewords, dim) / counts.clamp(min=1).unsqueeze(-1)
        spare = vectors[:, torch.randint(count, (codewords,), generator=generator).to(vectors.device)]
        means = torch.where(counts.unsqueeze(-1) > 0, filled, spare)
    return means, counts
