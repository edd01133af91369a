"""Search of dependent quantization: the Viterbi algorithm over the rows of an utterance.

Dependent quantization switches between two scalar quantizers by the parity of the sizes coded so far (Schwarz et al.
2019, *Hybrid video coding with trellis-coded quantization*; Marcellin and Fischer 1990). A path through its 4 or 8
states is a choice of all sizes; the path of least squared error plus lambda times bits is kept for each state.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emoquant.entropy.coefficients.contexts import Rows, Scene, classify, close_row, low_of, magnitude, open_row, price
from emoquant.entropy.coefficients.model import CLASSES, LARGEST, LOGS, Floats, Integers, Longs, Model, lean
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


@lean()
def _backtrack(origin: NDArray[np.uint8], choice: Shorts, state: int, begin: int, end: int, sizes: Shorts) -> int:
    """Read the sizes of a path from position ``end - 1`` down to ``begin``; return the state that it began in."""
    for at in range(end - 1, begin - 1, -1):
        sizes[at - begin] = choice[at, state]
        state = origin[at, state]
    return state


def _sources() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for 4 and for 8 states, the two states before each and the parity that leads from each of them to it."""
    states, parities = np.zeros((2, 8, 2), np.int64), np.zeros((2, 8, 2), np.int64)
    for which, count in enumerate((4, 8)):
        for to in range(count):
            found = np.argwhere(NEXT[which, :count] == to)
            states[which, to], parities[which, to] = found[:, 0], found[:, 1]
    return states, parities


SOURCE, PARITY = _sources()


class Paths(NamedTuple):
    """Hold the best path to each state of the trellis, for the Viterbi algorithm over coefficients.

    Attributes:
        cost: Squared error plus lambda times bits of the best path to each state, ``(8,)``; infinite without a path.
        origin: Previous state on the best path, for each coefficient and state after it, ``(positions, 8)``.
        choice: Size of the coefficient on that path, likewise.
        new_cost: Costs after the current coefficient, ``(8,)``.
        recent: Features of each path, ``(2, 8, 5)``: the last size, the one before it, the sum of the two before
            those, and a decaying sum of sizes; for the current coefficient and for the next, alternating.
    """

    cost: Costs
    origin: NDArray[np.uint8]
    choice: Shorts
    new_cost: Costs
    recent: Longs


class Weights(NamedTuple):
    """Cache the best size of each parity for every table, for the current coefficient, and hold working memory.

    Attributes:
        serial: Number of the coefficient that each table's entry was computed for, ``(2 * CLASSES,)``.
        cost: Least squared error plus lambda times bits over the sizes of each parity, ``(2 * CLASSES, 2)``.
        size: The size with that cost, likewise.
        chosen: Index of the entry that each state uses, ``(8,)``.
        line: Working memory for the sizes of a path, ``(positions,)``.
        column: Copy of :attr:`Scene.column` at the first undecided row.
        total: Copy of :attr:`Scene.total` there.
    """

    serial: Longs
    cost: Costs
    size: Shorts
    chosen: Longs
    line: Shorts
    column: Longs
    total: Longs


def new_room(components: int) -> tuple[Paths, Weights]:
    """Allocate the working memory of a search over rows of ``components`` coefficients."""
    positions, tables = DECIDE + components, 2 * CLASSES
    paths = Paths(
        np.zeros(8),
        np.zeros((positions, 8), np.uint8),
        np.zeros((positions, 8), np.int16),
        np.zeros(8),
        np.zeros((2, 8, 5), np.int64),
    )
    weights = Weights(
        np.zeros(tables, np.int64),
        np.zeros((tables, 2)),
        np.zeros((tables, 2), np.int16),
        np.zeros(8, np.int64),
        np.zeros(positions, np.int16),
        np.zeros((2, components), np.int64),
        np.zeros(2, np.int64),
    )
    return paths, weights


@lean()
def _weigh(model: Model, value: float, kind: int, number: int, lmbda: float, weights: Weights) -> None:
    """Fill in the least cost, and its size, for each parity of the size, of a quantizer and a class."""
    table, low, place = (1 + kind) * CLASSES + number, low_of(number), kind * CLASSES + number
    floor = min(int(value + 0.5 * kind), LARGEST - 1)
    even, odd = np.inf, np.inf
    for t in range(4):
        size = 0 if t == 3 else floor + 1 - t
        if t < 3 and size < 1:
            continue
        miss = value - magnitude(model, table, size)
        error, least = miss * miss, odd if size & 1 else even
        if error >= least:
            continue
        cost = float(error + lmbda * price(model, table, low, size))
        if cost < least and size & 1:
            odd, weights.size[place, 1] = cost, size
        elif cost < least:
            even, weights.size[place, 0] = cost, size
    weights.cost[place, 0], weights.cost[place, 1] = even, odd


@lean()
def _weigh_states(
    model: Model, scene: Scene, setting: Setting, paths: Paths, weights: Weights, j: int, due: int, serial: int
) -> None:
    """Find the class of a coefficient on each path, and what its sizes cost."""
    logs, most, kinds = model.logs, LOGS - 1, QUANTIZER[setting.states >> 3]
    recent, old = paths.recent, j & 1
    value, expected = abs(scene.target[j]), logs[min(due >> 5, most)]
    for s in range(setting.states):
        if paths.cost[s] == np.inf:
            weights.chosen[s] = 0
            continue
        ratio = logs[min(recent[old, s, 4] >> 5, most)] - expected
        rest = logs[min(recent[old, s, 2] + recent[old, s, 3], most)]
        one, two = logs[recent[old, s, 0]], logs[recent[old, s, 1]]
        number = classify(model, scene.static, j, scene.level[j], one, two, rest, ratio)
        place = kinds[s] * CLASSES + number
        weights.chosen[s] = place
        if weights.serial[place] != serial:
            weights.serial[place] = serial
            _weigh(model, value, kinds[s], number, setting.lmbda, weights)


@lean()
def _extend(states: int, paths: Paths, weights: Weights, at: int, old: int) -> None:
    """Extend the paths by a coefficient: the better one of the two that lead to each state."""
    recent, chosen, which = paths.recent, weights.chosen, states >> 3
    for to in range(states):
        a, b, p, q = SOURCE[which, to, 0], SOURCE[which, to, 1], PARITY[which, to, 0], PARITY[which, to, 1]
        one, two = paths.cost[a] + weights.cost[chosen[a], p], paths.cost[b] + weights.cost[chosen[b], q]
        source, parity = (b, q) if two < one else (a, p)
        size = np.int64(weights.size[chosen[source], parity])
        paths.new_cost[to] = min(one, two)
        paths.origin[at, to], paths.choice[at, to] = source, size
        recent[1 - old, to, 0], recent[1 - old, to, 1] = size, recent[old, source, 0]
        recent[1 - old, to, 2], recent[1 - old, to, 3] = recent[old, source, 1], recent[old, source, 2]
        recent[1 - old, to, 4] = recent[old, source, 4] + (size << 8) - (recent[old, source, 4] * 39 >> 8)
    for to in range(states):
        paths.cost[to] = paths.new_cost[to]


@lean()
def _search_row(
    model: Model, scene: Scene, setting: Setting, paths: Paths, weights: Weights, begin: int, n: int
) -> None:
    """Extend the paths of all states over a row; fills ``paths`` from position ``begin`` on."""
    states, due = setting.states, 0
    paths.recent[:] = 0
    weights.serial[:] = 0
    for j in range(n):
        _weigh_states(model, scene, setting, paths, weights, j, due, begin + j + 1)
        _extend(states, paths, weights, begin + j, j & 1)
        due += scene.expect[j] - (due * 39 >> 8)


@lean()
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
    room: tuple[Paths, Weights],
) -> None:
    """Choose the sizes of all rows by the Viterbi algorithm and fill in ``output``.

    Contexts of later rows use the sizes of the best path so far. At the end of a block of the stream form, and as soon
    as :data:`DECIDE` coefficients are undecided, the sizes of the best path are fixed and all other paths are dropped.
    Arguments are those of :func:`walk`, with ``setting.source`` GIVEN and ``room`` from :func:`new_room`.
    """
    paths, weights = room
    line, first, open_count = weights.line, 0, 0
    for k in range(len(rows.band)):
        if k == first:
            paths.cost[:] = np.inf
            paths.cost[scene.chain[0]] = 0.0
            _keep_sums(scene.column, scene.total, weights.column, weights.total)
        n = open_row(model, rows, levels, setting.step, scene, k)
        for j in range(n):
            scene.target[j] = values[k, j] - predict(rows, scene, memory, k, j)
            output.indices[k, j] = -1 if scene.target[j] < 0 else 1
        _search_row(model, scene, setting, paths, weights, open_count, n)
        best = 0
        for s in range(setting.states):
            best = s if paths.cost[s] < paths.cost[best] else best
        _backtrack(paths.origin, paths.choice, best, open_count, open_count + n, line)
        for j in range(n):
            scene.sizes[k, j] = line[j]
        close_row(model, scene, k)
        open_count += n
        if not (rows.ends[k] or open_count >= DECIDE or k + 1 == len(rows.band)):
            continue
        _backtrack(paths.origin, paths.choice, best, 0, open_count, line)
        _take_path(scene, output, line, first, k + 1)
        _keep_sums(weights.column, weights.total, scene.column, scene.total)
        walk(model, rows, levels, memory, setting, scene, decoder, values, output, first, k + 1)
        first, open_count = k + 1, 0


@lean()
def _keep_sums(column: Longs, total: Longs, kept_column: Longs, kept_total: Longs) -> None:
    for i in range(2):
        kept_total[i] = total[i]
        for j in range(column.shape[1]):
            kept_column[i, j] = column[i, j]


@lean()
def _take_path(scene: Scene, output: Output, line: Shorts, first: int, last: int) -> None:
    """Multiply the signs of rows by the sizes of a path."""
    at = 0
    for row in range(first, last):
        for j in range(scene.counts[row]):
            output.indices[row, j] *= line[at]
            at += 1
