"""A range coder of 32-bit words, compiled; its bytes are those of constriction's range coder.

The arithmetic is that of Martin (1979), *Range encoding*, in the form of ``constriction.stream.queue`` (Bamler 2022): a
64-bit interval, 24-bit probabilities, words of 32 bits. It is compiled here because a decoder needs each coefficient
before it knows the table of the next one.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from emoquant.entropy.coefficients.model import CLASSES, LARGEST, LOW_BITS_FROM, PRECISION, SIZES, Integers, Model, lean

Words = NDArray[np.uint32]

_PRECISION, _WORD = np.uint64(PRECISION), np.uint64(32)
_LEAST, _CARRY = np.uint64(1 << 32), np.uint32(0xFFFFFFFF)


class Decoder(NamedTuple):
    """Hold the state of the range decoder.

    Attributes:
        words: The coded words; zeros are read after their end.
        state: Lower end and width of the interval, and the coded point in it, ``(3,)`` uint64.
        place: Number of words that were read; 1 after an error, else 0, ``(2,)``.
    """

    words: Words
    state: NDArray[np.uint64]
    place: NDArray[np.int64]


def new_decoder(payload: bytes) -> Decoder:
    """Return a decoder for the bytes that :func:`encode` wrote."""
    words = np.frombuffer(payload + bytes(-len(payload) % 4 + 8), ">u4").astype(np.uint32)
    point = int(words[0]) << 32 | int(words[1])
    state = np.array([0, (1 << 64) - 1, point], np.uint64)
    return Decoder(words, state, np.array([2, 0]))


@lean()
def _narrow(decoder: Decoder, left: np.int64, width: np.int64) -> None:
    """Take the interval of a symbol, given by its cumulated frequency and its frequency."""
    state = decoder.state
    scale = state[1] >> _PRECISION
    state[0] += scale * np.uint64(left)
    state[1] = scale * np.uint64(width)
    if state[1] < _LEAST:
        state[0] <<= _WORD
        state[1] <<= _WORD
        at = decoder.place[0]
        word = decoder.words[at] if at < len(decoder.words) else np.uint32(0)
        state[2] = (state[2] << _WORD) | np.uint64(word)
        decoder.place[0] = at + 1


@lean()
def _quantile(decoder: Decoder) -> np.int64:
    state = decoder.state
    found = (state[2] - state[0]) // (state[1] >> _PRECISION)
    if found >= np.uint64(1 << PRECISION):
        decoder.place[1] = 1
        return np.int64(0)
    return np.int64(found)


@lean()
def _read_bits(decoder: Decoder, count: int | np.int64) -> np.int64:
    if count == 0:
        return np.int64(0)
    unit = np.int64(1 << (PRECISION - count))
    found = _quantile(decoder) // unit
    _narrow(decoder, found * unit, unit)
    return found


@lean()
def read_size(decoder: Decoder, model: Model, table: int) -> np.int64:
    """Decode the next size; if no size fits the words, return 0 and note an error in ``decoder.place``."""
    cumulative = model.cumulative[table]
    wanted = _quantile(decoder)
    low, high = np.int64(0), np.int64(SIZES + 1)
    while high - low > 1:
        middle = (low + high) >> 1
        if cumulative[middle] <= wanted:
            low = middle
        else:
            high = middle
    _narrow(decoder, cumulative[low], cumulative[low + 1] - cumulative[low])
    if low == SIZES:
        width = _read_bits(decoder, 4) + 1
        low += ((1 << (width - 1)) | _read_bits(decoder, width - 1)) - 1
    bits = max(0, (table % CLASSES - LOW_BITS_FROM) >> 2)
    size = (low << bits) | _read_bits(decoder, bits)
    if size > LARGEST:
        decoder.place[1] = 1
        return np.int64(0)
    return size


@lean()
def read_sign(decoder: Decoder) -> np.int64:
    """Decode a sign: return whether the coefficient is negative."""
    return _read_bits(decoder, 1)


@lean()
def _put(words: Words, state: NDArray[np.uint64], count: int, left: int, width: int) -> int:
    """Code a symbol and return the words that are written."""
    scale = state[1] >> _PRECISION
    lower = state[0] + scale * np.uint64(left)
    if lower < state[0]:  # carry
        at = count - 1
        while words[at] == _CARRY:
            words[at] = np.uint32(0)
            at -= 1
        words[at] += np.uint32(1)
    state[0], state[1] = lower, scale * np.uint64(width)
    if state[1] < _LEAST:
        words[count] = np.uint32(lower >> _WORD)
        state[0] <<= _WORD
        state[1] <<= _WORD
        return count + 1
    return count


@lean()
def _put_bits(words: Words, state: NDArray[np.uint64], count: int, value: int, bits: int) -> int:
    if bits == 0:
        return count
    unit = 1 << (PRECISION - bits)
    return _put(words, state, count, value * unit, unit)


@njit(cache=True, nogil=True)
def _write(
    model: Model, indices: NDArray[np.int16], tables: NDArray[np.int16], counts: Integers, state: NDArray[np.uint64]
) -> Words:
    words, count = np.empty(5 * counts.sum() + 8, np.uint32), 0
    for k in range(len(counts)):
        for j in range(counts[k]):
            table, value = tables[k, j], np.int64(indices[k, j])
            size, bits = abs(value), max(0, (tables[k, j] % CLASSES - LOW_BITS_FROM) >> 2)
            symbol = min(size >> bits, SIZES)
            left = model.cumulative[table, symbol]
            count = _put(words, state, count, left, model.cumulative[table, symbol + 1] - left)
            if symbol == SIZES:
                rest, width = (size >> bits) - SIZES + 1, 0
                while rest >> width:
                    width += 1
                count = _put_bits(words, state, count, width - 1, 4)
                count = _put_bits(words, state, count, rest - (1 << (width - 1)), width - 1)
            count = _put_bits(words, state, count, size & ((1 << bits) - 1), bits)
            if size:
                count = _put_bits(words, state, count, int(value < 0), 1)
    return words[:count]


def encode(model: Model, indices: NDArray[np.int16], tables: NDArray[np.int16], counts: Integers) -> bytes:
    """Encode indices to the shortest bytes that decode to them if zeros are read after their end.

    Args:
        model: The tables.
        indices: Indices of the rows, ``(R, N)``.
        tables: Table of each index, ``(R, N)``.
        counts: Coded coefficients of each row, ``(R,)``.
    """
    state = np.array([0, (1 << 64) - 1], np.uint64)
    words = _write(model, indices, tables, counts, state)
    low, high = int(state[0]), int(state[0]) + int(state[1])
    for count in range(9):
        unit = 1 << (64 - 8 * count)
        point = -(-low // unit) * unit
        if point < high:
            break
    whole = int.from_bytes(words.astype(">u4").tobytes(), "big") << 64
    size = 4 * len(words) + 8
    return (whole + point).to_bytes(size, "big")[: 4 * len(words) + count].rstrip(b"\0")
