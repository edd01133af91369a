"""Integer version ("twin") of an entropy model: exactly the same probabilities wherever they are computed.

A range coder needs the very same probabilities on both sides, and floating-point networks do not give them: the last
bits change with the batch, the number of threads, the device and the library (Balle, Johnston and Minnen, *Integer
networks for data compression with latent-variable models*, ICLR 2019). The twin is made once from the float weights
and holds integers only. It follows models that are sums of tables indexed by codes, one rectifier and one product:

    ``logits_p = W_p max(a_p(lmbda) + sum of table rows of known codes, 0) + b_p(lmbda)``

Hidden sums have 12 fractional bits, weights 16; logits are in bits with 12 fractional bits; ``2 ** x`` is a table with
8 fractional bits; weights of symbols are integers up to ``2 ** 40``. Every sum stays below ``2 ** 53``, so that float64
arithmetic computes it exactly in any order, and nothing at run time depends on a precision switch or on a
transcendental function. Even the dependence on lambda is interpolated between tabulated knots in integers.

**Guarantee**: twins of equal :attr:`IntegerTwin.digest` give equal symbol weights for equal codes, for any batch, any
number of threads and any device that the codes come from, on any platform with IEEE 754 doubles.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from emoquant.entropy.fixed_point import (
    HIDDEN_BITS,
    LOGIT_BITS,
    WEIGHT_BITS,
    Doubles,
    Integers,
    exponentiate,
    fixed,
    knot_position,
)

Codes = NDArray[np.int64]


class FoldedBlock(NamedTuple):
    """Hold a block of an entropy model as tables in float64 on the CPU: ``S`` parallel streams of ``L`` steps.

    Stream ``s`` holds the positions ``first + s L`` to ``first + (s + 1) L - 1``. ``M`` earlier frames are used; code
    ``V`` means that there is no such frame. ``U`` lambdas are tabulated. ``H`` may be 0 (no context). The tables of
    codes are terms of a stream's hidden sum.

    Attributes:
        first: Position of the block's first code; all positions before it are coded in earlier blocks.
        embedding: Terms of a code for the later steps of its own stream, ``(S, L, V, H)``.
        own: Terms of earlier frames' codes of the same stream, ``(M, S, L, V + 1, H)``.
        shared: Terms of all codes of earlier frames, the same for every stream, ``(M, P, V + 1, H)``.
        before: Terms of the frame's codes before the block, for each stream, ``(first, V, S, H)``.
        output: ``W``, ``(S, L, H, V)``, giving natural logarithms.
        hidden_bias: ``a``, ``(U, S, L, H)``.
        logit_bias: ``b``, ``(U, S, L, V)``, natural logarithms.
    """

    first: int
    embedding: Tensor
    own: Tensor
    shared: Tensor
    before: Tensor
    output: Tensor
    hidden_bias: Tensor
    logit_bias: Tensor


class Context(NamedTuple):
    """Hold the context of ``B`` utterances while their frames are coded.

    Attributes:
        codes: Codes of this frame, then of the frames before it, nearest first, ``(B, 1 + M, P)``; ``V`` is no frame.
        sums: Hidden sums of the current block's streams, ``(B, S, H)``, with the largest ``S`` of all blocks.
    """

    codes: Codes
    sums: Integers


class IntegerTwin:
    """Compute the symbol weights of an entropy model in integer arithmetic.

    Args:
        blocks: The model as float tables, in the order of coding.
        unit: Unit of the tabulated lambdas, a power of two.

    Raises:
        ValueError: The weights are not finite or too large for exact sums, or the blocks do not fit each other.

    Attributes:
        positions: Codes of a frame ``P``.
        symbols: Codes of a position ``V``.
        memory: Number of earlier frames ``M`` in the context.
        steps: For each step the positions that are coded together in it.
        digest: SHA-256 over every table.
    """

    def __init__(self, blocks: Sequence[FoldedBlock], unit: float = 1.0) -> None:
        self.unit = unit
        self._blocks = [_Block(block) for block in blocks]
        ends = [block.first + block.streams * block.length for block in self._blocks]
        if [0, *ends[:-1]] != [block.first for block in self._blocks]:
            raise ValueError("blocks of a context model must follow each other without gaps")
        self.positions, self.symbols = ends[-1], self._blocks[0].symbols
        self.memory = self._blocks[0].memory
        self._places = [(block, step) for block in self._blocks for step in range(block.length)]
        self.steps = tuple(tuple(block.step_positions(step).tolist()) for block, step in self._places)
        digest = hashlib.sha256(b"" if unit == 1 else repr(math.frexp(unit)[1]).encode())
        for block in self._blocks:
            block.digest(digest)
        self.digest = digest.digest()

    def bias(self, lmbdas: Sequence[float]) -> "Bias":
        """Return the terms that depend on lambda, for the lambda of each utterance."""
        places = [knot_position(lmbda / self.unit) for lmbda in lmbdas]
        knots = np.array([knot for knot, _ in places], dtype=np.int64)
        share = np.array([share for _, share in places], dtype=np.int64)
        return Bias([block.bias(knots, share) for block in self._blocks])

    def start(self, rows: int) -> Context:
        """Return the context of ``rows`` utterances before their first frame."""
        streams = max(block.streams for block in self._blocks)
        codes = np.full((rows, 1 + self.memory, self.positions), self.symbols, dtype=np.int64)
        return Context(codes, np.zeros((rows, streams, self._blocks[0].width), dtype=np.int32))

    def weigh(self, context: Context, step: int, bias: "Bias") -> Doubles:
        """Return the weight of every symbol at the positions of a step, ``(n, B, V)``, integers in float64.

        Steps of a frame come in order, each followed by :meth:`advance`.

        Args:
            context: Context of each utterance.
            step: Index into :attr:`steps`.
            bias: Terms of lambda from :meth:`bias`, one row for each utterance or one row for all.
        """
        block, place = self._places[step]
        sums = context.sums[:, : block.streams]
        if place == 0:
            block.begin(context.codes, sums)
        hidden_bias, logit_bias = bias.blocks[self._blocks.index(block)]
        active = np.maximum(sums + hidden_bias[:, :, place], 0).astype(np.float64)
        logits = np.matmul(active.transpose(1, 0, 2), block.output[:, place])  # (S, B, V)
        logits *= 2.0 ** (LOGIT_BITS - HIDDEN_BITS - WEIGHT_BITS)
        np.floor(logits, out=logits)
        logits += logit_bias[:, :, place].transpose(1, 0, 2)
        return exponentiate(logits)

    def advance(self, context: Context, step: int, codes: Codes) -> None:
        """Add the codes ``(B, n)`` of a step to the context; after the last step begin the next frame."""
        block, place = self._places[step]
        context.codes[:, 0, block.step_positions(step=place)] = codes
        if step + 1 == len(self.steps):
            context.codes[:, 1:] = context.codes[:, :-1].copy()
        elif place + 1 < block.length:
            context.sums[:, : block.streams] += block.embedding[np.arange(block.streams), place, codes]


class Bias(NamedTuple):
    """Hold the terms of lambda of each block: for hidden sums ``(B, S, L, H)`` and for logits ``(B, S, L, V)``."""

    blocks: list[tuple[Integers, Integers]]

    def rows(self, count: int) -> "Bias":
        """Return the terms of the first ``count`` utterances."""
        return Bias([(hidden[:count], logits[:count]) for hidden, logits in self.blocks])


class _Block:
    """A :class:`FoldedBlock` in fixed point."""

    def __init__(self, folded: FoldedBlock) -> None:
        self.first = folded.first
        self.streams, self.length, self.width, self.symbols = folded.output.shape
        self.memory, self.positions = folded.shared.shape[:2]
        log2e = math.log2(math.e)
        self.embedding = fixed(folded.embedding, HIDDEN_BITS)
        self.own = fixed(folded.own, HIDDEN_BITS)
        self.shared = fixed(folded.shared, HIDDEN_BITS)
        self.before = fixed(folded.before, HIDDEN_BITS)
        self.hidden_bias = fixed(folded.hidden_bias, HIDDEN_BITS)
        self.output = fixed(folded.output * log2e, WEIGHT_BITS).astype(np.float64)
        self.logit_bias = fixed(folded.logit_bias * log2e, LOGIT_BITS)
        self._check_range()
        self._shared_slots = np.arange(self.memory * self.positions) * (self.symbols + 1)
        own = np.arange(self.memory * self.streams * self.length).reshape(self.memory, self.streams, self.length)
        self._own_slots = own.transpose(1, 0, 2) * (self.symbols + 1)  # (S, M, L)
        self._before_slots = np.arange(self.first) * self.symbols

    def _check_range(self) -> None:
        slots = ((self.embedding, 2), (self.own, 3), (self.shared, 2), (self.before, 1), (self.hidden_bias, 0))
        largest = sum(_extent(table, axes) for table, axes in slots)
        product = largest * float(np.abs(self.output).sum(axis=2).max(initial=0))
        scaled = product * 2.0 ** (LOGIT_BITS - HIDDEN_BITS - WEIGHT_BITS)
        if largest >= 2**31 or product >= 2**53 or scaled >= 2**40:
            raise ValueError(
                f"the context model's weights are too large for exact integer sums (hidden sums may reach "
                f"{largest / 2**HIDDEN_BITS:.3g}): train it with weight decay or a lower learning rate"
            )

    def digest(self, into: "hashlib._Hash") -> None:
        into.update(repr((self.first, self.output.shape, self.memory, self.positions)).encode())
        tables = (self.embedding, self.own, self.shared, self.before, self.hidden_bias, self.output, self.logit_bias)
        for table in tables:
            into.update(np.ascontiguousarray(table).astype("<i4").tobytes())

    def step_positions(self, step: int) -> Codes:
        return self.first + step + self.length * np.arange(self.streams)

    def bias(self, knots: Codes, share: Codes) -> tuple[Integers, Integers]:
        def between(table: Integers) -> Integers:
            low, high = table[knots].astype(np.int64), table[knots + 1].astype(np.int64)
            way = share[:, None, None, None]
            return ((low * (256 - way) + high * way + 128) >> 8).astype(np.int32)

        return between(self.hidden_bias), between(self.logit_bias)

    def begin(self, codes: Codes, sums: Integers) -> None:
        """Set the hidden sums ``(B, S, H)`` of the block's first step from the known codes ``(B, 1 + M, P)``."""
        sums[:] = 0
        rows, width = len(codes), self.width
        if self.memory:
            past = codes[:, 1:].reshape(rows, -1)
            sums += _sum_rows(self.shared.reshape(-1, width), past + self._shared_slots)[:, None]
            mine = codes[:, 1:, self.first : self.first + self.streams * self.length]
            mine = mine.reshape(rows, self.memory, self.streams, self.length).transpose(0, 2, 1, 3) + self._own_slots
            sums += _sum_rows(self.own.reshape(-1, width), mine.reshape(rows, self.streams, -1))
        if self.first:
            slots = codes[:, 0, : self.first] + self._before_slots
            found = _sum_rows(self.before.reshape(-1, self.streams * width), slots)
            sums += found.reshape(rows, self.streams, width)


def _extent(table: Integers, axes: int) -> float:
    """Return a bound of what a table adds to a sum: the largest entries of its slots (leading axes), added up."""
    by_slot = np.abs(table.astype(np.float64)).reshape(math.prod(table.shape[:axes]), math.prod(table.shape[axes:]))
    return float(by_slot.max(axis=1, initial=0).sum())


def _sum_rows(table: Integers, index: Codes) -> Integers:
    """Return the sums of rows of a table ``(R, H)`` over the last axis of an index ``(..., n)``: ``(..., H)``."""
    return table[index].sum(axis=-2, dtype=np.int32)
