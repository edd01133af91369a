"""Archives: listing, random access, damage that stays where it is, and sizes that are promised."""

import random
from contextlib import suppress

import pytest
import torch
from transform_world import make_codec, utterances

from emoquant.codecs.archive import pack_archive, parse_archive, read_archive, write_archive
from emoquant.codecs.bitstream import BitstreamError, Packet, header_bytes, pack, parse

PACKETS = [Packet(b"abcd", float(2 ** (i % 3)), 50 + i, bytes(range(i, i + 9 + i))) for i in range(12)]
NAMES = [f"speaker/{i:02d}" for i in range(12)]


@pytest.mark.parametrize("names", [NAMES, []])
def test_utterances_come_back_by_number_and_name(names, tmp_path):
    write_archive(tmp_path / "a.emq", PACKETS, names)
    archive = read_archive(tmp_path / "a.emq")
    assert (len(archive), archive.names, archive.fingerprint) == (12, names, b"abcd")
    assert archive.frames.tolist() == [packet.frames for packet in PACKETS]
    assert archive.lmbdas == [packet.lmbda for packet in PACKETS]
    assert [archive.packet(i) for i in reversed(range(12))] == PACKETS[::-1]
    if names:
        assert archive.packet("speaker/07") == PACKETS[7]
    for missing in (12, -1, "speaker/99"):
        with pytest.raises(LookupError, match="no utterance"):
            archive.packet(missing)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.emq"]


@pytest.mark.parametrize("names", [NAMES, []])
def test_settings_come_back(names):
    settings = {"encoder": {"name": "tiny", "fingerprint": "00ff"}, "trim": 30.0}
    archive = parse_archive(pack_archive(PACKETS, names, settings))
    assert (archive.settings, archive.names, archive.packet(5)) == (settings, names, PACKETS[5])
    assert parse_archive(pack_archive(PACKETS, names)).settings == {}
    with pytest.raises(ValueError, match="settings of an archive may take 65536 bytes"):
        pack_archive(PACKETS, names, {"long": "x" * 70_000})


def test_a_damaged_utterance_leaves_the_others():
    data = pack_archive(PACKETS, NAMES)
    begin = len(data) - sum(len(packet.payload) for packet in PACKETS)
    missed = 0
    for place in range(begin, len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x11
        archive, sound = parse_archive(bytes(changed)), 0
        for i, packet in enumerate(PACKETS):
            with suppress(BitstreamError):
                sound += archive.packet(i) == packet
        missed += sound != 11
    assert missed == 0
    cut = parse_archive(data[:-5])
    assert cut.packet(3) == PACKETS[3]
    with pytest.raises(BitstreamError, match=r"utterance 11 \(speaker/11\) is damaged"):
        cut.packet(11)


def test_a_damaged_index_is_noticed_and_nothing_else_is_raised():
    data, generator = pack_archive(PACKETS, NAMES), random.Random(0)
    begin = len(data) - sum(len(packet.payload) for packet in PACKETS)
    for bit in range(8 * begin):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            parse_archive(bytes(changed))
    for _ in range(2000):
        with pytest.raises(BitstreamError):
            parse_archive(data[: generator.randrange(begin)])
        with pytest.raises(BitstreamError):
            parse_archive(generator.randbytes(generator.randrange(60)))
    with pytest.raises(BitstreamError, match="read_archive"):
        parse(data)
    with pytest.raises(BitstreamError, match="no archive"):
        parse_archive(pack(PACKETS[0]))


def test_what_cannot_be_packed_is_named():
    for packets, names, message in (
        ([], [], "one at least"),
        ([PACKETS[0], PACKETS[1]._replace(fingerprint=b"efgh")], [], "one codec"),
        (PACKETS, NAMES[:3], "as many different names"),
        (PACKETS[:2], ["a", "a"], "different"),
        (PACKETS[:2], ["a", "b\nc"], "line break"),
        ([PACKETS[0]._replace(frames=0)], [], "frames must lie"),
    ):
        with pytest.raises(ValueError, match=message):
            pack_archive(packets, names)


def test_files_cost_what_is_promised():
    codec, frames = make_codec(), utterances([60 + i for i in range(100)], 3)
    encodings = codec.encode_batch(frames, 12.0)
    estimate = sum(float(each.bits.double().sum()) for each in encodings) / 8
    assert 0.5 < 8 * estimate / sum(map(len, frames)) < 2
    packets = codec.packets(encodings)
    data = pack_archive(packets)
    assert len(data) <= 1.03 * estimate + 4 * 100
    assert all(header_bytes(frames) <= 6 for frames in (1, 128, 16_383))
    archive = parse_archive(data)
    restored = codec.restore([archive.packet(i) for i in range(100)])
    assert all(torch.equal(a, b.features) for a, b in zip(restored, encodings, strict=True))
