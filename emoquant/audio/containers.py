"""Sizes in the headers of audio files, checked against the files: libsndfile reads truncated files without error."""

import io
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: Endings of the files that a folder of recordings is searched for.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
#: Formats of libsndfile that are read: those whose headers are checked here, and FLAC, which its decoder checks.
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")

#: Sizes of this many bytes and more are not of a recording of speech that lacks most of its samples.
_IMPLAUSIBLE = 2**31 - 2**16
#: Powers of two near which writers leave a size that they do not know, and how near.
_LIMITS, _NEAR = (2**31, 2**32, 2**63, 2**64), 2**16


class Claim(NamedTuple):
    """Position and size of the samples, by the header of a file.

    Attributes:
        begin: Where the samples begin, in bytes.
        size: Bytes of samples.
        field: Where the size is written; None where it need not be corrected.
        form: How it is written, for :mod:`struct`.
        extra: What the written size counts beside the samples.
    """

    begin: int
    size: int
    field: int | None = None
    form: str = "<I"
    extra: int = 0


def check_size(path: Path) -> BinaryIO | None:
    """Compare the size of the samples in a file's header with the file.

    A size that its writer could not know (a stream's) is no claim: it is 0, near a power of two that ends its number
    format, or beyond two gigabytes with less than an eighth of them there. Such files hold samples up to their end.

    Args:
        path: The file.

    Returns:
        None where the header is right or of a container that its decoder checks; the file with the size that is there
        in its header where the writer did not know it.

    Raises:
        ValueError: Samples are missing; the message says how many bytes.
    """
    there = os.stat(path).st_size
    with path.open("rb") as file:
        reader = _reader(file.read(4))
        file.seek(0)
        claim = reader(file, there) if reader else None
        if claim is None:
            return None
        missing = claim.begin + claim.size - there
        known = claim.size > 0 or claim.begin >= there or _chunks_end(file, claim, there)
        if known and missing <= 0:
            return None
        if known and not _placeholder(claim.size, there - claim.begin):
            raise ValueError(f"{missing} of {claim.size} bytes of samples are missing")
    return _corrected(path, claim, there) if claim.field is not None else None


def _placeholder(size: int, there: int) -> bool:
    if any(abs(size - limit) <= _NEAR for limit in _LIMITS):
        return True
    return size >= _IMPLAUSIBLE and there < size / 8


def _chunks_end(file: BinaryIO, claim: Claim, there: int) -> bool:
    """Return whether sound chunks follow an empty one up to the end of a RIFF file: it is empty indeed."""
    if claim.form not in ("<I", ">I"):
        return False
    at = claim.begin
    while at < there:
        file.seek(at)
        header = file.read(8)
        if len(header) < 8 or not header[:4].isascii() or not header[:4].decode().isprintable():
            return False
        length = struct.unpack(claim.form, header[4:])[0]
        at += 8 + length + length % 2
    return at in (there, there + 1)


class _Corrected(io.RawIOBase):
    """A file that reads as if other bytes stood at one place of it."""

    def __init__(self, path: Path, at: int, data: bytes) -> None:
        self._file, self._at, self._data = path.open("rb"), at, data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed: any buffer
        begin = self._file.tell()
        count = self._file.readinto(buffer)
        first, last = max(begin, self._at), min(begin + count, self._at + len(self._data))
        if first < last:
            memoryview(buffer).cast("B")[first - begin : last - begin] = self._data[first - self._at : last - self._at]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _corrected(path: Path, claim: Claim, there: int) -> BinaryIO:
    size = there - claim.begin + claim.extra
    data = struct.pack(claim.form, min(size, 2 ** (8 * struct.calcsize(claim.form) - 1) - 1))
    assert claim.field is not None
    return _Corrected(path, claim.field, data)  # type: ignore[return-value] # all of it that libsndfile needs


def _chunks(file: BinaryIO, at: int, there: int, form: str, align: int = 2) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield name, place of the size, size and place of the content of each chunk."""
    names = 16 if align == 8 else 4
    width = struct.calcsize(form)
    while at + names + width <= there:
        file.seek(at)
        header = file.read(names + width)
        (size,) = struct.unpack(form, header[names:])
        content = at + names + width
        yield header[:4], at + names, size, content
        size = max(size - names - width, 0) if align == 8 else max(size, 0)
        at = content + size + -size % align


def _riff(file: BinaryIO, there: int) -> Claim | None:
    kind = file.read(4)
    form = ">I" if kind == b"RIFX" else "<I"
    real: tuple[int, int] | None = None
    for name, field, size, content in _chunks(file, 12, there, form):
        if name == b"ds64" and content + 16 <= there:
            file.seek(content + 8)
            real = content + 8, struct.unpack("<Q", file.read(8))[0]
        if name == b"data":
            if kind == b"RF64" and real is not None and size in (0xFFFFFFFF, 0):
                return Claim(content, real[1], real[0], "<Q")
            return Claim(content, size, field, form)
    return None


def _w64(file: BinaryIO, there: int) -> Claim | None:
    for name, field, size, content in _chunks(file, 40, there, "<Q", align=8):
        if name == b"data":
            return Claim(content, max(size - 24, 0), field, "<Q", 24)
    return None


def _aiff(file: BinaryIO, there: int) -> Claim | None:
    for name, field, size, content in _chunks(file, 12, there, ">I"):
        if name == b"SSND":
            return Claim(content + 8, max(size - 8, 0), field, ">I", 8)
    return None


def _caf(file: BinaryIO, there: int) -> Claim | None:
    for name, field, size, content in _chunks(file, 8, there, ">q", align=1):
        if name == b"data":  # four bytes count edits; a size of -1 is one that is not known
            return Claim(content + 4, max(size - 4, 0), field, ">q", 4)
    return None


def _au(file: BinaryIO, there: int) -> Claim | None:
    form = ">II" if file.read(4) == b".snd" else "<II"
    header = file.read(8)
    if len(header) < 8:
        return None
    begin, size = struct.unpack(form, header)
    return Claim(begin, size, 8, form[0] + "I")


def _nist(file: BinaryIO, there: int) -> Claim | None:
    head = file.read(4096).split(b"end_head")[0].decode("latin-1").split("\n")
    facts = {words[0]: words[2] for words in (line.split() for line in head[2:]) if len(words) == 3}
    names = ("sample_count", "sample_n_bytes", "channel_count")
    if len(head) < 2 or not all(facts.get(name, "").isdecimal() for name in names) or not head[1].strip().isdecimal():
        return None
    count, width, channels = (int(facts[name]) for name in names)
    return Claim(int(head[1]), count * width * channels)


def _ogg(file: BinaryIO, there: int) -> Claim | None:
    """Return a claim of one byte more than there is where the last page is not whole, or not the last of its stream."""
    tail = max(0, there - 2 * 65_307)
    file.seek(tail)
    data = file.read()
    at = data.rfind(b"OggS")
    if at < 0 or at + 27 > len(data):
        return Claim(there, 1)
    segments = data[at + 27 : at + 27 + data[at + 26]]
    end = at + 27 + data[at + 26] + sum(segments)
    if len(segments) < data[at + 26] or end > len(data):
        return Claim(tail + at, end - at)
    return None if data[at + 5] & 4 else Claim(there, 1)


#: Kilobits a second of MPEG audio, layer III, by version (1 or 2 and 2.5) and number; samples a second by version.
BITRATES = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def mp3_frame(header: bytes) -> int:
    """Return the bytes of the layer III frame that begins with these four; 0 where none does or its size is free."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0 or header[1] >> 1 & 3 != 1:
        return 0
    version, number, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or number in (0, 15) or rate == 3:
        return 0
    bits = 1000 * BITRATES[1 if version == 3 else 2][number]
    return (144 if version == 3 else 72) * bits // _RATES[version][rate] + (header[2] >> 1 & 1)


def id3_size(head: bytes) -> int:
    """Return the bytes of the ID3 tag that a file of MPEG audio, of which these are the first 10, begins with."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _mp3(file: BinaryIO, there: int) -> Claim | None:
    """Return what the first frame claims of all (Xing, Info), or the end of the last frame that begins."""
    first = at = id3_size(file.read(10))
    while at < there:
        file.seek(at)
        size = mp3_frame(header := file.read(4))
        if not size:
            break
        if at == first and (claimed := _xing(header + file.read(min(size, 200)))):
            return Claim(first, claimed)
        at += size
    return Claim(first, at - first) if at > first else None


def _xing(frame: bytes) -> int:
    """Return the bytes of a whole stream that its first frame claims; 0 where it claims none."""
    for name in (b"Xing", b"Info"):
        at = frame.find(name, 4, 48)
        if at > 0 and len(frame) >= at + 16 and frame[at + 7] & 2:
            skip = 12 if frame[at + 7] & 1 else 8
            return int(struct.unpack(">I", frame[at + skip : at + skip + 4])[0])
    return 0


_READERS: dict[bytes, Callable[[BinaryIO, int], Claim | None]] = {
    **dict.fromkeys((b"RIFF", b"RIFX", b"RF64"), _riff),
    **{b"riff": _w64, b"FORM": _aiff, b".snd": _au, b"dns.": _au, b"caff": _caf, b"NIST": _nist, b"OggS": _ogg},
}


def _reader(head: bytes) -> Callable[[BinaryIO, int], Claim | None] | None:
    return _mp3 if head[:3] == b"ID3" or mp3_frame(head) else _READERS.get(head)
