"""Entropy-constrained search: the code of least distortion plus lambda times bits, at every position of every frame."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from emoquant.codecs.coarse_path import active_rows, best_coarse_path
from emoquant.codecs.frame_search import FrameSearch
from emoquant.codecs.frame_step import frame_step
from emoquant.devices.memory import fitting
from emoquant.devices.precision import full_float32
from emoquant.entropy.base import MINIMUM_ROWS, EntropyModel, Layout
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import length_mask


def layout_of(quantizer: GroupedResidualVQ) -> Layout:
    """Return the code layout of a quantizer."""
    group_dim = quantizer.dim // quantizer.groups
    return Layout(quantizer.coarse, quantizer.groups, quantizer.layers, quantizer.codewords, group_dim)


#: Tensors of the size of a row's components that a search holds at once, and what else a row takes, in bytes: terms of
#: lambda of every position.
WORKING_COPIES, ROW_BYTES = 6, 2**17

#: Bytes of a frame where frames are rows: keys and values of a transformer over its positions.
FRAME_BYTES = 2**19


def rows_that_fit(quantizer: GroupedResidualVQ, entropy: EntropyModel, device: torch.device, frames: int) -> int:
    """Return how many rows of up to ``frames`` frames to search side by side: 1,024; more if a GPU's memory allows."""
    if entropy.memory > 0 or quantizer.predictive:
        return fitting(device, ROW_BYTES + 4 * WORKING_COPIES * frames * quantizer.dim, 1024, 2**14)
    return fitting(device, FRAME_BYTES, 1024, 2**16)


class Found(NamedTuple):
    """Hold the result of a search.

    Attributes:
        codes: Chosen codes, ``(N, T, P)`` int16; -1 past the end of a row.
        bits: Bits of each frame, ``(N, T)`` float32; 0 past the end.
        components: Reconstruction before the inverse transform, ``(N, T, D)`` float32; 0 past the end.
    """

    codes: Tensor
    bits: Tensor
    components: Tensor


class Spent(NamedTuple):
    """Hold bits and cost of rows.

    Attributes:
        bits: Bits of each row, ``(N,)`` float64.
        cost: Squared error plus lambda times bits of each row, ``(N,)`` float64.
    """

    bits: Tensor
    cost: Tensor


class Search:
    """Search codes with one quantizer and one entropy model, whose weights must not change in between.

    At each position, with residual ``r``, the cost of code ``k`` is ``J(k) = ||r - c_k||^2 - lmbda log2 q(k | past)``,
    SKIP included (Chou, Lookabaugh and Gray 1989). Greedy search takes the least at each position; with ``beam`` > 1
    the best ``beam`` paths of a frame (in a parallel model of each group) are kept, and the frame ends with the best.

    *Rows.* A row is an utterance at one lambda. Rows are searched in parallel, frame after frame. If neither entropy
    model nor quantizer depends on earlier frames, every frame is a row, and ``rows`` of them are searched in parallel.
    On CPU a row's codes do not depend on other rows (its bits may, in their last digit). On a GPU matrix products
    differ in the last bits with the number of rows, which changes a code only if two costs agree to seven digits.

    *Corrections* (not for a model that does not depend on lambda, as the study's). A greedy search can end in a fixed
    path of codes at large lambda, and spend more bits than at lambda 0 where lambda is very small. So a row for which
    SKIP everywhere has a lower cost becomes SKIP everywhere. A row whose lambda the model cannot distinguish from 0
    gets the codes of lambda 0 if these spend fewer bits.

    *Look-ahead.* Frame by frame, as in the study, a row of few bits keeps a coarse code or SKIP for too long, as
    another code costs bits now and saves distortion only over many frames. With ``survivors`` > 1, rows whose frames
    spend fewer bits than a coarse code can cost are searched again with the coarse codes of the best path through the
    utterance (:mod:`emoquant.codecs.coarse_path`), and the cheaper result is kept. This needs a coarse stage and an
    entropy model that depends on earlier frames and on lambda.

    Args:
        quantizer: An initialised quantizer.
        entropy: An entropy model built for the quantizer's layout.
        beam: Paths kept in a frame; 1 for greedy search.
        survivors: Paths of coarse codes kept over time; 16 are nearly as good as all, 1 is a search frame by frame.
        rows: Number of frames that are searched in parallel if frames are rows; it bounds the memory.
    """

    def __init__(
        self, quantizer: GroupedResidualVQ, entropy: EntropyModel, beam: int = 1, survivors: int = 1, rows: int = 1024
    ) -> None:
        if min(beam, survivors, rows) < 1:
            raise ValueError(f"beam, survivors and rows must be at least 1, not {beam}, {survivors} and {rows}")
        self.quantizer, self.entropy, self.rows = quantizer, entropy, rows
        self.frame = FrameSearch(quantizer, entropy, beam)
        self.survivors = min(survivors, quantizer.codewords + 1)
        self.sequential = entropy.memory > 0 or quantizer.predictive
        self.weighs_paths = entropy.basis.knots > 1
        self.looks_ahead = self.survivors > 1 and quantizer.coarse > 0 and entropy.memory > 0 and self.weighs_paths

    @torch.no_grad()
    def __call__(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> Found:
        """Search rows.

        Args:
            components: Components of frames, ``(N, T, D)`` float32.
            lengths: Frames of each row, ``(N,)``, at least 1; the rows must be in falling order of length.
            lmbda: Lagrange multiplier of each row, ``(N,)``, in squared feature units per bit.
        """
        with full_float32(components.device):
            lmbda = lmbda.to(components)
            if self.sequential:
                return self._best_of(components, lengths, lmbda)
            rows, frames = components.shape[:2]
            valid = length_mask(lengths.to(components.device), frames)
            found = self._empty(rows, frames, components)
            for row, frame in zip(*(each.split(self.rows) for each in valid.nonzero(as_tuple=True)), strict=True):
                ends = torch.ones(len(row), dtype=torch.int64)
                flat = self._best_of(components[row, frame].unsqueeze(1), ends, lmbda[row])
                for whole, part in zip(found, flat, strict=True):
                    whole[row, frame] = part[:, 0]
            return found

    def _empty(self, rows: int, frames: int, like: Tensor) -> Found:
        codes = torch.full((rows, frames, self.quantizer.positions), -1, dtype=torch.int16, device=like.device)
        return Found(codes, like.new_zeros(rows, frames), like.new_zeros(rows, frames, self.quantizer.dim))

    def _best_of(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> Found:
        """Search rows in one or more ways and keep the best of each."""
        found, spent = self._told_from_zero(components, lengths, lmbda)
        if not self.looks_ahead:
            return found
        most = self.quantizer.coarse * math.log2(self.quantizer.codewords + 1)
        rows = (spent.bits < lengths.to(lmbda.device) * most).nonzero().squeeze(1)
        if len(rows):
            again, cost = self._along_best_path(components[rows], lengths.to(rows.device)[rows], lmbda[rows])
            better = cost.cost < spent.cost[rows]
            for whole, part in zip(found, again, strict=True):
                whole[rows[better]] = part[better]
        return found

    def _told_from_zero(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> tuple[Found, Spent]:
        """Search rows; one at a lambda that the model takes for 0 also at 0, and keep what spends fewer bits."""
        basis = self.entropy.basis
        taken_for_zero = (lmbda > 0) & (lmbda.double() <= basis.low * basis.scale.double())
        faint = (taken_for_zero & self.weighs_paths).nonzero().squeeze(1)
        if not len(faint):
            return self._over_time(components, lengths, lmbda)
        rows = torch.cat([torch.arange(len(lmbda), device=lmbda.device), faint])
        multipliers, ends = lmbda[rows], lengths.to(rows.device)[rows]
        multipliers[len(lmbda) :] = 0
        order = ends.argsort(descending=True, stable=True)
        found, spent = self._over_time(components[rows[order]], ends[order], multipliers[order])
        place = order.argsort()
        own, zero = place[: len(lmbda)], place[len(lmbda) :]
        own[faint] = torch.where(spent.bits[own[faint]] > spent.bits[zero], zero, own[faint])
        return Found(*(each[own] for each in found)), Spent(*(each[own] for each in spent))

    def _along_best_path(self, components: Tensor, lengths: Tensor, lmbda: Tensor) -> tuple[Found, Spent]:
        """Search rows with the coarse codes of their best paths."""
        words = self.quantizer.coarse_table()[0]
        coarse = best_coarse_path(words, self.entropy, components, lengths, lmbda, self.survivors)
        return self._over_time(components, lengths, lmbda, coarse)

    def _over_time(
        self, components: Tensor, lengths: Tensor, lmbda: Tensor, coarse: Tensor | None = None
    ) -> tuple[Found, Spent]:
        """Search rows frame after frame, if given with these codes ``(N, T)`` of the first coarse stage."""
        rows, multipliers = len(components), lmbda
        missing = max(0, MINIMUM_ROWS - rows)
        if missing:
            components = torch.cat([components, components.new_zeros(missing, *components.shape[1:])])
            lmbda = multipliers = torch.cat([lmbda, lmbda.new_zeros(missing)])
            coarse = coarse if coarse is None else torch.cat([coarse, coarse.new_zeros(missing, coarse.shape[1])])
        found = self._empty(len(components), components.shape[1], components)
        silence = self._bits_of_silence(lmbda)
        spent = torch.zeros(2, 2, len(components), dtype=torch.float64, device=components.device)
        frames = components.shape[1]
        step = frame_step(self.frame, lmbda, frames)
        for frame, active in enumerate(active_rows(lengths, frames)):
            step.narrow(max(MINIMUM_ROWS, active))
            target, quiet = components[: step.rows, frame], silence[min(frame, self.entropy.memory)]
            first = None if coarse is None else coarse[: step.rows, frame]
            codes, bits, restored, error = step(target, first, self.sequential and frame + 1 < frames)
            found.codes[:active, frame] = codes[:active]
            found.bits[:active, frame] = bits[:active]
            found.components[:active, frame] = restored[:active]
            seen = error, bits, target.square().sum(-1), quiet
            spent.view(4, -1)[:, :active].add_(torch.stack([each[:active] for each in seen]))
        costs = spent[:, 0] + multipliers * spent[:, 1]
        silent = (costs[1] < costs[0]) & self.weighs_paths
        self._silence(found, silent, silence)
        total = Spent(*(torch.where(silent, each[1], each[0])[:rows] for each in (spent[:, 1], costs)))
        return Found(*(each[:rows] for each in found)), total

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


def _padded_rows(model: EntropyModel, codes: Tensor, before: Tensor, lmbda: Tensor) -> Tensor:
    """Bits ``(N,)`` of frames, computed over at least as many rows as make a row independent of their number."""
    count = max(0, MINIMUM_ROWS - len(codes))
    codes, before, lmbda = (
        torch.cat([each, each[:1].expand(count, *each.shape[1:])]) for each in (codes, before, lmbda)
    )
    bits = model.bits(codes, before, lmbda)
    return bits[: len(bits) - count].sum(-1)
