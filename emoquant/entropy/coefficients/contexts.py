"""Contexts of coefficients: integer features of those already coded, and the class that a network computes from them.

Everything here is arithmetic of integers (those of the network are held in float32 and stay below 2^24, where it is
exact), so that encoder and decoder agree on any machine. A row holds the coefficients of
one frequency of one block (or one frequency of the blocks' means), in falling order of their deviations.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emoquant.entropy.coefficients.model import (
    CENTRE,
    CLASSES,
    CUT_BITS,
    EXPECTED,
    FEATURES,
    HIDDEN,
    LOW_BITS_FROM,
    MOST_HIDDEN,
    OCTAVE,
    SILENT,
    SIZES,
    STATIC,
    VARYING,
    Floats,
    Integers,
    Longs,
    Model,
    lean,
)

#: Sums of floating-point numbers may be taken in any order: they are integers below 2^24, so that all orders are exact.
EXACT = {"reassoc", "contract", "nsz", "nnan", "ninf"}

#: What a row is: coefficients of a block, the time mean, and in the stream form the mean of the first or another block.
ORDINARY, TIME_MEAN, FIRST_MEAN, NEXT_MEAN = 0, 1, 2, 3


class Rows(NamedTuple):
    """Describe the ``R`` rows of an utterance in the order of coding.

    Attributes:
        band: Index of the row's band in the table of log deviations, ``(R,)``.
        offset: Offset that is added to these log deviations, ``(R,)``.
        before: Index of the row of the same frequency in the block before (for means: of the next lower frequency),
            -1 if there is none.
        below: Index of the row of the next lower frequency in the same block (for means: of the one below that), -1 if
            there is none.
        pitch: Logarithm of the frequency, ``(R,)``.
        role: Kind of the row: ``ORDINARY``, ``TIME_MEAN``, ``FIRST_MEAN`` or ``NEXT_MEAN``, ``(R,)``.
        gain: Factor of the prediction from earlier means; 0 without prediction, ``(R,)`` float32.
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
    """Hold the state of the coder while the rows of an utterance are coded; the arrays are changed in place.

    A *size* is the absolute value of a coefficient's index. The *current row* is the one that is being coded.

    Attributes:
        counts: Number of coded coefficients of each row, ``(R,)``.
        sizes: Sizes of the coefficients of each row, ``(R, N)`` int16.
        column: For each component, exponentially decaying sums of sizes and of expected sizes, ``(2, N)``.
        total: The same sums over all components, ``(2,)``.
        chain: State of dependent quantization, ``(1,)``.
        means: The last two decoded means, in steps, ``(2, N)`` float32.
        level: Logarithms of sigma/step of the current row, ``(N,)``.
        expect: Expected sizes of the current row, ``(N,)``.
        feature: Static features of the current row that differ between coefficients, ``(N, VARYING)``.
        whole: Static features that all coefficients of the current row share, ``(STATIC - VARYING,)``.
        base: Input of the hidden units from ``whole`` and the biases, ``(HIDDEN,)``.
        static: Input of the hidden units from all static features, ``(N, HIDDEN)``.
        target: Coefficients to be coded, after prediction, in steps, ``(N,)`` float32.
        ratios: Log ratio of sizes to expected sizes around each coefficient of each row, ``(R, N)`` int16.
        ratio: The same ratio over each whole row, ``(R,)``.
        sums: Working memory for cumulative sums, ``(2, N + 1)``.
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
    whole: Integers
    base: Floats
    static: Floats
    target: Floats
    ratios: NDArray[np.int16]
    ratio: Integers
    sums: Longs


def new_scene(counts: Integers, components: int) -> Scene:
    """Return the state of the coder before the first row of an utterance.

    Args:
        counts: Number of coded coefficients of each row, from :func:`count_coded`.
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
        np.zeros((size, VARYING), np.int32),
        np.zeros(STATIC - VARYING, np.int32),
        np.zeros(HIDDEN, np.float32),
        np.zeros((size, HIDDEN), np.float32),
        np.zeros(size, np.float32),
        np.zeros((len(counts), size), np.int16),
        np.zeros(len(counts), np.int32),
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


@lean()
def _log(logs: Integers, number: int) -> int:
    """Return 32 log2 of a positive integer below 2^53, from the bits of its floating-point form."""
    bits = np.float64(number).view(np.int64)
    return logs[(1 << 14) - 1 + ((bits >> 38) & ((1 << 14) - 1))] + OCTAVE * ((bits >> 52) - 1023 - 14)


@lean()
def _clamp(value: int) -> int:
    return min(max(value, -512), 511)


@lean(fastmath=EXACT)
def open_row(model: Model, rows: Rows, levels: Integers, step: int, scene: Scene, k: int) -> int:
    """Compute the static features of row ``k`` from earlier rows; return its number of coded coefficients."""
    n, logs = scene.counts[k], model.logs
    if n == 0:
        return 0
    band, offset, feature = rows.band[k], rows.offset[k] - step, scene.feature
    _open_whole(model, rows, scene, k)
    before, below = rows.before[k], rows.below[k]
    for j in range(n):
        level = max(levels[band, j] + offset, SILENT)
        scene.level[j] = level
        scene.expect[j] = model.expected[min(max((level >> 3) + 32, 0), EXPECTED - 1)]
        feature[j, 0] = min(level, 511)
        feature[j, 1] = _clamp(_log(logs, scene.column[0, j] + 77) - _log(logs, scene.column[1, j] + 77))
        feature[j, 2] = logs[j] >> 2
        _see_row(logs, scene, before, j, 3)
        _see_row(logs, scene, below, j, 7)
        _add_features(model.hidden, scene.base, feature, scene.static, j)
    return n


@lean()
def _see_row(logs: Integers, scene: Scene, row: int, j: int, place: int) -> None:
    """Set the four features that an earlier row gives, from ``place`` on; 0 where there is none (-1)."""
    feature, sizes = scene.feature, scene.sizes
    if row < 0:
        feature[j, place] = feature[j, place + 1] = feature[j, place + 2] = feature[j, place + 3] = 0
        return
    feature[j, place] = logs[sizes[row, j]]
    feature[j, place + 1] = logs[sizes[row, j - 1]] if j > 0 else 0
    feature[j, place + 2] = logs[sizes[row, j + 1]] if j + 1 < sizes.shape[1] else 0
    feature[j, place + 3] = scene.ratios[row, j]


@lean(fastmath=EXACT)
def _add_features(hidden: Floats, base: Floats, feature: Integers, static: Floats, j: int) -> None:
    """Set what the static features of a coefficient add to the hidden units."""
    for h in range(HIDDEN):
        found = base[h]
        for i in range(VARYING):
            found += hidden[i, h] * np.float32(feature[j, i])
        static[j, h] = found


@lean(fastmath=EXACT)
def _open_whole(model: Model, rows: Rows, scene: Scene, k: int) -> None:
    """Prepare the features that a whole row shares."""
    whole, before, below = scene.whole, rows.before[k], rows.below[k]
    whole[0] = _clamp(rows.pitch[k])
    whole[1] = OCTAVE if rows.role[k] == TIME_MEAN else 0
    whole[2] = OCTAVE if rows.role[k] >= FIRST_MEAN else 0
    whole[3] = scene.ratio[before] if before >= 0 else 0
    whole[4] = scene.ratio[below] if below >= 0 else 0
    whole[5] = _clamp(_log(model.logs, scene.total[0] + 512) - _log(model.logs, scene.total[1] + 512))
    for h in range(HIDDEN):
        scene.base[h] = model.bias[h]
    for i in range(VARYING, STATIC):
        value = np.float32(whole[i - VARYING])
        for h in range(HIDDEN):
            scene.base[h] += model.hidden[i, h] * value


@lean(fastmath=EXACT)
def classify(model: Model, static: Floats, j: int, level: int, one: int, two: int, rest: int, ratio: int) -> int:
    """Return the class of coefficient ``j`` from its static features and four features of earlier sizes in the row.

    These are the logarithms ``one``, ``two`` and ``rest`` of the preceding sizes, and ``ratio``, the log ratio of sizes
    to expected sizes.
    """
    hidden, output = model.hidden, model.output
    a, b, c, d = np.float32(one), np.float32(two), np.float32(rest), np.float32(ratio)
    found = np.float32(0)
    for h in range(HIDDEN):
        value = static[j, h] + hidden[STATIC, h] * a + hidden[STATIC + 1, h] * b
        value += hidden[STATIC + 2, h] * c + hidden[FEATURES - 1, h] * d
        value = min(max(value, np.float32(0)), np.float32(MOST_HIDDEN))
        found += np.floor(value * np.float32(2.0**-CUT_BITS)) * output[h]
    number = ((level * 1024 + int(found) + model.constant + 4096) >> 13) + CENTRE
    return min(max(number, 0), CLASSES - 1)


@lean()
def close_row(model: Model, scene: Scene, k: int) -> None:
    """Add finished row ``k`` to the decaying sums, and compute its ratios of sizes to expected sizes."""
    logs, sums, n, size = model.logs, scene.sums, scene.counts[k], scene.ratios.shape[1]
    for j in range(n):
        seen, known = np.int64(scene.sizes[k, j]) << 8, scene.expect[j]
        scene.column[0, j] += seen - (scene.column[0, j] * 51 >> 8)
        scene.column[1, j] += known - (scene.column[1, j] * 51 >> 8)
        scene.total[0] += seen - (scene.total[0] >> 9)
        scene.total[1] += known - (scene.total[1] >> 9)
        sums[0, j + 1], sums[1, j + 1] = sums[0, j] + seen, sums[1, j] + known
    for j in range(n):
        low, high = max(j - 4, 0), min(j + 9, n)
        seen, known = sums[0, high] - sums[0, low], sums[1, high] - sums[1, low]
        scene.ratios[k, j] = _clamp(_log(logs, seen + 77) - _log(logs, known + 77))
    for j in range(n, size):
        scene.ratios[k, j] = 0
    scene.ratio[k] = _clamp(_log(logs, sums[0, n] + 256) - _log(logs, sums[1, n] + 256))


@lean()
def low_of(number: int) -> int:
    """Return how many low bits of a size are coded without a model (as raw bits) in a class."""
    return max(0, (number - LOW_BITS_FROM) >> 2)


@lean()
def price(model: Model, table: int, low: int, size: int) -> float:
    """Return the bits of a size with its sign; ``low`` are the low bits of the table (:func:`low_of`)."""
    symbol = size >> low
    if symbol < SIZES:
        return model.prices[table, symbol] + np.float32(low + (size > 0))
    rest, width = symbol - SIZES + 1, 0
    while rest >> width:
        width += 1
    return model.prices[table, SIZES] + np.float32(low + 1 + 4 + width - 1)


@lean()
def magnitude(model: Model, table: int, size: int) -> np.floating:
    """Return the reconstruction of a size, in steps."""
    if size == 0:
        return np.float32(0)
    half = np.float32(0.5) if table >= 2 * CLASSES else np.float32(0)
    return np.float32(size) - half + model.offsets[table, min(size, 3)]
