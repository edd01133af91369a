"""Search of dependent quantization: the Viterbi algorithm over the rows of an utterance.

Dependent quantization switches between two scalar quantizers by the parity of the sizes coded so far (Schwarz et al.
2019, *Hybrid video coding with trellis-coded quantization*; Marcellin and Fischer 1990). A path through its 4 or 8
states is a choice of all sizes; the path of least squared error plus lambda times bits is kept for each state.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from emoquant.entropy.coefficients.contexts import Rows, Scene, classify, close_row, low_of, magnitude, open_row, price
from emoquant.entropy.coefficients.model import CLASSES, LARGEST, LOGS, Floats, Integers, Model
from emoquant.entropy.coefficients.range_coder import Decoder
from emoquant.entropy.coefficients.walk import (
    NEXT,
    QUANTIZER,
    Output,
    Setting,
    predict,
    walk,
)

Shorts = NDArray[np.int16]
Costs = NDArray[np.float64]

#: Coefficients after which the search decides at the end of a row.
DECIDE = 2048


@njit(cache=True, nogil=True)
def _backtrack(origin: NDArray[np.uint8], choice: Shorts, state: int, begin: int, end: int, sizes: Shorts) -> int:
    """Read the sizes of a path from position ``end - 1`` down to ``begin``; return the state that it began in."""
    for at in range(end - 1, begin - 1, -1):
        sizes[at - begin] = choice[at, state]
        state = origin[at, state]
    return state


@njit(cache=True, nogil=True)
def _weigh(model: Model, value: float, kind: int, number: int, lmbda: float, branch: Costs, size_of: Shorts) -> None:
    """Fill the least cost, and its size, for each parity of the size, of a quantizer and a class."""
    table, low = (1 + kind) * CLASSES + number, low_of(number)
    floor = min(int(value + 0.5 * kind), LARGEST - 1)
    branch[kind, 0] = branch[kind, 1] = np.inf
    for t in range(4):
        size = 0 if t == 3 else floor + 1 - t
        if t < 3 and size < 1:
            continue
        miss = value - magnitude(model, table, size)
        cost = miss * miss + lmbda * price(model, table, low, size)
        if cost < branch[kind, size & 1]:
            branch[kind, size & 1] = cost
            size_of[kind, size & 1] = size


@njit(cache=True, nogil=True)
def _search_row(
    model: Model,
    scene: Scene,
    setting: Setting,
    cost: NDArray[np.float64],
    origin: NDArray[np.uint8],
    choice: Shorts,
    begin: int,
    n: int,
) -> None:
    """Extend the paths of all states over a row; fills ``cost`` and the positions from ``begin``."""
    states, most, logs, due = setting.states, LOGS - 1, model.logs, 0
    steps, kinds = NEXT[states >> 3], QUANTIZER[states >> 3]
    past, near = np.zeros((2, 8, 4), np.int64), np.zeros((2, 8), np.int64)
    new_cost, branch, size_of = np.empty(8), np.empty((2, 2)), np.zeros((2, 2), np.int16)
    weighed = np.empty(2, np.int64)
    for j in range(n):
        at, old, new = begin + j, j & 1, 1 - (j & 1)
        new_cost[:], weighed[:] = np.inf, -1
        for s in range(states):
            if cost[s] == np.inf:
                continue
            ratio = logs[min(near[old, s] >> 5, most)] - logs[min(due >> 5, most)]
            rest = logs[min(past[old, s, 2] + past[old, s, 3], most)]
            one, two = logs[past[old, s, 0]], logs[past[old, s, 1]]
            number = classify(model, scene.static, j, scene.level[j], one, two, rest, ratio)
            if number != weighed[kinds[s]]:  # states of one quantizer mostly share their class
                _weigh(model, abs(scene.target[j]), kinds[s], number, setting.lmbda, branch, size_of)
                weighed[kinds[s]] = number
            for parity in range(2):
                to, total = steps[s, parity], cost[s] + branch[kinds[s], parity]
                if total < new_cost[to]:
                    new_cost[to] = total
                    origin[at, to], choice[at, to] = s, size_of[kinds[s], parity]
        for s in range(states):
            cost[s] = new_cost[s]
            if cost[s] == np.inf:
                continue
            source, size = origin[at, s], int(choice[at, s])
            past[new, s, 0], past[new, s, 1] = size, past[old, source, 0]
            past[new, s, 2], past[new, s, 3] = past[old, source, 1], past[old, source, 2]
            near[new, s] = near[old, source] + (size << 8) - (near[old, source] * 39 >> 8)
        due += scene.expect[j] - (due * 39 >> 8)


@njit(cache=True, nogil=True)
def search(
    model: Model,
    rows: Rows,
    levels: Integers,
    memory: Floats,
    setting: Setting,
    scene: Scene,
    decoder: Decoder,
    values: Floats,
    output: Output,
) -> None:
    """Choose the sizes of all rows and fill in ``output``; arguments as of :func:`walk`, ``setting.source`` is GIVEN.

    Later rows see the sizes of the best path so far. At the end of a block of the stream form, and whenever
    :data:`DECIDE` coefficients are open, the best path is taken and the rest given up.
    """
    room = DECIDE + levels.shape[1]
    origin, choice = np.zeros((room, 8), np.uint8), np.zeros((room, 8), np.int16)
    line, cost = np.zeros(room, np.int16), np.empty(8)
    column, total = np.zeros_like(scene.column), np.zeros_like(scene.total)
    first, open_count = 0, 0
    for k in range(len(rows.band)):
        if k == first:
            cost[:] = np.inf
            cost[scene.chain[0]] = 0.0
            column[:], total[:] = scene.column, scene.total
        n = open_row(model, rows, levels, setting.step, scene, k)
        for j in range(n):
            scene.target[j] = values[k, j] - predict(rows, scene, memory, k, j)
            output.indices[k, j] = -1 if scene.target[j] < 0 else 1
        _search_row(model, scene, setting, cost, origin, choice, open_count, n)
        best = int(np.argmin(cost[: setting.states]))
        _backtrack(origin, choice, best, open_count, open_count + n, line)
        scene.sizes[k, :n] = line[:n]
        close_row(model, scene, k)
        open_count += n
        if not (rows.ends[k] or open_count >= DECIDE or k + 1 == len(rows.band)):
            continue
        _backtrack(origin, choice, best, 0, open_count, line)
        at = 0
        for row in range(first, k + 1):
            for j in range(scene.counts[row]):
                output.indices[row, j] *= line[at]
                at += 1
        scene.column[:], scene.total[:] = column, total
        walk(model, rows, levels, memory, setting, scene, decoder, values, output, first, k + 1)
        first, open_count = k + 1, 0
