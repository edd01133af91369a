"""The ``.emq`` byte format: one coded utterance with everything a decoder must check.

| bytes | content |
|---|---|
| 3 | ``b"EMQ"`` |
| 1 | version of the format, 1 |
| 4 | CRC-32 of everything after it, little-endian |
| 4 | fingerprint of the codec |
| 4 | lambda, float32 little-endian |
| 1-4 | number of frames, 7 bits a byte, low bits first, the high bit says that another byte follows |
| rest | range-coded codes |

The header costs :func:`header_bytes` (18 for 128 to 16,383 frames). It is no part of a rate in bits/frame, which counts
the coded codes with their termination; a file's size counts both.
"""

import math
import struct
import zlib
from typing import NamedTuple

from emoquant.entropy.coding import BitstreamError

MAGIC = b"EMQ"
VERSION = 1
FINGERPRINT_BYTES = 4
#: Largest number of frames that the format can hold.
MOST_FRAMES = (1 << 28) - 1
_FIXED = struct.Struct("<3sBI4sf")

__all__ = ["BitstreamError", "Packet", "header_bytes", "pack", "parse"]


class Packet(NamedTuple):
    """One coded utterance.

    Attributes:
        fingerprint: Which codec wrote it, 4 bytes.
        lmbda: Lambda of the search, in squared feature units per bit; exactly a float32.
        frames: Frames ``T``, at least 1.
        payload: Range-coded codes.
    """

    fingerprint: bytes
    lmbda: float
    frames: int
    payload: bytes


def header_bytes(frames: int) -> int:
    """Return the bytes that the format adds to the coded codes of an utterance.

    Example:
        >>> [header_bytes(frames) for frames in (100, 150, 100_000)]
        [17, 18, 19]
    """
    return _FIXED.size + len(_varint(frames))


def pack(packet: Packet) -> bytes:
    """Return the bytes of a packet.

    Raises:
        ValueError: A field is out of range.

    Example:
        >>> parse(pack(Packet(b"abcd", 5.0, 150, b"coded"))).frames
        150
    """
    if len(packet.fingerprint) != FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint has {FINGERPRINT_BYTES} bytes, got {len(packet.fingerprint)}")
    if not 1 <= packet.frames <= MOST_FRAMES:
        raise ValueError(f"frames must lie in [1, {MOST_FRAMES}], got {packet.frames}")
    if not (math.isfinite(packet.lmbda) and packet.lmbda >= 0):
        raise ValueError(f"lmbda must be finite and not negative, got {packet.lmbda}")
    checked = packet.fingerprint + struct.pack("<f", packet.lmbda) + _varint(packet.frames) + packet.payload
    return MAGIC + bytes([VERSION]) + struct.pack("<I", zlib.crc32(checked)) + checked


def parse(data: bytes | bytearray | memoryview) -> Packet:
    """Return the packet that bytes hold, after every check that needs no codec.

    Nothing is allocated by a length that the bytes claim.

    Args:
        data: Content of an ``.emq`` file.

    Raises:
        BitstreamError: The bytes are no ``.emq`` file, of a newer version, truncated or damaged; never anything else.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise BitstreamError(f"expected the bytes of an .emq file, got {type(data).__name__}; open the file as binary")
    data = bytes(data)
    if len(data) < len(MAGIC) or not data.startswith(MAGIC):
        raise BitstreamError(
            f"no .emq data: it must begin with {MAGIC!r}, got {data[:3]!r}; is this a file that compress wrote?"
        )
    if len(data) > len(MAGIC) and data[3] != VERSION:
        raise BitstreamError(
            f"version {data[3]} of the .emq format is unknown here (known: {VERSION}); update emoquant"
        )
    if len(data) <= _FIXED.size:
        raise BitstreamError(f"truncated: {len(data)} bytes are less than a header; copy the file again")
    _, _, checksum, fingerprint, lmbda = _FIXED.unpack_from(data)
    if zlib.crc32(data[8:]) != checksum:
        raise BitstreamError("truncated or damaged: the checksum does not match; copy or compress the file again")
    frames, first = _read_varint(data, _FIXED.size)
    if not (math.isfinite(lmbda) and lmbda >= 0):
        raise BitstreamError(f"damaged: lambda is {lmbda}; expected a finite number that is not negative")
    if frames < 1:
        raise BitstreamError("damaged: an utterance has at least one frame")
    return Packet(fingerprint, lmbda, frames, data[first:])


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _read_varint(data: bytes, first: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(data[first : first + 4]):
        number |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return number, first + place + 1
    raise BitstreamError("damaged: the number of frames does not end; expected at most 4 bytes")
