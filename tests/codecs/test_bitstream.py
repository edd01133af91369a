"""The .emq format: what is written is read, and anything else gives the one documented error."""

import random
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emoquant
from emoquant.codecs.bitstream import MOST_FRAMES, BitstreamError, Packet, header_bytes, pack, parse, stored_lmbda


def first_version(packet):
    """A file of the first version of the format."""
    number, frames = packet.frames, bytearray()
    while number >= 0x80:
        frames.append(number & 0x7F | 0x80)
        number >>= 7
    checked = packet.fingerprint + struct.pack("<f", packet.lmbda) + bytes([*frames, number]) + packet.payload
    return b"EMQ\x01" + struct.pack("<I", zlib.crc32(checked)) + checked


PACKET = Packet(b"abcd", 5.0, 150, bytes(range(200)))
WHOLE = first_version(PACKET)
SHORT = pack(PACKET)


@settings(max_examples=200, deadline=None)
@given(
    fingerprint=st.binary(min_size=4, max_size=4),
    lmbda=st.floats(0, 2.0**63, width=32),
    frames=st.integers(1, MOST_FRAMES),
    payload=st.binary(max_size=100),
)
def test_what_is_packed_is_parsed(fingerprint, lmbda, frames, payload):
    assert stored_lmbda(lmbda) == pytest.approx(lmbda, rel=2**-8, abs=2.0**-64)
    packet = Packet(fingerprint, stored_lmbda(lmbda), frames, payload)
    assert parse(first_version(packet._replace(lmbda=1.5))) == packet._replace(lmbda=1.5)
    data = pack(packet)
    expected = packet._replace(fingerprint=fingerprint[:2])
    assert parse(data) == parse(bytearray(data)) == parse(memoryview(data)) == expected
    assert len(data) == header_bytes(frames) + len(payload)


def test_every_truncation_and_every_changed_bit_is_noticed():
    for end in range(len(WHOLE)):
        with pytest.raises(BitstreamError):
            parse(WHOLE[:end])
    for bit in range(8 * len(WHOLE)):
        changed = bytearray(WHOLE)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            parse(changed)


def test_damage_of_a_short_file_shows_as_another_fingerprint():
    for end in range(len(SHORT)):
        with suppress(BitstreamError):
            assert parse(SHORT[:end]).fingerprint != b"ab"
    for bit in range(8 * len(SHORT)):
        changed = bytearray(SHORT)
        changed[bit // 8] ^= 1 << bit % 8
        with suppress(BitstreamError):
            assert parse(changed).fingerprint != b"ab"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must begin with"),
        (b"RIFF" + WHOLE, "must begin with"),
        (b"PK\x03\x04", "must begin with"),
        ("EMQ", "got str; open the file as binary"),
        (None, "got NoneType"),
        (b"EMQ", "truncated"),
        (b"EMQ\x02" + WHOLE[4:], "an archive"),
        (b"EMQ\x03" + WHOLE[4:], "version 3"),
        (b"\xff" + SHORT[1:], "version of the .emq format is unknown"),
        (SHORT[:4], "truncated"),
        (SHORT[:5], "truncated"),
        (SHORT[:2] + b"\xff" * 9, "does not end"),
        (SHORT[:2] + b"\0" + SHORT[4:], "at least one frame"),
        (WHOLE[:15], "truncated"),
        (WHOLE[:-1], "checksum"),
        (WHOLE + b"\0", "checksum"),
        (WHOLE + WHOLE, "checksum"),
    ],
)
def test_errors_say_what_is_wrong(data, message):
    with pytest.raises(BitstreamError, match=message):
        parse(data)


def sealed(checked):
    """A header with a right checksum around any content, as a forger would write it."""
    return b"EMQ\x01" + struct.pack("<I", zlib.crc32(checked)) + checked


@pytest.mark.parametrize(
    ("checked", "message"),
    [
        (b"abcd" + struct.pack("<f", float("nan")) + b"\x05", "lambda is nan"),
        (b"abcd" + struct.pack("<f", float("inf")) + b"\x05", "lambda is inf"),
        (b"abcd" + struct.pack("<f", -1.0) + b"\x05", "lambda is -1"),
        (b"abcd" + struct.pack("<f", 1.0) + b"\x00", "at least one frame"),
        (b"abcd" + struct.pack("<f", 1.0) + b"\xff", "does not end"),
        (b"abcd" + struct.pack("<f", 1.0) + b"\xff" * 9, "does not end"),
    ],
)
def test_forged_headers_are_refused(checked, message):
    with pytest.raises(BitstreamError, match=message):
        parse(sealed(checked))


def test_a_forged_length_allocates_nothing():
    packet = parse(sealed(b"abcd" + struct.pack("<f", 1.0) + b"\xff\xff\xff\x7f"))
    assert packet.frames == MOST_FRAMES
    assert packet.payload == b""


def test_fuzz_the_parser():
    """100,000 mutated inputs: a packet or BitstreamError, never anything else."""
    generator = random.Random(0)
    accepted = 0
    for trial in range(100_000):
        data = bytearray(WHOLE[: generator.randrange(len(WHOLE) + 1)] if trial % 3 == 0 else WHOLE)
        for _ in range(generator.randrange(4)):
            action, place = generator.randrange(4), generator.randrange(len(data) + 1)
            if action == 0 and data:
                data[place % len(data)] = generator.randrange(256)
            elif action == 1:
                data[place:place] = generator.randbytes(generator.randrange(9))
            elif action == 2:
                del data[place : place + generator.randrange(9)]
            elif data:
                data[place % len(data)] ^= 1 << generator.randrange(8)
        if trial % 2 and len(data) > 8:  # a right checksum, so that the fields behind it are reached
            data[4:8] = struct.pack("<I", zlib.crc32(bytes(data[8:])))
        try:
            packet = parse(bytes(data))
        except BitstreamError:
            continue
        accepted += 1
        assert 1 <= packet.frames <= MOST_FRAMES
        assert packet.lmbda >= 0
    assert accepted > 5000


def test_fields_out_of_range_cannot_be_packed():
    good = Packet(b"abcd", 5.0, 150, b"")
    for wrong in (
        {"fingerprint": b"abc"},
        {"frames": 0},
        {"frames": MOST_FRAMES + 1},
        {"lmbda": float("nan")},
        {"lmbda": 0.3},
    ):
        with pytest.raises(ValueError, match="got"):
            pack(good._replace(**wrong))


def test_the_error_is_a_public_name():
    assert emoquant.BitstreamError is BitstreamError
    assert "BitstreamError" in dir(emoquant)
