"""One pass over the rows of an utterance in the order of coding, to replay, decode or choose the indices."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emoquant.entropy.coefficients.contexts import (
    FIRST_MEAN,
    NEXT_MEAN,
    Rows,
    Scene,
    classify,
    close_row,
    low_of,
    magnitude,
    open_row,
    price,
)
from emoquant.entropy.coefficients.model import (
    CLASSES,
    FEATURES,
    LARGEST,
    LOGS,
    STATIC,
    VARYING,
    Floats,
    Integers,
    Model,
    lean,
)
from emoquant.entropy.coefficients.range_coder import Decoder, read_sign, read_size

#: Where indices come from: they are given, decoded, or chosen by rate and distortion or by rounding alone.
GIVEN, DECODED, GREEDY, ROUNDED = 0, 1, 2, 3

#: Next state by state and parity of the size for 4 and for 8 states, and the quantizer of each state.
NEXT = np.array(
    [[[0, 2], [2, 0], [1, 3], [3, 1], *[[0, 0]] * 4], [[0, 2], [5, 7], [1, 3], [6, 4], [2, 0], [4, 6], [3, 1], [7, 5]]]
)
QUANTIZER = np.array([[0, 0, 1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1]])


class Setting(NamedTuple):
    """Hold the settings by which an utterance is coded.

    Attributes:
        step: Logarithm of the step, in units of 1/32 octave.
        states: 1 for a scalar quantizer, 4 or 8 states of dependent quantization.
        source: Source of the indices: given, decoded or chosen.
        lmbda: Lambda in squared steps per bit.
    """

    step: int
    states: int
    source: int
    lmbda: float


class Output(NamedTuple):
    """Hold the result of a pass, filled in row by row.

    Attributes:
        indices: Indices of the coefficients, ``(R, N)`` int16; an input if they are given.
        tables: Index of the table of each, ``(R, N)`` int16.
        decoded: Reconstruction in steps, predictions included, ``(R, N)`` float32.
        bits: Bits of each row, ``(R,)``.
        features: Context features of each coded coefficient, ``(n, FEATURES)`` int16; ``n`` is 0 if none are recorded.
        residual: Size before quantization minus the reconstruction without offset, in steps, ``(n,)`` float32.
    """

    indices: NDArray[np.int16]
    tables: NDArray[np.int16]
    decoded: Floats
    bits: NDArray[np.float64]
    features: NDArray[np.int16]
    residual: Floats


def new_output(rows: int, components: int, recorded: int = 0, indices: NDArray[np.int16] | None = None) -> Output:
    """Allocate the output of a pass that records the features of ``recorded`` coefficients."""
    shape = (rows, components)
    return Output(
        np.zeros(shape, np.int16) if indices is None else indices,
        np.zeros(shape, np.int16),
        np.zeros(shape, np.float32),
        np.zeros(rows, np.float64),
        np.zeros((recorded, FEATURES), np.int16),
        np.zeros(recorded, np.float32),
    )


@lean()
def predict(rows: Rows, scene: Scene, memory: Floats, k: int, j: int) -> np.floating:
    """Return the prediction of coefficient ``j`` of row ``k`` from earlier means, in steps; 0 for other rows."""
    if rows.role[k] != NEXT_MEAN:
        return np.float32(0)
    return rows.gain[k] * (memory[0, j] * scene.means[0, j] + memory[1, j] * scene.means[1, j])


@lean()
def next_state(states: int, state: int, size: int) -> int:
    """Return the state of dependent quantization after a size."""
    return 0 if states == 1 else NEXT[states >> 3, state, size & 1]


@lean()
def quantizer_of(states: int, state: int) -> int:
    """Return the kind of table of a state: 0 for the scalar quantizer, 1 or 2 for dependent quantization."""
    return 0 if states == 1 else 1 + QUANTIZER[states >> 3, state]


@lean()
def _choose(model: Model, table: int, value: float, setting: Setting) -> int:
    """Return the size that rounding gives, or that of the least cost among 0 and its neighbours."""
    half = 0.5 if table >= 2 * CLASSES else 0.0
    nearest = min(int(value + 0.5 + half), LARGEST)
    if setting.source != GREEDY:
        return nearest
    best, found = np.inf, 0
    for t in range(4):
        size = 0 if t == 0 else nearest + t - 2
        if t > 0 and (size < 1 or size > LARGEST):
            continue
        miss = value - magnitude(model, table, size)
        cost = float(miss * miss + setting.lmbda * price(model, table, low_of(table % CLASSES), size))
        if cost < best:
            best, found = cost, size
    return found


@lean()
def _keep(scene: Scene, features: NDArray[np.int16], place: int, j: int) -> None:
    """Keep the static features of a coefficient."""
    for i in range(STATIC):
        features[place, i] = scene.feature[j, i] if i < VARYING else scene.whole[i - VARYING]


@lean()
def _keep_recent(feature: NDArray[np.int16], one: int, two: int, rest: int, ratio: int) -> None:
    """Keep what the coefficients before say."""
    feature[STATIC], feature[STATIC + 1], feature[STATIC + 2] = one, two, rest
    feature[FEATURES - 1] = ratio


@lean()
def _close_mean(rows: Rows, scene: Scene, memory: Floats, output: Output, k: int) -> None:
    """Decode what is not coded of a mean of the stream form, and remember the mean for the next."""
    for j in range(scene.counts[k], len(scene.level)):
        output.decoded[k, j] = predict(rows, scene, memory, k, j)
    for j in range(len(scene.level)):
        scene.means[1, j] = scene.means[0, j]
        scene.means[0, j] = output.decoded[k, j]


@lean()
def walk(
    model: Model,
    rows: Rows,
    levels: Integers,
    memory: Floats,
    setting: Setting,
    scene: Scene,
    decoder: Decoder,
    values: Floats,
    output: Output,
    first: int,
    last: int,
) -> int:
    """Replay, decode or choose the indices of rows ``first`` to ``last - 1`` and fill in ``output``.

    Args:
        model: The tables.
        rows: The rows of the utterance.
        levels: Logarithms of the deviations, ``(bands, N)``.
        memory: Weights of the last two means in the prediction of the next, ``(2, N)``.
        setting: Settings of the coding.
        scene: State of the coder before row ``first``; afterwards that before row ``last``.
        decoder: The decoder; used only if indices are decoded.
        values: Coefficients in steps, ``(R, N)``; used only if indices are chosen or features are recorded.
        output: The result; changed in place.
        first: First row.
        last: Row after the last one.

    Returns:
        Number of coefficients whose features were recorded.
    """
    logs, kept, states, most = model.logs, 0, setting.states, LOGS - 1
    for k in range(first, last):
        n = open_row(model, rows, levels, setting.step, scene, k)
        one, two, three, four, near, due = 0, 0, 0, 0, 0, 0
        for j in range(n):
            ratio = logs[min(near >> 5, most)] - logs[min(due >> 5, most)]
            rest = logs[min(three + four, most)]
            found = classify(model, scene.static, j, scene.level[j], logs[one], logs[two], rest, ratio)
            kind = quantizer_of(states, scene.chain[0])
            table = kind * CLASSES + found
            predicted = predict(rows, scene, memory, k, j)
            if setting.source == DECODED:
                size = int(read_size(decoder, model, table))
                negative = size > 0 and read_sign(decoder) == 1
                output.indices[k, j] = -size if negative else size
            elif setting.source == GIVEN:
                size, negative = abs(int(output.indices[k, j])), output.indices[k, j] < 0
            else:
                value = values[k, j] - predicted
                size, negative = _choose(model, table, abs(value), setting), value < 0
                output.indices[k, j] = -size if negative else size
            output.tables[k, j] = table
            output.bits[k] += price(model, table, low_of(table % CLASSES), size)
            decoded = magnitude(model, table, size)
            output.decoded[k, j] = predicted + (-decoded if negative else decoded)
            if kept < len(output.residual):
                _keep(scene, output.features, kept, j)
                _keep_recent(output.features[kept], logs[one], logs[two], rest, ratio)
                value = values[k, j] - predicted
                output.residual[kept] = (-value if negative else value) - (size - 0.5 * (kind == 2))
                kept += 1
            scene.chain[0] = next_state(states, scene.chain[0], size)
            scene.sizes[k, j] = size
            one, two, three, four = size, one, two, three
            near += (size << 8) - (near * 39 >> 8)
            due += scene.expect[j] - (due * 39 >> 8)
        close_row(model, scene, k)
        if rows.role[k] >= FIRST_MEAN:
            _close_mean(rows, scene, memory, output, k)
    return kept
