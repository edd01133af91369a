"""95 % intervals from sums per block of utterances: constant memory, seeded, the same on any number of processes.

The percentile bootstrap over blocks needs only each block's sums, not the utterances. A block is a speaker if there are
at least 10 (utterances of one speaker are not independent), else a random part of the utterances; with 64 blocks the
latter has the spread of the bootstrap over single utterances. Percentile intervals of few blocks are too narrow, so
they are widened as a t interval is (Hesterberg 2015, What teachers should know about the bootstrap, section 3.3).

A second kind is clustered by speaker, from two speakers on: the jackknife that leaves out one speaker at a time, with
Student's t and one degree of freedom less than there are speakers. It is meant for new speakers;
``benchmarks/interval_coverage.py`` measures the coverage of both.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

BLOCKS = 64
MIN_SPEAKERS = 10
LEVEL = 0.95


class Blocks:
    """Divide utterances into blocks, 64 by default, that the bootstrap resamples as wholes.

    Args:
        speakers: Indices of the split's speakers; repeated ones, as of a list by utterance, count once.
        number: Number of blocks.
        least: Least number of speakers for which blocks are made of speakers.

    Attributes:
        kind: ``"speakers"`` if there are at least ``least`` speakers, else ``"utterances"``.
        number: Number of blocks.
    """

    def __init__(self, speakers: Sequence[int] = (), number: int = BLOCKS, least: int = MIN_SPEAKERS) -> None:
        present = sorted(set(speakers))
        self.number = number
        self.kind = "speakers" if len(present) >= least else "utterances"
        self._table = torch.full((max(present, default=0) + 1,), -1, dtype=torch.int64)
        self._table[present] = torch.arange(len(present)) % number

    def assign(self, speakers: Tensor, utterances: Tensor) -> Tensor:
        """Return the block of each utterance, ``(B,)`` int64.

        Args:
            speakers: Speaker of each utterance, ``(B,)`` int64.
            utterances: Row of each utterance in its split, ``(B,)`` int64.

        Raises:
            ValueError: A speaker is not one of the split's.
        """
        if self.kind == "utterances":
            return scatter_rows(utterances, self.number)
        table = self._table.to(speakers.device)
        known = speakers < table.shape[0]
        blocks = torch.where(known, table[speakers.clamp_max(table.shape[0] - 1)], -1)
        if bool((blocks < 0).any()):
            raise ValueError(
                "a batch holds a speaker that the split's list lacks; give Blocks all speakers of the split"
            )
        return blocks


def scatter_rows(rows: Tensor, number: int) -> Tensor:
    """Return a pseudo-random block in ``[0, number)`` for each utterance, a hash of its row, ``(B,)`` int64.

    Args:
        rows: Row of each utterance in its split, ``(B,)`` int64, non-negative.
        number: Number of blocks.
    """
    mixed = (rows + 1) * 0x9E3779B97F4A7C1  # wraps around
    mixed = (mixed ^ ((mixed >> 29) & (2**35 - 1))) * 0x3F58476D1CE4E5B9
    return ((mixed >> 32) & (2**31 - 1)) % number


def resampling_weights(filled: Tensor, replicates: int, seed: int) -> Tensor:
    """Return how often each replicate draws each block, ``(R, G)`` float64; empty blocks are never drawn.

    Args:
        filled: Which blocks hold utterances, ``(G,)`` bool.
        replicates: Replicates ``R``.
        seed: Seed of the draws.
    """
    held = filled.cpu().numpy()
    weights = np.zeros((replicates, held.shape[0]))
    if held.any():
        weights[:, held] = _draws(int(held.sum()), replicates, seed)
    return torch.from_numpy(weights)


@lru_cache(maxsize=8)
def _draws(number: int, replicates: int, seed: int) -> np.ndarray:
    """Return how often each replicate draws each of so many blocks, ``(R, number)``; kept, as speakers share it."""
    return np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=replicates)


def percentile_interval(replicates: Tensor, blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lower and upper ends of 95 % percentile intervals, widened for few blocks.

    Args:
        replicates: Bootstrap replicates, ``(R, ...)`` float64; NaN for a replicate without such an utterance.
        blocks: Number of non-empty blocks of each figure, broadcastable with ``(...)``, int64.

    Returns:
        Two tensors ``(...)``; NaN if there are fewer than 2 blocks or no valid replicate.
    """
    return sorted_interval(replicates.movedim(0, -1).cpu().clone(memory_format=torch.contiguous_format), blocks)


def sorted_interval(replicates: Tensor, blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Do the same as :func:`percentile_interval` for replicates ``(..., R)`` on the CPU, which are sorted in place."""
    found = replicates.numpy()
    found.sort(axis=-1)  # NaN last
    missing = np.isnan(found)
    valid = torch.from_numpy(np.where(missing[..., -1], missing.argmax(-1), found.shape[-1]))
    tails = [[tail, 1 - tail] for tail in map(expanded_tail, blocks.flatten().tolist())]
    shares = torch.tensor(tails, dtype=torch.float64).view(*blocks.shape, 2)
    place = (shares * (valid - 1).unsqueeze(-1)).nan_to_num(0.0).clamp_min(0.0)
    below = place.floor().long()
    above = torch.minimum(below + 1, (valid - 1).clamp_min(0).unsqueeze(-1))
    low, high = (replicates.gather(-1, each) for each in (below, above))
    ends = low + (high - low) * (place - below)
    ends = ends.where(((valid > 0) & (blocks >= 2)).unsqueeze(-1), torch.nan)
    return ends[..., 0], ends[..., 1]


@lru_cache(maxsize=1024)
def expanded_tail(blocks: int) -> float:
    """Return the share of replicates to cut off at each end, ``Phi(-sqrt(g / (g - 1)) * t)``.

    Args:
        blocks: Non-empty blocks ``g``.

    Example:
        >>> round(expanded_tail(10), 4), round(expanded_tail(10_000), 4)
        (0.0086, 0.025)
    """
    if blocks < 2:
        return math.nan
    stretch = math.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, (1 + LEVEL) / 2)
    return NormalDist().cdf(-stretch)


def certain_share_interval(value: float, n: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 95 % interval of a share that is 0 or 1, where all bootstrap replicates are equal.

    Args:
        value: 0.0 or 1.0.
        n: Utterances counted, at least 1.

    Example:
        >>> certain_share_interval(1.0, 100)[0] > 0.96
        True
    """
    width = 1 - ((1 - LEVEL) / 2) ** (1 / n)
    return (0.0, width) if value == 0.0 else (1 - width, 1.0)


def jackknife_interval(value: Tensor, left_out: Tensor, filled: Tensor) -> tuple[Tensor, Tensor]:
    """Return 95 % jackknife intervals from estimates that leave out one group each.

    It is used for figures that a bootstrap biases: a bootstrap sample lacks a third of the groups and the codes that
    only these use, so its codebook perplexity and usage are too low. Intervals by speaker are jackknives, too.

    Args:
        value: Estimates, ``(...)`` float64.
        left_out: Estimates without group ``h``, ``(H, ...)`` float64.
        filled: Which groups hold utterances of each figure, ``(H, ...)`` bool, broadcastable.

    Returns:
        Two tensors ``(...)``; NaN where fewer than 2 groups are filled.
    """
    filled = filled.expand(left_out.shape)
    number = filled.sum(0)
    kept = left_out.where(filled, 0.0)
    mean = kept.sum(0) / number
    squares = (left_out - mean).square().where(filled, 0.0).sum(0)
    spread = ((number - 1) / number * squares).sqrt()
    quantiles = {int(g): stdtrit(int(g) - 1, (1 + LEVEL) / 2) for g in number.unique() if g >= 2}
    reach = number.double().apply_(lambda g: quantiles.get(int(g), math.nan)) * spread
    return value - reach, value + reach
