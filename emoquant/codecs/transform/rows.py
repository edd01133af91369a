"""The division of an utterance into blocks, and of its coefficients into rows, for whole utterances and for streams."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emoquant.entropy.coefficients.contexts import FIRST_MEAN, NEXT_MEAN, ORDINARY, TIME_MEAN, Rows
from emoquant.entropy.coefficients.model import log_units

Form = Literal["whole", "stream"]
Index = NDArray[np.int64]

#: Frames of a block in each form, nearly (whole) or exactly but for the last (stream).
BLOCK: dict[Form, int] = {"whole": 16, "stream": 8}
#: Longest stretch whose blocks' means are transformed together; longer utterances are cut into equal stretches.
STRETCH = 4096
#: Upper ends of the frequency bands in 2^-20 cycles a frame; band 0 is the time mean alone.
EDGES = np.rint(np.geomspace(0.006, 0.5, 9) * 2**20).astype(np.int64)
BANDS = 1 + len(EDGES)
#: Rows of the table of deviations: the bands, then the first and the other means of the stream form.
LEVELS = BANDS + 2


class Plan(NamedTuple):
    """Hold the blocks and rows of utterances of one length.

    Attributes:
        starts: First frame of each block, and the end of the last, ``(blocks + 1,)``.
        stretches: First block of each stretch of blocks, and the end of the last.
        order: For each row its index among the coefficients, which are ordered by block and frequency, ``(T,)``.
        blocks: For each row its block, ``(T,)``; -1 for the blocks' means in the whole form.
        rows: Description of each row for the coder.
    """

    starts: Index
    stretches: Index
    order: Index
    blocks: Index
    rows: Rows


def band_of(numerator: Index, denominator: Index) -> Index:
    """Return the number of the band (from 1) of frequencies ``numerator / denominator`` in cycles a frame."""
    return np.asarray(1 + (numerator[:, None] << 20 > EDGES[:-1] * denominator[:, None]).sum(1))


def _pitch(numerator: Index, denominator: Index) -> Index:
    """Return the logarithm of twice a frequency."""
    return np.array([log_units(int(n)) - log_units(int(d)) for n, d in zip(numerator, denominator, strict=True)])


def _division(frames: int, parts: int) -> Index:
    return np.asarray((2 * frames * np.arange(parts + 1) + parts) // (2 * parts))


@lru_cache(maxsize=512)
def plan(frames: int, form: Form) -> Plan:
    """Return the blocks and rows of an utterance of a given length.

    Args:
        frames: Frames ``T``, at least 1.
        form: ``"whole"``: means first, transformed over the utterance, then frequency by frequency over all blocks;
            ``"stream"``: block by block, each mean predicted from those before.
    """
    return _whole(frames) if form == "whole" else _stream(frames)


class _Lines(NamedTuple):
    """Rows while they are listed: for each, its place among the frames and what the coder must know."""

    order: list[int]
    block: list[int]
    band: list[int]
    offset: list[int]
    before: list[int]
    below: list[int]
    pitch: list[int]
    role: list[int]


def _whole(frames: int) -> Plan:
    stretches, starts, first_blocks = _division(frames, -(-frames // STRETCH)), [0], [0]
    lines = _Lines(*([] for _ in _Lines._fields))
    for begin, end in zip(stretches[:-1].tolist(), stretches[1:].tolist(), strict=True):
        length = end - begin
        ends = _division(length, max(1, (length + BLOCK["whole"] // 2) // BLOCK["whole"]))
        _add_means(lines, begin + ends[:-1], length)
        _add_blocks(lines, begin + ends, first_blocks[-1])
        starts += (begin + ends[1:]).tolist()
        first_blocks.append(len(starts) - 1)
    gain, never = np.zeros(frames, np.float32), np.zeros(frames, np.int32)
    never[-1] = 1
    return _finish(lines, np.array(starts), np.array(first_blocks), gain, never)


def _add(lines: _Lines, row: tuple[int, ...]) -> None:
    for column, value in zip(lines, row, strict=True):
        column.append(value)


def _add_means(lines: _Lines, places: Index, length: int) -> None:
    """List the rows of the means of a stretch."""
    count, first = len(places), len(lines.order)
    numbers = np.arange(count)
    bands, pitches = band_of(numbers, np.full(count, 2 * length)), -np.ones(count, np.int64)
    bands[0] = 0
    pitches[1:] = _pitch(numbers[1:], np.full(count - 1, length))
    pitches[0] = -56 - log_units(length)
    for k, place in enumerate(places.tolist()):
        offset, role = (0, ORDINARY) if k else (log_units(length) // 2, TIME_MEAN)
        before, below = first + k - 1 if k else -1, first + k - 2 if k > 1 else -1
        _add(lines, (place, -1, int(bands[k]), offset, before, below, int(pitches[k]), role))


def _add_blocks(lines: _Lines, starts: Index, first_block: int) -> None:
    """List the other rows of a stretch, frequency by frequency."""
    lengths, found = np.diff(starts), {}
    for r in range(1, int(lengths.max())):
        blocks = np.flatnonzero(lengths > r)
        bands = band_of(np.full(len(blocks), r), 2 * lengths[blocks])
        pitches = _pitch(np.full(len(blocks), r), lengths[blocks])
        for place, i in enumerate(blocks.tolist()):
            found[r, i] = len(lines.order)
            before, below = found.get((r, i - 1), -1), found.get((r - 1, i), -1)
            place_of_row = int(starts[i]) + r
            row = (place_of_row, first_block + i, int(bands[place]), 0, before, below, int(pitches[place]), ORDINARY)
            _add(lines, row)


def _stream(frames: int) -> Plan:
    size = BLOCK["stream"]
    starts = np.minimum(np.arange(-(-frames // size) + 1) * size, frames)
    lines = _Lines(*([] for _ in _Lines._fields))
    gain, ends = np.zeros(frames, np.float32), np.zeros(frames, np.int32)
    for i, (begin, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        length = end - begin
        numbers = np.arange(1, length)
        bands = [BANDS if i == 0 else BANDS + 1, *band_of(numbers, np.full(length - 1, 2 * length)).tolist()]
        pitches = [log_units(1) - log_units(4 * size), *_pitch(numbers, np.full(length - 1, length)).tolist()]
        gain[begin], ends[end - 1] = np.sqrt(length / size) if i else 0, 1
        for r in range(length):
            offset = (log_units(length) - log_units(size)) // 2 if r == 0 else 0
            before, below = begin + r - size if i else -1, begin + r - 1 if r > 1 else -1
            role = ORDINARY if r else NEXT_MEAN if i else FIRST_MEAN
            _add(lines, (begin + r, i, bands[r], offset, before, below, pitches[r], role))
    return _finish(lines, starts, np.array([0, len(starts) - 1]), gain, ends)


def _finish(lines: _Lines, starts: Index, stretches: Index, gain: np.ndarray, ends: np.ndarray) -> Plan:
    band, offset, before, below, pitch, role = (np.array(each, np.int32) for each in lines[2:])
    rows = Rows(band, offset, before, below, pitch, role, gain, ends)
    return Plan(starts, stretches, np.array(lines.order), np.array(lines.block), rows)
