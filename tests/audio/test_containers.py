"""Every audio format that is read: whole files give their samples, cut and absurd ones one error that names them."""

import struct

import numpy as np
import pytest
import soundfile

from emoquant.audio.containers import FORMATS
from emoquant.audio.loading import AudioError, audio_seconds, read_audio

SAMPLES = 16_000
KINDS = [
    (name, subtype)
    for name in FORMATS
    for subtype in soundfile.available_subtypes(name)
    if soundfile.check_format(name, subtype)
    and subtype != "DWVW_12"  # which libsndfile does not write
    and (not subtype.startswith("MPEG") or (name, subtype) == ("MP3", "MPEG_LAYER_III"))
]


def noise(count=SAMPLES):
    return (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


def written(folder, name, subtype=None, rate=16_000, **options):
    path = folder / f"a.{name.lower()}"
    soundfile.write(path, noise(), rate, format=name, subtype=subtype, **options)
    return path


@pytest.mark.parametrize(("name", "subtype"), KINDS, ids=lambda value: str(value))
@pytest.mark.filterwarnings("ignore")
def test_whole_files_are_read_and_cut_ones_are_named(tmp_path, name, subtype):
    path = written(tmp_path, name, subtype)
    blocks = 400 if "ADPCM" in subtype or "G72" in subtype else 1  # such formats fill up their last block
    assert 0 <= len(read_audio(path)) - SAMPLES < blocks
    assert audio_seconds(path) == pytest.approx(1.0, abs=blocks / SAMPLES)
    data = path.read_bytes()
    for share in (0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        if name == "CAF" and share == 0.9 and "ALAC" in subtype:
            continue  # libsndfile itself finds the table of packets, which stands behind, cut off
        with pytest.raises(AudioError, match=r"truncated|unreadable") as error:
            read_audio(path)
        assert path.name in str(error.value)


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("name", ["WAV", "AIFF", "AU"])
def test_both_orders_of_bytes(tmp_path, name, endian):
    path = written(tmp_path, name, "PCM_16", endian=endian)
    assert len(read_audio(path)) == SAMPLES
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(AudioError, match=r"truncated: 500 of 32000 bytes"):
        read_audio(path)


#: Place of the size of the samples, and how it is written.
FIELDS = {"WAV": (b"data", 4, "<I"), "AIFF": (b"SSND", 4, ">I"), "W64": (b"data", 16, "<Q"), "CAF": (b"data", 4, ">q")}
SIZES = [0, 2**31, 2**31 - 1, 2**31 - 4096, 2**31 - 37, 2**32 - 1, 2**32 - 45, 2**32 - 4096, 3_000_000_000]


def resized(path, name, size):
    data = bytearray(path.read_bytes())
    if name == "AU":
        at, form = 8, ">I"
    else:
        mark, skip, form = FIELDS[name]
        at = data.index(mark) + skip
    data[at : at + struct.calcsize(form)] = struct.pack(form, size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["WAV", "AIFF", "AU", "W64"])
def test_a_size_that_the_writer_did_not_know_is_read_to_the_end(tmp_path, name, size):
    path = resized(written(tmp_path, name, "PCM_16"), name, size)
    assert len(read_audio(path)) == pytest.approx(SAMPLES, abs=40)  # AIFF and W64 may have chunks behind
    assert audio_seconds(path) == pytest.approx(1.0, abs=0.01)


def test_core_audio_says_that_it_does_not_know_by_minus_one(tmp_path):
    path = resized(written(tmp_path, "CAF", "PCM_16"), "CAF", -1)
    assert len(read_audio(path)) == SAMPLES


@pytest.mark.parametrize("size", [32_002, 64_000, 2**20, 2**30, 1_900_000_000])
def test_a_size_that_a_recording_can_have_is_a_cut_one(tmp_path, size):
    with pytest.raises(AudioError, match=f"{size - 32_000} of {size} bytes of samples are missing"):
        read_audio(resized(written(tmp_path, "WAV", "PCM_16"), "WAV", size))


def test_an_empty_data_chunk_before_others_is_empty(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 48) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
        + b"data" + struct.pack("<I", 0) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    )  # fmt: skip
    with pytest.raises(AudioError, match="empty"):
        read_audio(path)


@pytest.mark.parametrize("rate", [1, 100, 3_999, 768_001, 2**31 - 1])
def test_a_rate_that_no_audio_has(tmp_path, rate):
    with pytest.raises(AudioError, match=f"the header says {rate} samples a second"):
        read_audio(written(tmp_path, "WAV", "PCM_16", rate))


@pytest.mark.parametrize(("name", "channels"), [("WAV", 33), ("WAV", 1000), ("OGG", 255)])
def test_more_channels_than_microphones(tmp_path, name, channels):
    path = tmp_path / f"a.{name.lower()}"
    soundfile.write(path, np.zeros((200, channels)), 16_000, format=name)
    for read in (read_audio, audio_seconds):
        with pytest.raises(AudioError, match=f"{channels} channels; expected"):
            read(path)


@pytest.mark.parametrize("claimed", [0, 2**36 - 1, 2**28])
def test_flac_that_claims_other_lengths(tmp_path, claimed):
    path = written(tmp_path, "FLAC", "PCM_16")
    data = bytearray(path.read_bytes())
    number = int.from_bytes(data[18:26], "big") >> 36 << 36 | claimed
    data[18:26] = number.to_bytes(8, "big")
    path.write_bytes(data)
    if not claimed:  # unknown
        assert len(read_audio(path)) == SAMPLES
        assert audio_seconds(path) == 1.0
        return
    with pytest.raises(AudioError, match=r"too long: 68719476735|truncated"):
        read_audio(path)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32"])
def test_formats_that_cannot_seek_give_their_parts(tmp_path, subtype):
    path = written(tmp_path, "WAV", subtype)
    assert read_audio(path)[4_000:8_000].equal(read_audio(path, 0.25, 0.5))


@pytest.mark.parametrize("name", ["PVF", "SVX", "IRCAM", "MAT5"])
def test_formats_without_a_checked_header_are_refused(tmp_path, name):
    with pytest.raises(AudioError, match="is not read; expected wav"):
        read_audio(written(tmp_path, name, "PCM_16"))


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        ("/annex/objects/SHA256E-s9--00.wav\n", "git annex get"),
    ],
)
def test_pointers_are_named(tmp_path, text, tool):
    (tmp_path / "a.wav").write_text(text)
    with pytest.raises(AudioError, match=f"pointer, not the file itself; fetch it: {tool}"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize(("name", "subtype"), [("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)])
def test_blocks_give_the_same_samples(tmp_path, monkeypatch, name, subtype):
    path = written(tmp_path, name, subtype)
    whole = read_audio(path, 0.1, 0.9)
    monkeypatch.setattr("emoquant.audio.decoding._BLOCK", 777)
    assert read_audio(path, 0.1, 0.9).equal(whole)


def test_an_absurd_length_costs_no_memory(tmp_path, monkeypatch):
    path = written(tmp_path, "WAV", "PCM_16")
    monkeypatch.setattr("emoquant.audio.decoding.MOST_SAMPLES", 8_000)
    for read in (read_audio, audio_seconds):
        with pytest.raises(AudioError, match="too long: 16000 samples"):
            read(path)
    assert len(read_audio(path, 0.0, 0.5)) == 8_000
