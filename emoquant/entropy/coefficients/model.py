"""The model of the coefficient coder: integer tables and a small integer network, the same on every machine.

A coefficient ``x`` of standard deviation ``sigma`` is coded as an index ``q`` on a grid of width ``step``. Its size
``|q|`` is coded with a table of probabilities, chosen by its *class*: the size that the context predicts, in quarters
of an octave. Signs are coded as raw bits. All logarithms are integers in units of 1/32 octave (:data:`OCTAVE`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Integers = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]

#: Units of a logarithm of base 2.
OCTAVE = 32
#: Coefficients whose deviation is less than this many units above the step (-3.5 octaves) are never coded.
SILENT = -112
#: Classes of expected sizes: a quarter of an octave each, class ``CENTRE`` is a size of 1.
CLASSES, CENTRE = 72, 24
#: Quantizers that have tables of their own: the scalar one, and the two of dependent quantization.
KINDS = 3
#: Sizes with a symbol of their own (after their low bits are cut off); symbol ``SIZES`` is the escape.
SIZES = 40
#: Sizes with a reconstruction offset of their own; larger ones share that of the last.
CENTROIDS = 4
#: Classes above this one code a low bit more for every octave, as it is.
LOW_BITS_FROM = 36
#: Largest size.
LARGEST = 32_000
#: Context features: those of a coefficient, with those of its row, and with those of the path of a search.
VARYING, STATIC, FEATURES = 11, 17, 21
#: Hidden units of the network.
HIDDEN = 16
#: Fractional bits of the network's weights, and of what leaves its hidden units.
WEIGHT_BITS, CUT_BITS = 8, 6
#: Largest value of a hidden unit, 32 octaves.
MOST_HIDDEN = (1 << 18) - 1
#: Total of the frequencies of a table.
PRECISION = 24
#: Entries of the tables of logarithms and of expected sizes.
LOGS, EXPECTED = 32_768, 96


def lean(fastmath: set[str] | bool = False) -> Callable[[Function], Function]:
    """Return the numba decorator of the compiled loops, without reference counting.

    The loops allocate no arrays, so numba need not count references to their arguments, which took a third of the time.

    Args:
        fastmath: Flags of LLVM for assumptions about floating-point numbers.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "fastmath": fastmath, "_nrt": False}
    found: Callable[[Function], Function] = njit(**options)
    return found


class Model(NamedTuple):
    """Hold the tables and the network of the coder.

    Attributes:
        hidden: Weights of the hidden units, integers in float32, ``(FEATURES, HIDDEN)``.
        bias: Their biases, ``(HIDDEN,)``.
        output: Weights of the output, ``(HIDDEN,)``.
        constant: Bias of the output.
        cumulative: Cumulated frequencies of the symbols, ``(KINDS * CLASSES, SIZES + 2)``, from 0 to 2^PRECISION.
        prices: Bits of the symbols, ``(KINDS * CLASSES, SIZES + 1)``.
        offsets: Offsets that reconstruction adds to a size, in steps, ``(KINDS * CLASSES, CENTROIDS)``.
        expected: Mean size in 256ths by the logarithm of sigma/step in quarter octaves from -8, ``(EXPECTED,)``.
        logs: ``32 log2(1 + n)`` rounded down, ``(LOGS,)``.
    """

    hidden: Floats
    bias: Floats
    output: Floats
    constant: int
    cumulative: Longs
    prices: Floats
    offsets: Floats
    expected: Longs
    logs: Integers


def log_units(number: int) -> int:
    """Return ``32 log2(number)`` rounded down, by integers only.

    Example:
        >>> [log_units(number) for number in (1, 2, 3, 1024)]
        [0, 32, 50, 320]
    """
    return (number**OCTAVE).bit_length() - 1


def log_table() -> Integers:
    """Return :func:`log_units` of 1 to :data:`LOGS`."""
    found = np.floor(OCTAVE * np.log2(np.arange(1, LOGS + 1, dtype=np.float64))).astype(np.int32)
    for number in range(1, 129):  # where a floating-point logarithm may come out on the other side of an integer
        found[number - 1] = log_units(number)
    for octave in range(LOGS.bit_length()):
        found[(1 << octave) - 1] = OCTAVE * octave
    return found


def low_bits(kinds: int = KINDS) -> Integers:
    """Return the number of low bits that are coded as raw bits, for every table, ``(kinds * CLASSES,)``."""
    each = np.maximum(0, (np.arange(CLASSES) - LOW_BITS_FROM) // 4)
    return np.tile(each, kinds).astype(np.int32)


def frequencies(probabilities: NDArray[np.float64]) -> Longs:
    """Return cumulated integer frequencies of tables of probabilities, each symbol at least 1.

    Args:
        probabilities: ``(..., SIZES + 1)``, each row positive and summing to 1.

    Returns:
        ``(..., SIZES + 2)``, from 0 to 2^PRECISION.
    """
    spare = (1 << PRECISION) - probabilities.shape[-1]
    shares = np.cumsum(probabilities, -1)
    shares = np.rint(shares / shares[..., -1:] * spare).astype(np.int64)
    ends = shares + np.arange(1, probabilities.shape[-1] + 1)
    return np.concatenate([np.zeros_like(ends[..., :1]), ends], -1)


def laplace_tables() -> NDArray[np.float64]:
    """Return initial tables: probabilities of sizes of Laplacian coefficients, ``(KINDS, CLASSES, SIZES + 1)``."""
    found = np.empty((KINDS, CLASSES, SIZES + 1))
    symbols = np.arange(SIZES + 2, dtype=np.float64)
    for number in range(CLASSES):
        scale = 2.0 ** ((number - CENTRE) / 4) / 2 ** max(0, (number - LOW_BITS_FROM) // 4)
        for kind, (first, shift) in enumerate(((0.6, 0.5), (0.6, 0.5), (0.3, 1.0))):
            edges = np.where(symbols == 0, 0, np.where(symbols == 1, first, symbols - shift))
            edges[-1] = np.inf
            found[kind, number] = np.diff(-np.exp(-edges / scale))
    found = np.maximum(found, 1e-7)
    return np.asarray(found / found.sum(-1, keepdims=True))


def expected_sizes() -> Longs:
    """Return an initial table of mean sizes, see :attr:`Model.expected`."""
    ratio = 2.0 ** (np.arange(EXPECTED) / 4 - 8)
    return np.rint(256 * ratio * np.exp(-0.6 / ratio)).astype(np.int64)
