"""The ``.emq`` byte format: one coded utterance with a header for checks.

| bytes | content |
|---|---|
| 2 | 1 bit that is 1, 1 bit for the version (0), 14 bits for lambda (:func:`lmbda_code`), big-endian |
| 1-4 | number of frames, 7 bits a byte, low bits first, the high bit says that another byte follows |
| 2 | CRC-16 of everything before and after it, combined (exclusive or) with 2 bytes of the codec's fingerprint |
| rest | range-coded codes |

The header costs :func:`header_bytes` (6 for 128 to 16,383 frames). It is no part of a rate in bits/frame, which counts
the coded codes with their termination; a file's size counts both. Files of the first version, which begin with ``EMQ``,
a byte 1, CRC-32, fingerprint, and lambda as float32, are still read. Many utterances have one file, too
(:mod:`emoquant.codecs.archive`).
"""

import binascii
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from emoquant.entropy.coding import BitstreamError

MAGIC = b"EMQ"
VERSION, ARCHIVE_VERSION = 1, 2
FINGERPRINT_BYTES = 4
#: Largest number of frames that the format can hold.
MOST_FRAMES = (1 << 28) - 1
_FIXED = struct.Struct("<3sBI4sf")
_MANTISSA, _EXPONENT = 7, 64

__all__ = ["BitstreamError", "Packet", "header_bytes", "named", "pack", "parse", "stored_lmbda"]


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Name the file in the message of a :class:`BitstreamError`."""
    try:
        yield
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from error


class Packet(NamedTuple):
    """Hold one coded utterance.

    Attributes:
        fingerprint: Fingerprint of the codec that wrote it, 4 bytes; of a parsed file the first 2. Damage changes it.
        lmbda: Lambda of the search, in squared feature units per bit, as :func:`stored_lmbda` gives it.
        frames: Frames ``T``, at least 1.
        payload: Range-coded codes.
    """

    fingerprint: bytes
    lmbda: float
    frames: int
    payload: bytes


def stored_lmbda(lmbda: float) -> float:
    """Return a lambda as it is stored in ``.emq`` bytes: rounded to 8 significant bits (0.4 %), 0 below 2^-64.

    Raises:
        ValueError: It is not finite, negative, or not below 2^64.

    Example:
        >>> stored_lmbda(5.0), stored_lmbda(0.3)
        (5.0, 0.30078125)
    """
    return lmbda_of(lmbda_code(lmbda))


def lmbda_code(lmbda: float) -> int:
    """Return the 14 bits of a lambda: 7 of its exponent, 7 of its mantissa; 0 for 0. Errors as :func:`stored_lmbda`."""
    if not (math.isfinite(lmbda) and 0 <= lmbda < 2.0**_EXPONENT):
        raise ValueError(f"lmbda must be finite and at least 0 (and below 2^{_EXPONENT}), got {lmbda}")
    mantissa, exponent = math.frexp(lmbda)
    code = ((exponent - 1 + _EXPONENT) << _MANTISSA) + round((2 * mantissa - 1) * (1 << _MANTISSA))
    return min(max(code, 0), (1 << 14) - 1) if lmbda else 0


def lmbda_of(code: int) -> float:
    """Return the lambda of 14 bits."""
    mantissa = 1 + (code & ((1 << _MANTISSA) - 1)) / (1 << _MANTISSA)
    return math.ldexp(mantissa, (code >> _MANTISSA) - _EXPONENT) if code else 0.0


def header_bytes(frames: int) -> int:
    """Return the number of header bytes of an utterance with a number of frames.

    Example:
        >>> [header_bytes(frames) for frames in (100, 150, 100_000)]
        [5, 6, 7]
    """
    return 4 + len(varint(frames))


def pack(packet: Packet) -> bytes:
    """Return the bytes of a packet.

    Raises:
        ValueError: A field is out of range.

    Example:
        >>> parse(pack(Packet(b"abcd", 5.0, 150, b"coded"))).frames
        150
    """
    check_packet(packet)
    head = struct.pack(">H", 1 << 15 | lmbda_code(packet.lmbda)) + varint(packet.frames)
    check = checksum(head + packet.payload) ^ int.from_bytes(packet.fingerprint[:2], "big")
    return head + struct.pack(">H", check) + packet.payload


def check_packet(packet: Packet) -> None:
    """Check the fields of a packet before it is written.

    Raises:
        ValueError: A field is out of range.
    """
    if len(packet.fingerprint) != FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint has {FINGERPRINT_BYTES} bytes, got {len(packet.fingerprint)}")
    if not 1 <= packet.frames <= MOST_FRAMES:
        raise ValueError(f"frames must lie in [1, {MOST_FRAMES}], got {packet.frames}")
    if stored_lmbda(packet.lmbda) != packet.lmbda:
        raise ValueError(f"lmbda must be a value that stored_lmbda gives, got {packet.lmbda}")


def checksum(data: bytes) -> int:
    """Return the CRC-16 (CCITT) of bytes."""
    return binascii.crc_hqx(data, 0xFFFF)


def parse(data: bytes | bytearray | memoryview) -> Packet:
    """Parse bytes to a packet, with all checks that need no codec.

    Lengths in the bytes are not trusted for memory allocation. Damage changes the fingerprint, which is compared by the
    codec (:meth:`~emoquant.codecs.real_bits.RealBits.check`).

    Args:
        data: Content of an ``.emq`` file.

    Raises:
        BitstreamError: The bytes are no ``.emq`` file, of a newer version, an archive, or truncated; never anything
            else.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise BitstreamError(f"expected the bytes of an .emq file, got {type(data).__name__}; open the file as binary")
    data = bytes(data)
    if data.startswith(MAGIC):
        return _parse_first_version(data)
    if not data or not data[0] & 0x80:
        raise BitstreamError(
            f"no .emq data: it must begin with {MAGIC!r} or a set bit, got {data[:3]!r}; is this a file that compress "
            "wrote?"
        )
    if data[0] & 0x40:
        raise BitstreamError("this version of the .emq format is unknown here; update emoquant")
    if len(data) < 5:
        raise BitstreamError(f"truncated: {len(data)} bytes are less than a header; copy the file again")
    frames, first = read_varint(data, 2)
    if len(data) < first + 2:
        raise BitstreamError(f"truncated: {len(data)} bytes are less than a header; copy the file again")
    check = int.from_bytes(data[first : first + 2], "big") ^ checksum(data[:first] + data[first + 2 :])
    lmbda = lmbda_of(int.from_bytes(data[:2], "big") & 0x3FFF)
    return _sound(Packet(check.to_bytes(2, "big"), lmbda, frames, data[first + 2 :]))


def _parse_first_version(data: bytes) -> Packet:
    if data[3:4] == bytes([ARCHIVE_VERSION]):
        raise BitstreamError("an archive of several utterances: read it with emoquant.codecs.archive.read_archive")
    if len(data) > len(MAGIC) and data[3] != VERSION:
        raise BitstreamError(
            f"version {data[3]} of the .emq format is unknown here (known: {VERSION}); update emoquant"
        )
    if len(data) <= _FIXED.size:
        raise BitstreamError(f"truncated: {len(data)} bytes are less than a header; copy the file again")
    _, _, check, fingerprint, lmbda = _FIXED.unpack_from(data)
    if zlib.crc32(data[8:]) != check:
        raise BitstreamError("truncated or damaged: the checksum does not match; copy or compress the file again")
    frames, first = read_varint(data, _FIXED.size)
    if not (math.isfinite(lmbda) and lmbda >= 0):
        raise BitstreamError(f"damaged: lambda is {lmbda}; expected a finite number that is not negative")
    return _sound(Packet(fingerprint, lmbda, frames, data[first:]))


def _sound(packet: Packet) -> Packet:
    if packet.frames < 1:
        raise BitstreamError("damaged: an utterance has at least one frame")
    return packet


def varint(number: int) -> bytes:
    """Encode a number in 7 bits a byte, low bits first; the high bit is set if another byte follows."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def read_varint(data: bytes, first: int) -> tuple[int, int]:
    """Decode the number (:func:`varint`) that begins at byte ``first``; return it and the index after it.

    Raises:
        BitstreamError: The number does not end within 4 bytes.
    """
    number = 0
    for place, byte in enumerate(data[first : first + 4]):
        number |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return number, first + place + 1
    raise BitstreamError("damaged or truncated: a number does not end; expected at most 4 bytes")
