"""Fixed-point arithmetic of integer entropy models: exact on every platform, without transcendental functions."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Integers = NDArray[np.int32]
Doubles = NDArray[np.float64]

#: Fractional bits of hidden sums, of output weights, of logits (in bits), and of the argument of the table of 2 ** x.
HIDDEN_BITS, WEIGHT_BITS, LOGIT_BITS, TABLE_BITS = 12, 16, 12, 8
#: The likeliest symbol has the weight ``2 ** SYMBOL_BITS``.
SYMBOL_BITS = 40
_OCTAVES = range(-20, 14)


def lmbda_knots() -> list[float]:
    """Return the lambdas at which the terms of lambda are tabulated: 0, and four per octave from 2^-20 to 2^14.

    Example:
        >>> lmbda_knots()[:3], lmbda_knots()[-1]
        ([0.0, 9.5367431640625e-07, 1.1920928955078125e-06], 16384.0)
    """
    return [0.0, *(2.0**octave * (1 + part / 4) for octave in _OCTAVES for part in range(4)), 2.0**_OCTAVES.stop]


def knot_position(lmbda: float) -> tuple[int, int]:
    """Return the index of the knot below a lambda and the fraction of the way to the next, in 256ths, exactly.

    Example:
        >>> [lmbda_knots()[knot_position(x)[0]] for x in (0.0, 5.0, 5.5, 1e6)]
        [0.0, 5.0, 5.0, 14336.0]
        >>> knot_position(5.5)[1], knot_position(1e6)[1]
        (128, 256)
    """
    first = 2.0**_OCTAVES.start
    if lmbda < first:
        return 0, int(256 * lmbda / first)
    if lmbda >= 2.0**_OCTAVES.stop:
        return 4 * len(_OCTAVES), 256
    mantissa, exponent = math.frexp(lmbda)
    quarters = 4 * (2 * mantissa - 1)
    return 1 + 4 * (exponent - 1 - _OCTAVES.start) + int(quarters), int(256 * (quarters - int(quarters)))


def fixed(table: Tensor, bits: int) -> Integers:
    """Convert numbers to fixed point: rounded multiples of ``2 ** -bits``.

    Raises:
        ValueError: A number is not finite, or its absolute value is not below 2^30 units.
    """
    scaled = np.rint(table.detach().double().cpu().numpy() * float(1 << bits))
    if not (np.abs(scaled) < 2**30).all():
        raise ValueError("the context model's weights are not finite or too large for an integer twin: train it again")
    return scaled.astype(np.int32)


@cache
def _powers() -> Doubles:
    """Return ``2 ** (SYMBOL_BITS - i / 256)`` rounded down, by integer square roots only; the last entry is 0."""
    root = 2 << 128
    roots = {}
    for bit in reversed(range(TABLE_BITS)):
        root = math.isqrt(root << 128)
        roots[1 << bit] = root
    fractions = []
    for part in range(1 << TABLE_BITS):
        product = 1 << 128
        for bit, factor in roots.items():
            if part & bit:
                product = (product * factor) >> 128
        fractions.append(product)  # 2 ** (part / 256) with 128 fractional bits
    exponents = range(SYMBOL_BITS << TABLE_BITS, 0, -1)
    table = [fractions[e & 255] >> (128 - (e >> TABLE_BITS)) for e in exponents]
    return np.array([*table, 0], dtype=np.float64)


def exponentiate(logits: Doubles) -> Doubles:
    """Return integer weights ``2 ** (SYMBOL_BITS + logit - largest logit)`` of logits in fixed point."""
    below = logits.max(axis=-1, keepdims=True) - logits
    below *= 2.0 ** (TABLE_BITS - LOGIT_BITS)
    table = _powers()
    return table[np.minimum(below, len(table) - 1).astype(np.int32)]
