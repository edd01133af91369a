"""Indices of an utterance from its coefficients and back: steps, searches and bytes."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from emoquant.codecs.transform.rows import Form, plan
from emoquant.entropy.coding import BitstreamError
from emoquant.entropy.coefficients import range_coder, walk
from emoquant.entropy.coefficients.contexts import Rows, Scene, count_coded, new_scene
from emoquant.entropy.coefficients.model import CENTROIDS, OCTAVE, PRECISION, SIZES, Floats, Integers, Model
from emoquant.entropy.coefficients.trellis import new_room, search
from emoquant.entropy.coefficients.walk import DECODED, GIVEN, GREEDY, ROUNDED, Output, Setting, new_output

Job = TypeVar("Job")
Result = TypeVar("Result")

#: Squared step over lambda, for the scalar quantizer and for dependent quantization.
SCALAR_RATIO, DEPENDENT_RATIO = 7.0, 10.0

#: Bits of an utterance below which the last byte is worth a choice, and the factors of lambda that are tried.
FEW_BITS, LMBDA_FACTORS = 512, tuple(np.geomspace(0.4, 2.5, 12).tolist())
#: Changes that are tried in a round.
MOST_CHANGES = 4


class Tables(NamedTuple):
    """Hold the tables and settings that encoder and decoder share.

    Attributes:
        model: Tables of the entropy coder.
        levels: Logarithms of the deviations, ``(bands, D)``.
        memory: Weights of earlier means in a prediction, ``(2, D)``.
        form: Form of the utterances.
        states: 1 for the scalar quantizer, 4 or 8 states of dependent quantization.
    """

    model: Model
    levels: Integers
    memory: Floats
    form: Form
    states: int


def step_level(lmbda: float, states: int) -> int:
    """Return the logarithm of the step that belongs to a lambda, in 1/32 octaves.

    ``step^2 = c lmbda`` with ``c`` of :data:`SCALAR_RATIO` or :data:`DEPENDENT_RATIO`, rounded to 1/32 octave. The
    logarithm of a lambda that a file holds (8 significant bits) is never so near to the middle between two integers
    that rounding could differ between machines.

    Args:
        lmbda: In squared feature units per bit, above 0.
        states: As of :class:`Tables`.
    """
    return round(OCTAVE / 2 * math.log2((SCALAR_RATIO if states == 1 else DEPENDENT_RATIO) * lmbda))


def step_size(level: int) -> float:
    """Return the step of a logarithm."""
    return float(2.0 ** (level / OCTAVE))


def quantize(
    tables: Tables, coefficients: Floats, level: int, lmbda: float, rounded: bool = False, record: bool = False
) -> Output:
    """Choose the indices of an utterance.

    Args:
        tables: What encoder and decoder share.
        coefficients: Coefficients ``(T, D)``.
        level: Logarithm of the step.
        lmbda: Lambda of the search, in squared feature units per bit.
        rounded: Whether coefficients are rounded instead of searched.
        record: Whether context features are kept.
    """
    step = step_size(level)
    values = coefficients / np.float32(step)
    scene, output = _start(tables, level, len(values), record)
    rows = plan(len(values), tables.form).rows
    scaled = lmbda / step**2
    if tables.states == 1 or rounded:
        setting = Setting(level, tables.states, ROUNDED if rounded else GREEDY, scaled)
        _pass(tables, rows, setting, scene, _NO_DECODER, values, output)
    else:
        setting = Setting(level, tables.states, GIVEN, scaled)
        room = new_room(tables.levels.shape[1])
        search(tables.model, rows, tables.levels, tables.memory, setting, scene, _NO_DECODER, values, output, room)
        if record:
            return replay(tables, output.indices, level, values)
    return output


def choose(tables: Tables, coefficients: Floats, level: int, lmbda: float) -> Output:
    """Choose the indices of an utterance, for few bits with regard to its whole number of bytes.

    An utterance is coded in whole bytes, which matters if there are few. So for an utterance in the whole form below
    :data:`FEW_BITS` the least sum of squared error and lambda times the bits of its bytes is searched for: among the
    results of several lambdas with the same step (dependent quantization), or by changing one index after the other
    (scalar quantizer). Arguments as of :func:`quantize`.
    """
    counts = coded_counts(tables, len(coefficients), level)
    few = max(1, int(counts.max()))  # columns of which none is coded are left out of the search
    levels, memory = np.ascontiguousarray(tables.levels[:, :few]), np.ascontiguousarray(tables.memory[:, :few])
    narrow, coded = tables._replace(levels=levels, memory=memory), np.ascontiguousarray(coefficients[:, :few])
    best = quantize(narrow, coded, level, lmbda)
    if tables.form == "whole" and 0 < best.bits.sum() < FEW_BITS:
        fill = _change_indices if tables.states == 1 else _try_lambdas
        best = fill(narrow, coded, level, lmbda, best)
    found = new_output(*coefficients.shape)
    found.indices[:, :few], found.tables[:, :few], found.decoded[:, :few] = best.indices, best.tables, best.decoded
    return found._replace(bits=best.bits)


def _try_lambdas(tables: Tables, coefficients: Floats, level: int, lmbda: float, best: Output) -> Output:
    """Return the best of a search result and those at other lambdas."""
    tried, least = [best.indices], _cost(tables, coefficients, level, lmbda, best)
    for factor in LMBDA_FACTORS:
        found = quantize(tables, coefficients, level, lmbda * factor)
        if any(np.array_equal(found.indices, each) for each in tried):
            continue
        tried.append(found.indices)
        cost = _cost(tables, coefficients, level, lmbda, found)
        if cost < least:
            best, least = found, cost
    return best


def _change_indices(tables: Tables, coefficients: Floats, level: int, lmbda: float, best: Output) -> Output:
    """Return a result of the scalar quantizer after the changes of an index by one that lower the cost.

    In each round the :data:`MOST_CHANGES` changes are tried that promise most if contexts stayed as they are; the best
    one is taken.
    """
    aim, least, tried = coefficients / step_size(level), _cost(tables, coefficients, level, lmbda, best), None
    while best is not tried:
        tried = best
        promised = _promised(tables, aim, level, lmbda / step_size(level) ** 2, tried)
        for at in np.argsort(promised, axis=None)[:MOST_CHANGES]:
            change, row, column = np.unravel_index(at, promised.shape)
            indices = tried.indices.copy()
            sign = np.sign(indices[row, column] or aim[row, column])
            indices[row, column] += np.int16(sign * (1 - 2 * change))
            found = replay(tables, indices, level)
            cost = _cost(tables, coefficients, level, lmbda, found)
            if cost < least:
                best, least = found, cost
    return best


def _promised(tables: Tables, aim: Floats, level: int, lmbda: float, output: Output) -> NDArray[np.float64]:
    """Return about what larger and smaller sizes would add to squared error plus lambda times bits, ``(2, T, D)``.

    It ranks changes, of which each is then measured by :func:`_cost`. Left out are the low bits of large sizes, and
    that a change gives other coefficients other contexts.
    """
    model, sizes = tables.model, np.abs(output.indices)

    def cost(size: NDArray[np.int16]) -> NDArray[np.float64]:
        known = np.clip(size, 0, SIZES)
        bits = model.prices[output.tables, known] + (size > 0)
        value = size + model.offsets[output.tables, np.clip(size, 0, CENTROIDS - 1)]
        found = np.square(np.where(aim * output.indices < 0, -1, 1) * np.abs(aim) - value) + lmbda * bits
        return np.where(size < 0, np.inf, found)

    coded = np.arange(aim.shape[1]) < coded_counts(tables, len(aim), level)[:, None]
    return np.where(coded, np.stack([cost(sizes + 1), cost(sizes - 1)]) - cost(sizes), np.inf)


def _cost(tables: Tables, coefficients: Floats, level: int, lmbda: float, output: Output) -> float:
    error = np.square(output.decoded * step_size(level) - coefficients.astype(np.float64)).sum()
    counts = coded_counts(tables, len(coefficients), level)
    payload = range_coder.encode(tables.model, output.indices, output.tables, counts)
    return float(error) + lmbda * 8 * len(payload)


def replay(tables: Tables, indices: NDArray[np.int16], level: int, values: Floats | None = None) -> Output:
    """Return reconstruction and bits of given indices ``(T, D)``; with the coefficients also context features."""
    scene, output = _start(tables, level, len(indices), values is not None, indices)
    rows = plan(len(indices), tables.form).rows
    setting = Setting(level, tables.states, GIVEN, 0.0)
    _pass(tables, rows, setting, scene, _NO_DECODER, _nothing(indices) if values is None else values, output)
    return output


def coded_counts(tables: Tables, frames: int, level: int) -> Integers:
    """Return how many leading coefficients of each row are coded, ``(T,)``."""
    return count_coded(plan(frames, tables.form).rows, tables.levels, level)


def encode(tables: Tables, indices: NDArray[np.int16], level: int) -> bytes:
    """Return the coded bytes of indices ``(T, D)``."""
    counts = coded_counts(tables, len(indices), level)
    return range_coder.encode(tables.model, indices, replay(tables, indices, level).tables, counts)


def decode(tables: Tables, payload: bytes, frames: int, level: int) -> Output:
    """Return the indices of coded bytes and what they are decoded to.

    Raises:
        BitstreamError: The bytes are damaged.
    """
    scene, output = _start(tables, level, frames, False)
    most = PRECISION * 4 * int(scene.counts.sum()) + 64
    if 8 * len(payload) > most:
        raise BitstreamError(f"damaged: {len(payload)} coded bytes are more than {frames} frames can take")
    decoder, setting = range_coder.new_decoder(payload), Setting(level, tables.states, DECODED, 0.0)
    _pass(tables, plan(frames, tables.form).rows, setting, scene, decoder, _nothing(output.indices), output)
    if decoder.place[1]:
        raise BitstreamError("damaged: no index fits the coded bytes")
    return output


def in_parallel(run: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    """Run jobs that release Python's lock, on as many threads as torch uses, and return their results in order."""
    threads = min(torch.get_num_threads(), len(jobs))
    if threads < 2:
        return [run(job) for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, jobs))


_NO_DECODER = range_coder.new_decoder(b"")


def _nothing(indices: NDArray[np.int16]) -> Floats:
    return np.zeros((0, indices.shape[1]), np.float32)


def _start(
    tables: Tables, level: int, frames: int, record: bool, indices: NDArray[np.int16] | None = None
) -> tuple[Scene, Output]:
    counts = coded_counts(tables, frames, level)
    components = tables.levels.shape[1]
    return new_scene(counts, components), new_output(frames, components, int(counts.sum()) if record else 0, indices)


def _pass(
    tables: Tables,
    rows: Rows,
    setting: Setting,
    scene: Scene,
    decoder: range_coder.Decoder,
    values: Floats,
    output: Output,
) -> None:
    walk.walk(
        tables.model, rows, tables.levels, tables.memory, setting, scene, decoder, values, output, 0, len(rows.band)
    )
