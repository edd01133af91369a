"""Contexts of coefficients: integer features of what is already coded, and the class that the network makes of them.

Everything here is integer arithmetic, so that encoder and decoder agree on any machine. A row holds the coefficients of
one frequency of one block (or one frequency of the blocks' means), in falling order of their deviations.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from emoquant.entropy.coefficients.model import (
    CENTRE,
    CLASSES,
    CUT_BITS,
    EXPECTED,
    FEATURES,
    HIDDEN,
    LOGS,
    LOW_BITS_FROM,
    OCTAVE,
    SILENT,
    SIZES,
    STATIC,
    Floats,
    Integers,
    Longs,
    Model,
)

#: What a row is: coefficients of a block, the time mean, and in the stream form the mean of the first or another block.
ORDINARY, TIME_MEAN, FIRST_MEAN, NEXT_MEAN = 0, 1, 2, 3


class Rows(NamedTuple):
    """The rows of an utterance in the order of coding, ``R`` of them.

    Attributes:
        band: Row of the table of deviations, ``(R,)``.
        offset: What is added to its logarithms, ``(R,)``.
        before: Row of the same frequency in the block before (means: the frequency below), -1 if there is none.
        below: Row of the frequency below in the same block (means: two frequencies below), -1 if there is none.
        pitch: Logarithm of the frequency, ``(R,)``.
        role: What the row is, ``(R,)``.
        gain: Factor of the prediction from means before; 0 where there is none, ``(R,)`` float32.
        ends: Whether a search must decide after this row, ``(R,)``.
    """

    band: Integers
    offset: Integers
    before: Integers
    below: Integers
    pitch: Integers
    role: Integers
    gain: Floats
    ends: Integers


class Scene(NamedTuple):
    """What is known while the rows of an utterance are coded; arrays that are changed in place.

    Attributes:
        counts: Coded coefficients of each row, ``(R,)``.
        sizes: Sizes of each row, ``(R, N)`` int16.
        column: For each component, faded sums of sizes and of expected sizes, ``(2, N)``.
        total: The same over everything, ``(2,)``.
        chain: State of dependent quantization, ``(1,)``.
        means: The last two decoded means, in steps, ``(2, N)`` float32.
        level: Logarithms of sigma/step of the row at hand, ``(N,)``.
        expect: Expected sizes of the row at hand, ``(N,)``.
        feature: Its static features, ``(N, STATIC)``.
        static: What they add to the hidden units, ``(N, HIDDEN)``.
        target: What is to be coded, in steps, ``(N,)`` float32.
        window: Ratios of size and expectation around a place in two rows, ``(2, N)``, and running sums.
        sums: Room for running sums, ``(2, N + 1)``.
    """

    counts: Integers
    sizes: NDArray[np.int16]
    column: Longs
    total: Longs
    chain: Longs
    means: Floats
    level: Integers
    expect: Longs
    feature: Integers
    static: Integers
    target: Floats
    window: Integers
    sums: Longs


def new_scene(counts: Integers, components: int) -> Scene:
    """Return the state before the first row of an utterance.

    Args:
        counts: Coded coefficients of each row, as of :func:`count_coded`.
        components: Coefficients of a row ``N``.
    """
    size = components
    return Scene(
        counts,
        np.zeros((len(counts), size), np.int16),
        np.zeros((2, size), np.int64),
        np.zeros(2, np.int64),
        np.zeros(1, np.int64),
        np.zeros((2, size), np.float32),
        np.zeros(size, np.int32),
        np.zeros(size, np.int64),
        np.zeros((size, STATIC), np.int32),
        np.zeros((size, HIDDEN), np.int32),
        np.zeros(size, np.float32),
        np.zeros((2, size), np.int32),
        np.zeros((2, size + 1), np.int64),
    )


def count_coded(rows: Rows, levels: Integers, step: int) -> Integers:
    """Return how many leading coefficients of each row are coded at a step, ``(R,)``.

    Args:
        rows: The rows.
        levels: Logarithms of the deviations, ``(bands, N)``.
        step: Logarithm of the step.
    """
    loudest = np.arange(1, levels.shape[1] + 1) * (levels[rows.band] + rows.offset[:, None] - step > SILENT)
    return np.asarray(loudest.max(1, initial=0), np.int32)


@njit(cache=True, nogil=True)
def _log(logs: Integers, number: int) -> Any:
    """Return 32 log2 of a positive integer below 2^53; exact operations only."""
    mantissa, exponent = math.frexp(float(number))
    return logs[int(mantissa * LOGS) - 1] + OCTAVE * (exponent - 15)


@njit(cache=True, nogil=True)
def _expected(model: Model, level: int) -> Any:
    return model.expected[min(max((level >> 3) + 32, 0), EXPECTED - 1)]


@njit(cache=True, nogil=True)
def _clamp(value: int) -> Any:
    return min(max(value, -512), 511)


@njit(cache=True, nogil=True)
def _compare(model: Model, rows: Rows, levels: Integers, step: int, scene: Scene, row: int, place: int, n: int) -> Any:
    """Fill the ratios of sizes to expectations around every place of an earlier row; return that of the whole row."""
    window, sums = scene.window[place], scene.sums
    if row < 0:
        window[:n] = 0
        return 0
    band, offset, size = rows.band[row], rows.offset[row] - step, levels.shape[1]
    for j in range(size):
        level = levels[band, j] + offset
        coded = j < scene.counts[row] and level > SILENT
        sums[0, j + 1] = sums[0, j] + ((np.int64(scene.sizes[row, j]) << 8) if coded else 0)
        sums[1, j + 1] = sums[1, j] + (_expected(model, level) if coded else 0)
    for j in range(n):
        low, high = max(j - 4, 0), min(j + 9, size)
        seen, known = sums[0, high] - sums[0, low], sums[1, high] - sums[1, low]
        window[j] = _clamp(_log(model.logs, seen + 77) - _log(model.logs, known + 77))
    return _clamp(_log(model.logs, sums[0, size] + 256) - _log(model.logs, sums[1, size] + 256))


@njit(cache=True, nogil=True)
def open_row(model: Model, rows: Rows, levels: Integers, step: int, scene: Scene, k: int) -> Any:
    """Prepare the contexts of a row as far as they do not depend on the row itself; return its coded coefficients."""
    n, size, logs = scene.counts[k], levels.shape[1], model.logs
    if n == 0:
        return 0
    before, below = rows.before[k], rows.below[k]
    ratio_before = _compare(model, rows, levels, step, scene, before, 0, n)
    ratio_below = _compare(model, rows, levels, step, scene, below, 1, n)
    total = _clamp(_log(logs, scene.total[0] + 512) - _log(logs, scene.total[1] + 512))
    for j in range(n):
        level = max(levels[rows.band[k], j] + rows.offset[k] - step, SILENT)
        scene.level[j] = level
        scene.expect[j] = _expected(model, level)
        feature = scene.feature[j]
        feature[0] = _clamp(level)
        for d in range(-1, 2):
            inside = 0 <= j + d < size
            place = 1 if d == 0 else 3 + (d + 1) // 2
            feature[place] = logs[scene.sizes[before, j + d]] if inside and before >= 0 else 0
            place = 2 if d == 0 else 5 + (d + 1) // 2
            feature[place] = logs[scene.sizes[below, j + d]] if inside and below >= 0 else 0
        feature[7] = _clamp(_log(logs, scene.column[0, j] + 77) - _log(logs, scene.column[1, j] + 77))
        feature[8] = logs[j] >> 2
        feature[9] = _clamp(rows.pitch[k])
        feature[10] = OCTAVE if rows.role[k] == TIME_MEAN else 0
        feature[11] = OCTAVE if rows.role[k] >= FIRST_MEAN else 0
        feature[12] = scene.window[0, j]
        feature[13] = scene.window[1, j]
        feature[14] = ratio_before
        feature[15] = ratio_below
        feature[16] = total
        static = scene.static[j]
        static[:] = model.bias
        for i in range(STATIC):
            value = feature[i]
            for h in range(HIDDEN):
                static[h] += model.hidden[i, h] * value
    return n


@njit(cache=True, nogil=True)
def classify(model: Model, static: Integers, level: int, one: int, two: int, rest: int, ratio: int) -> Any:
    """Return the class of a coefficient from its static features and those of the path: logarithms and a ratio."""
    hidden, output = model.hidden, model.output
    found = np.int32(0)
    for h in range(HIDDEN):
        value = np.int32(
            static[h]
            + hidden[STATIC, h] * one
            + hidden[STATIC + 1, h] * two
            + hidden[STATIC + 2, h] * rest
            + hidden[FEATURES - 1, h] * ratio
        )
        found = np.int32(found + (max(value, np.int32(0)) >> CUT_BITS) * output[h])
    number = ((level * 1024 + found + model.constant + 4096) >> 13) + CENTRE
    return min(max(number, 0), CLASSES - 1)


@njit(cache=True, nogil=True)
def close_row(scene: Scene, k: int) -> None:
    """Take a finished row into the faded sums."""
    for j in range(scene.counts[k]):
        size, expect = np.int64(scene.sizes[k, j]) << 8, scene.expect[j]
        scene.column[0, j] += size - (scene.column[0, j] * 51 >> 8)
        scene.column[1, j] += expect - (scene.column[1, j] * 51 >> 8)
        scene.total[0] += size - (scene.total[0] >> 9)
        scene.total[1] += expect - (scene.total[1] >> 9)


@njit(cache=True, nogil=True)
def price(model: Model, table: int, size: int) -> Any:
    """Return the bits of a size with its sign."""
    low = max(0, (table % CLASSES - LOW_BITS_FROM) >> 2)
    symbol = size >> low
    if symbol < SIZES:
        return model.prices[table, symbol] + np.float32(low + (size > 0))
    rest, width = symbol - SIZES + 1, 0
    while rest >> width:
        width += 1
    return model.prices[table, SIZES] + np.float32(low + 1 + 4 + width - 1)


@njit(cache=True, nogil=True)
def magnitude(model: Model, table: int, size: int) -> Any:
    """Return what a size is decoded to, in steps."""
    if size == 0:
        return np.float32(0)
    half = np.float32(0.5) if table >= 2 * CLASSES else np.float32(0)
    return np.float32(size) - half + model.offsets[table, min(size, 3)]
