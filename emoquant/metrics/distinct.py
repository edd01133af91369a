"""The number of different outputs of a codec; one output for all utterances is a collapse, whatever its class."""

import torch
from torch import Tensor
from torchmetrics import Metric

from emoquant.types import length_mask

_RANGE = 2**62
_EMPTY = 2**62


def output_hashes(codes: Tensor, features: Tensor, lengths: Tensor, seed: int = 0) -> Tensor:
    """Return a hash of each coded utterance, equal for equal sequences of codes without repeated frames.

    Consecutive frames with equal codes count once. So an utterance of one repeated frame has the same hash at any
    length, as its time mean is the same vector. Without codes (``P = 0``) the float32 values of the frames are hashed.

    Args:
        codes: ``(..., B, T, P)``; what lies past an utterance's length is ignored.
        features: Coded frames, ``(..., B, T, D)`` float32; read only if ``P`` is 0.
        lengths: Frames of each utterance, ``(B,)`` int64.
        seed: Seed of the hash function.

    Returns:
        Hashes in ``[0, 2^62)``, ``(..., B)`` int64. Two outputs collide with a chance of about ``2^-55``.
    """
    symbols = codes if codes.shape[-1] else features.contiguous().view(torch.int32)
    generator = torch.Generator().manual_seed(seed)
    odd = torch.randint(-(2**62), 2**62, (symbols.shape[-1] + 1,), generator=generator) * 2 + 1
    odd = odd.to(symbols.device)
    frames = _mix(((symbols.long() + 2) * odd[:-1]).sum(-1))  # (..., B, T), products wrap around
    fresh = torch.ones_like(frames, dtype=torch.bool)
    fresh[..., 1:] = frames[..., 1:] != frames[..., :-1]
    fresh &= length_mask(lengths, frames.shape[-1])
    place = fresh.cumsum(-1) - 1
    powers = torch.cumprod(odd[-1].expand(frames.shape[-1]), 0)
    total = (frames * powers[place.clamp_min(0)] * fresh).sum(-1)
    return _mix(total) & (_RANGE - 1)


def _mix(value: Tensor) -> Tensor:
    """Return the finaliser of SplitMix64 (Steele, Lea, Flood 2014), with signed wrap-around arithmetic."""
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        value = (value ^ ((value >> shift) & (2 ** (64 - shift) - 1))) * factor
    return value ^ ((value >> 31) & (2**33 - 1))


class DistinctOutputs(Metric):
    """Count different hashes in constant memory: exactly up to a bound, as an estimate above it.

    The ``bound`` smallest different hashes are kept (k minimum values, Bar-Yossef et al. 2002, Counting distinct
    elements in a data stream). If there are fewer than ``bound``, the count is exact. Otherwise, with ``h`` the largest
    kept hash as a fraction of the range, ``(bound - 1) / h`` is an unbiased estimate with a relative standard error of
    ``1 / sqrt(bound - 2)`` (3 % at 1,024). The kept hashes do not depend on the order of the utterances or on how they
    are divided between processes.

    Args:
        cells: Number of separate counts (operating points times emotions).
        bound: Hashes kept for each count, at least 3.

    Raises:
        ValueError: A size is too small.
    """

    full_state_update = False
    kept: Tensor

    def __init__(self, cells: int = 1, bound: int = 1024) -> None:
        super().__init__()
        if cells < 1 or bound < 3:
            raise ValueError(f"cells must be at least 1 and bound at least 3, got {cells} and {bound}")
        self.bound = bound
        self.add_state("kept", torch.full((cells, bound), _EMPTY), dist_reduce_fx=_merge)

    def update(self, hashes: Tensor) -> None:
        """Add hashes to the counts.

        Args:
            hashes: Hashes for each count, ``(cells, N)`` int64 in ``[0, 2^62)``; ``2^62`` for none.
        """
        self.kept = _smallest(torch.cat([self.kept, hashes], dim=-1), self.bound)

    def compute(self) -> Tensor:
        """Return the kept hashes, ``(cells, bound)`` int64, from which :func:`count_distinct` gives the counts."""
        return self.kept


def count_distinct(kept: Tensor) -> Tensor:
    """Return the number of different hashes, exact or estimated (:class:`DistinctOutputs`), ``(...)`` float64.

    Args:
        kept: The smallest different hashes in rising order, ``(..., bound)`` int64, filled up with ``2^62``.
    """
    found = (kept < _EMPTY).sum(-1)
    estimate = (kept.shape[-1] - 1) * (_RANGE / kept[..., -1].double().clamp_min(1.0))
    return torch.where(found < kept.shape[-1], found.double(), estimate)


def pool_distinct(kept: Tensor) -> Tensor:
    """Merge the kept hashes of several counts into those of one count of all, ``(..., bound)`` int64.

    Args:
        kept: Kept hashes of each count, ``(..., counts, bound)`` int64.
    """
    return _smallest(kept.flatten(-2), kept.shape[-1])


def _merge(stacked: Tensor) -> Tensor:
    return _smallest(stacked.movedim(0, -2).flatten(-2), stacked.shape[-1])


def _smallest(hashes: Tensor, bound: int) -> Tensor:
    ordered = hashes.sort(dim=-1).values
    repeated = torch.zeros_like(ordered, dtype=torch.bool)
    repeated[..., 1:] = ordered[..., 1:] == ordered[..., :-1]
    return ordered.masked_fill(repeated, _EMPTY).sort(dim=-1).values[..., :bound]
