"""The rate of codes and how evenly they are used."""

import torch
from torch import Tensor
from torchmetrics import Metric


def bits_per_frame(bits: Tensor, lengths: Tensor) -> Tensor:
    """Return the estimated rate of each utterance in bits a frame, ``(..., B)`` float64.

    Args:
        bits: Bits of each frame, ``(..., B, T)``; zeros at padded frames.
        lengths: Frames of each utterance, ``(B,)`` int64.

    Example:
        >>> bits_per_frame(torch.tensor([[3.0, 5.0, 0.0]]), torch.tensor([2])).tolist()
        [4.0]
    """
    return bits.double().sum(-1) / lengths


def skip_rate(codes: Tensor, codewords: int) -> Tensor:
    """Return the share of each utterance's codes that is SKIP, ``(..., B)`` float64 in [0, 1].

    Args:
        codes: ``(..., B, T, P)`` in ``[0, K]``; -1 at padded frames.
        codewords: Codewords ``K`` of a position; code ``K`` is SKIP.

    Example:
        >>> skip_rate(torch.tensor([[[4, 0], [4, 4], [-1, -1]]]), codewords=4).tolist()
        [0.75]
    """
    skipped, coded = (codes == codewords).sum((-2, -1)), (codes >= 0).sum((-2, -1))
    return skipped.double() / coded


def perplexity(histogram: Tensor) -> Tensor:
    """Return ``2^entropy`` of code histograms: the number of equally frequent codes with the same entropy.

    Args:
        histogram: Counts ``(..., V)``.

    Returns:
        Perplexity in [1, V], ``(...)`` float64; NaN for an empty histogram.

    Example:
        >>> perplexity(torch.tensor([[5, 5, 0, 0], [9, 0, 0, 0]])).tolist()
        [2.0, 1.0]
    """
    counts = histogram.double()
    shares = counts / counts.sum(-1, keepdim=True)
    entropy = -torch.special.xlogy(shares, shares).sum(-1) / torch.log(torch.tensor(2.0, dtype=torch.float64))
    return torch.exp2(entropy)


def usage(histogram: Tensor) -> Tensor:
    """Return the share of codes that occur, ``(...)`` float64 in [0, 1]; NaN for an empty histogram.

    Args:
        histogram: Counts ``(..., V)``.

    Example:
        >>> usage(torch.tensor([5, 1, 0, 0])).item()
        0.5
    """
    shares = (histogram > 0).double().mean(-1)
    return torch.where(histogram.sum(-1) > 0, shares, torch.nan)


class CodeHistogram(Metric):
    """Count the codes of every position, in a tensor of fixed shape that processes add up exactly.

    Args:
        positions: Codes of a frame ``P``, at least 1.
        codewords: Codewords ``K`` of a position; code ``K`` is SKIP.
        cells: Number of separate histograms (operating points times emotions times groups of utterances).

    Raises:
        ValueError: A size is below 1.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, positions: int, codewords: int, cells: int = 1) -> None:
        super().__init__()
        if min(positions, codewords, cells) < 1:
            raise ValueError(
                f"positions, codewords and cells must be at least 1, got {positions}, {codewords}, {cells}"
            )
        self.shape = (cells, positions, codewords + 1)
        self.add_state("counts", torch.zeros(self.shape, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, codes: Tensor, cells: Tensor | None = None) -> None:
        """Add codes to the histograms.

        Args:
            codes: Codes, ``(..., T, P)`` in ``[0, K]``; -1 at padded frames.
            cells: Histogram of each sequence of frames, ``(...)`` int64; 0 by default.

        Raises:
            ValueError: The codes have another number of positions, or one is above ``K``.
        """
        _, positions, values = self.shape
        if codes.shape[-1] != positions:
            raise ValueError(f"codes must have {positions} positions, got shape {tuple(codes.shape)}")
        kept = codes[..., 0] >= 0  # (..., T)
        cells = torch.zeros_like(codes[..., 0, 0], dtype=torch.int64) if cells is None else cells
        offsets = cells[..., None].expand(kept.shape)[kept] * positions  # (N,)
        chosen = codes[kept].long()  # (N, P)
        if chosen.numel() == 0:
            return
        if int(chosen.max()) >= values:
            raise ValueError(f"codes must be at most K = {values - 1}, got {int(chosen.max())}")
        index = (offsets[:, None] + torch.arange(positions, device=codes.device)) * values + chosen
        flat = index.flatten()
        self.counts.view(-1).scatter_add_(0, flat, torch.ones_like(flat))

    def compute(self) -> Tensor:
        """Return the counts, ``(cells, P, V)`` int64, ``V = K + 1``."""
        return self.counts
