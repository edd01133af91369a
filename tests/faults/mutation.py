"""Mutated bytes for fuzzing parsers, the same for a seed."""

import random
from collections.abc import Iterator, Sequence

#: Pieces that parsers of text and of binary headers stumble over.
PIECES = [
    b"\0", b"\xff", b"\x80", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"-1", b"nan", b"inf", b"1e999",
    b"99999999999999999999", b'"', b"'", b",", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b":", b"../", b"/", b"\\", b"%s",
    b"\xef\xbb\xbf", "é語".encode(), b"null", b"true", b"!!python/object:os.system", b"&a", b"*a", b"0" * 40,
]  # fmt: skip


def mutated(seeds: Sequence[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield inputs that differ from sound ones by one to a few edits."""
    draw = random.Random(seed)
    for _ in range(count):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
            data = _edit(data, seeds, draw)
        yield bytes(data)


def _edit(data: bytearray, seeds: Sequence[bytes], draw: random.Random) -> bytearray:
    kind = draw.randrange(8)
    at = draw.randrange(len(data) + 1)
    # Headers decide more than what follows.
    at = draw.randrange(min(len(data), 64) + 1) if draw.random() < 0.5 else at
    size = draw.choice((1, 1, 2, 4, 16, 200))
    if kind == 0 and data:
        at = min(at, len(data) - 1)
        data[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        data[at : at + size] = bytes(draw.randrange(256) for _ in range(size))
    elif kind == 2:
        del data[at : at + size]
    elif kind == 3:
        data[at:at] = draw.choice(PIECES)
    elif kind == 4:
        piece = draw.choice(PIECES)
        data[at : at + len(piece)] = piece
    elif kind == 5:
        data = data[:at]
    elif kind == 6:
        data[at:at] = data[at : at + size]
    else:
        other = draw.choice(seeds)
        begin = draw.randrange(len(other) + 1)
        data[at : at + size] = other[begin : begin + size]
    return data
