"""Archives: many coded utterances in one ``.emq`` file, with few bytes beside the coded data.

| bytes | content |
|---|---|
| 4 | ``b"EMQ"`` and a byte 2 |
| 4 | CRC-32 of the index, little-endian |
| 4 | fingerprint of the codec |
| 1-4 each | number of utterances; bytes of the index after this number |
| index | columns of frames, coded bytes, lambdas; 12 bits of checksum each; names and JSON of settings, both deflated |
| rest | the range-coded utterances, one after the other |

A column holds its smallest value, the number of bits of the largest difference to it, and all differences in that many
bits. Each utterance is coded separately: it is read without the others, and damage to one leaves the others readable.
"""

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emoquant.codecs.bitstream import (
    ARCHIVE_VERSION,
    FINGERPRINT_BYTES,
    MAGIC,
    MOST_FRAMES,
    BitstreamError,
    Packet,
    check_packet,
    checksum,
    lmbda_code,
    lmbda_of,
    named,
    read_varint,
    varint,
)
from emoquant.storage.files import refuse_pointer, write_whole

_CHECK_BITS = 12
#: Longest name, and settings, in bytes.
MOST_NAME, MOST_SETTINGS = 1024, 1 << 16
_HEAD = len(MAGIC) + 1 + 4 + FINGERPRINT_BYTES

Column = NDArray[np.int64]


class Archive:
    """Give access to the utterances of an archive; each is read on demand.

    Attributes:
        fingerprint: Fingerprint of the codec that wrote it.
        names: Names of the utterances; empty if none were stored.
        frames: Frames of each, ``(N,)``.
        lmbdas: Lambda of each.
        sizes: Coded bytes of each, ``(N,)``.
        settings: Settings that hold for all utterances (encoder, trimming), as given by the writer; may be empty.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        fingerprint: bytes,
        names: Sequence[str],
        columns: tuple[Column, Column, Column, Column],
        begin: int,
        settings: Mapping[str, Any],
    ) -> None:
        self.fingerprint, self.names, self.settings = fingerprint, list(names), dict(settings)
        self.frames, self.sizes, codes, self._checks = columns
        self.lmbdas = [lmbda_of(int(code)) for code in codes]
        self._read, self._starts = read, begin + np.concatenate([[0], np.cumsum(self.sizes)])
        self._places = {name: place for place, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.frames)

    def packet(self, which: int | str) -> Packet:
        """Return an utterance by its number or name.

        Raises:
            LookupError: There is no utterance of this number or name.
            BitstreamError: The utterance is damaged or cut off; others may be readable.
        """
        place = self._places.get(which, -1) if isinstance(which, str) else which
        if not 0 <= place < len(self):
            raise LookupError(f"no utterance {which!r} in the archive of {len(self)}; its attribute names lists them")
        begin, size = int(self._starts[place]), int(self.sizes[place])
        payload = self._read(begin, size)
        found = Packet(self.fingerprint, self.lmbdas[place], int(self.frames[place]), payload)
        if len(payload) != size or _check(found) != self._checks[place]:
            known_as = f" ({self.names[place]})" if self.names else ""
            raise BitstreamError(
                f"utterance {place}{known_as} is damaged or cut off: copy the archive again, or read the others"
            )
        return found


def write_archive(
    path: str | Path,
    packets: Sequence[Packet],
    names: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write an archive, whole or not at all.

    Args:
        path: File to write; its folder must exist.
        packets: Utterances of one codec, at least one (:meth:`~emoquant.codecs.real_bits.RealBits.packets`).
        names: Their names, all different and without line breaks; none to store no names.
        settings: Settings that hold for all of them, as JSON values; none by default.

    Raises:
        ValueError: There is no utterance, they are of several codecs, names do not fit them, or settings are too long.
    """
    write_whole(Path(path), pack_archive(packets, names, settings))


def pack_archive(
    packets: Sequence[Packet], names: Sequence[str] = (), settings: Mapping[str, Any] | None = None
) -> bytes:
    """Return the bytes of an archive; arguments and errors as of :func:`write_archive`."""
    if not packets or len({packet.fingerprint for packet in packets}) != 1:
        raise ValueError("an archive holds utterances of one codec, one at least: compress them with the same codec")
    for packet in packets:
        check_packet(packet)
    if names:
        check_names(names, len(packets))
    said = json.dumps(settings, separators=(",", ":")).encode() if settings else b""
    if len(said) > MOST_SETTINGS:
        raise ValueError(f"settings of an archive may take {MOST_SETTINGS} bytes as JSON, got {len(said)}")
    listed = zlib.compress("\n".join(names).encode(), 9, wbits=-15) if names or said else b""
    listed += zlib.compress(said, 9, wbits=-15) if said else b""
    index = b"".join(
        (
            _pack_column([packet.frames for packet in packets]),
            _pack_column([len(packet.payload) for packet in packets]),
            _pack_column([lmbda_code(packet.lmbda) for packet in packets]),
            _pack_bits(np.array([_check(packet) for packet in packets]), _CHECK_BITS),
            listed,
        )
    )
    checked = packets[0].fingerprint + varint(len(packets)) + varint(len(index)) + index
    head = MAGIC + bytes([ARCHIVE_VERSION]) + struct.pack("<I", zlib.crc32(checked))
    return head + checked + b"".join(packet.payload for packet in packets)


def check_names(names: Sequence[str], count: int) -> None:
    """Check names for an archive of ``count`` utterances.

    Raises:
        ValueError: The names do not fit the utterances.
    """
    if len(names) != count or len(set(names)) != count or any(_is_bad(name) for name in names):
        raise ValueError(
            f"an archive of {count} utterances needs as many different names, none empty, with a line break or above "
            f"{MOST_NAME} bytes, or none at all"
        )


def read_archive(path: str | Path) -> Archive:
    """Open an archive and check its index; utterances are read on demand.

    Raises:
        BitstreamError: The file is no archive, or its index is damaged.
        FileNotFoundError: There is no such file.
        ValueError: It is a pointer of Git LFS or git-annex.
    """
    path = Path(path)
    refuse_pointer(path)

    def read(begin: int, size: int) -> bytes:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(size)

    with named(path):
        return _open(read)


def is_archive(path: Path) -> bool:
    """Return whether a file begins with the signature of an archive."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC + bytes([ARCHIVE_VERSION])


def parse_archive(data: bytes) -> Archive:
    """Return the archive in bytes; errors as of :func:`read_archive`."""
    return _open(lambda begin, size: data[begin : begin + size])


def _open(read: Callable[[int, int], bytes]) -> Archive:
    head = read(0, _HEAD + 8)
    if head[:4] != MAGIC + bytes([ARCHIVE_VERSION]):
        raise BitstreamError("no archive of .emq utterances: it must begin with EMQ and a byte 2; is it a single file?")
    count, place = read_varint(head, _HEAD)
    size, begin = read_varint(head, place)
    index = read(begin, size)
    checked = head[8:begin] + index
    if len(index) != size or struct.unpack("<I", head[4:8])[0] != zlib.crc32(checked):
        raise BitstreamError("the index of the archive is damaged or cut off: copy the file again")
    if count < 1 or count * _CHECK_BITS > 8 * size:
        raise BitstreamError(f"damaged: an index of {size} bytes cannot hold {count} utterances")
    frames, at = _read_column(index, 0, count)
    sizes, at = _read_column(index, at, count)
    codes, at = _read_column(index, at, count)
    checks, at = _read_bits(index, at, count, _CHECK_BITS)
    if frames.min() < 1 or frames.max() > MOST_FRAMES or codes.max() >= 1 << 14:
        raise BitstreamError("damaged: frames or lambda of an utterance are out of range")
    text, rest = _inflate(index[at:], count * (MOST_NAME + 1), "names")
    said, _ = _inflate(rest, MOST_SETTINGS, "settings")
    columns = (frames, sizes, codes, checks)
    return Archive(read, head[8:_HEAD], _names(text, count), columns, begin + size, _settings(said))


def _is_bad(name: str) -> bool:
    return not name or "\n" in name or len(name.encode()) > MOST_NAME


def _check(packet: Packet) -> int:
    return checksum(varint(packet.frames) + packet.payload) & ((1 << _CHECK_BITS) - 1)


def _pack_column(values: Sequence[int]) -> bytes:
    column = np.array(values, dtype=np.int64)
    width = int(column.max() - column.min()).bit_length()
    return varint(int(column.min())) + bytes([width]) + _pack_bits(column - column.min(), width)


def _pack_bits(values: Column, width: int) -> bytes:
    bits = (values[:, None] >> np.arange(width)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def _read_column(data: bytes, at: int, count: int) -> tuple[Column, int]:
    least, at = read_varint(data, at)
    if at >= len(data) or data[at] > 28:
        raise BitstreamError("damaged: a column of the archive's index is out of range")
    found, after = _read_bits(data, at + 1, count, data[at])
    return found + least, after


def _read_bits(data: bytes, at: int, count: int, width: int) -> tuple[Column, int]:
    size = -(-count * width // 8)
    if at + size > len(data):
        raise BitstreamError("damaged: a column of the archive's index is cut off")
    bits = np.unpackbits(np.frombuffer(data[at : at + size], np.uint8), count=count * width).reshape(count, width)
    return (bits.astype(np.int64) << np.arange(width)).sum(1, dtype=np.int64), at + size


def _inflate(data: bytes, most: int, what: str) -> tuple[str, bytes]:
    """Return the text at the beginning of bytes and what follows it; an empty text of no bytes."""
    if not data:
        return "", b""
    try:
        opened = zlib.decompressobj(wbits=-15)
        text = opened.decompress(data, most).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise BitstreamError(f"damaged: the archive's {what} cannot be read ({error})") from error
    if not opened.eof:
        raise BitstreamError(f"damaged: the archive's {what} are cut off or too long")
    return text, opened.unused_data


def _names(text: str, count: int) -> list[str]:
    names = text.split("\n") if text else []
    if names and len(names) != count:
        raise BitstreamError(f"damaged: the archive lists {len(names)} names for {count} utterances")
    return names


def _settings(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise BitstreamError(f"damaged: the archive's settings cannot be read ({error})") from error
    if not isinstance(found, dict):
        raise BitstreamError("damaged: the archive's settings are no table")
    return found
