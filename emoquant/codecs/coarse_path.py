"""Look-ahead over time: the best path of coarse codes through an utterance."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.entropy.base import MINIMUM_ROWS, EntropyModel, distinct_lambdas


class Prices(NamedTuple):
    """Hold the cost of every coarse code: lambda times its bits.

    Attributes:
        place: Index of each row's lambda among the ``U`` distinct ones, ``(N,)``.
        first: Cost in the first frame, ``(U, V)``.
        after: Cost after every code of the frame before, ``(U, V, V)``.
    """

    place: Tensor
    first: Tensor
    after: Tensor


def active_rows(lengths: Tensor, frames: int) -> list[int]:
    """Return the number of rows that have not ended, for each frame.

    Args:
        lengths: Frames of each row, ``(N,)``, in falling order.
        frames: Number of frames.

    Example:
        >>> active_rows(torch.tensor([4, 2, 2]), 4)
        [3, 3, 1, 1]
    """
    ended = torch.bincount(lengths.cpu().clamp(max=frames), minlength=frames + 1)
    return (len(lengths) - ended.cumsum(0))[:frames].tolist()


@torch.no_grad()
def best_coarse_path(
    words: Tensor, entropy: EntropyModel, components: Tensor, lengths: Tensor, lmbda: Tensor, survivors: int
) -> Tensor:
    """Return the sequence of coarse codes ``(N, T)`` int64 of least cost for each row, by the M-algorithm.

    The cost of a path is its squared error plus lambda times the bits of its codes of the first coarse stage; all other
    positions are SKIP at no cost. Of the paths that end in the same code only the best is kept (Viterbi 1967), and of
    these the ``survivors`` best ones continue in each frame (the M-algorithm, Anderson and Mohan 1984). The result is
    optimal if all ``V`` paths survive and the entropy model depends on one earlier frame. If it depends on more, older
    frames are assumed to have the code of the frame before.

    Args:
        words: Codewords of the stage with SKIP, ``(V, D)``.
        entropy: The entropy model.
        components: Components of frames, ``(N, T, D)`` float32.
        lengths: Frames of each row, ``(N,)``; the rows must be in falling order of length.
        lmbda: Lagrange multiplier of each row, ``(N,)``.
        survivors: Number of paths that continue in each frame, at most ``V``.
    """
    count, frames = components.shape[:2]
    missing = max(0, MINIMUM_ROWS - count)
    components = torch.cat([components, components.new_zeros(missing, *components.shape[1:])])
    lmbda, lengths = torch.cat([lmbda, lmbda.new_zeros(missing)]), torch.cat([lengths, lengths.new_zeros(missing)])
    prices, norms = _prices(entropy, lmbda, len(words)), words.square().sum(1)
    codes, parents = torch.zeros(2, len(lmbda), frames, survivors, dtype=torch.int64, device=words.device)
    cost = prices.first[prices.place]
    for frame, active in enumerate(active_rows(lengths, frames)):
        kept = max(MINIMUM_ROWS, active)
        if frame:
            step = prices.after[prices.place[:kept].unsqueeze(1), codes[:kept, frame - 1]]
            cost, parent = (cost[:kept].unsqueeze(2) + step).min(1)
        cost = cost + norms - 2 * components[:kept, frame] @ words.T
        cost, codes[:kept, frame] = cost.topk(survivors, 1, largest=False)
        cost = cost - cost[:, :1]
        if frame:
            parents[:kept, frame] = parent.gather(1, codes[:kept, frame])
    return _trace(codes, parents, lengths.to(words.device))[:count]


def _trace(codes: Tensor, parents: Tensor, lengths: Tensor) -> Tensor:
    """Follow the paths back from the best one, the first, of each row's last frame."""
    place = torch.zeros(len(codes), 1, dtype=torch.int64, device=codes.device)
    found = torch.zeros_like(codes[..., 0])
    for frame in reversed(range(codes.shape[1])):
        found[:, frame] = codes[:, frame].gather(1, place).squeeze(1)
        before = parents[:, frame].gather(1, place)
        place = torch.where((lengths > frame).unsqueeze(1), before, place)
    return found


def _prices(entropy: EntropyModel, lmbda: Tensor, vocabulary: int) -> Prices:
    distinct, index = distinct_lambdas(lmbda)
    first = _bits(entropy, entropy.start(distinct))
    state = entropy.start(distinct.repeat_interleave(vocabulary))
    layout = entropy.layout
    before = torch.full((len(distinct) * vocabulary, layout.positions), layout.codewords, device=lmbda.device)
    before[:, 0] = torch.arange(vocabulary, device=lmbda.device).repeat(len(distinct))
    for _ in range(entropy.memory):
        entropy.end_frame(state, before)
    after = _bits(entropy, state).unflatten(0, (len(distinct), vocabulary))
    return Prices(index, first * distinct.unsqueeze(1), after * distinct.view(-1, 1, 1))


def _bits(entropy: EntropyModel, state: object) -> Tensor:
    return torch.log_softmax(entropy.logits(state, 0, 0)[0, :, 0], 1) / -math.log(2)
