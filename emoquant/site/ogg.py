"""Ogg streams with a serial number of one's own: libsndfile draws one at random, so that no two files are alike."""

import struct
import zlib

#: Each byte with its bits in the other order: Ogg's checksum is that of zlib on bits the other way round.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_HEAD, _SERIAL, _CHECKSUM = 27, 14, 22


def with_serial(stream: bytes, serial: int) -> bytes:
    """Return an Ogg stream with another serial number on all its pages (RFC 3533), and their checksums to it.

    Args:
        stream: One logical stream, whole.
        serial: The number, below 2^32.

    Raises:
        ValueError: The bytes are no Ogg stream.
    """
    pages, at = [], 0
    while at < len(stream):
        segments = stream[at + _HEAD : at + _HEAD + stream[at + _HEAD - 1]] if at + _HEAD <= len(stream) else b""
        page = bytearray(stream[at : at + _HEAD + len(segments) + sum(segments)])
        if page[:4] != b"OggS" or len(page) < _HEAD:
            raise ValueError(f"no page of an Ogg stream at byte {at}")
        page[_SERIAL : _SERIAL + 4] = struct.pack("<I", serial)
        page[_CHECKSUM : _CHECKSUM + 4] = bytes(4)
        page[_CHECKSUM : _CHECKSUM + 4] = struct.pack("<I", _checksum(bytes(page)))
        pages.append(bytes(page))
        at += len(page)
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """Return Ogg's checksum: of the polynomial 0x04c11db7, from 0, bits from the highest."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(struct.pack("<I", mirrored).translate(_MIRRORED), "big")
