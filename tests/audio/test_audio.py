import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fake.corpora import write_tone

from emoquant.audio.loading import AudioError, audio_seconds, read_audio


def wave(seconds=0.5, rate=16_000, pitch=200.0):
    return (0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def spectral_peak(samples, rate=16_000):
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_every_sample_width_gives_the_same_wave(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", wave(), 16_000, subtype=subtype)
    read = read_audio(tmp_path / "a.wav")
    assert read.dtype == torch.float32
    assert np.abs(read.numpy() - wave()).max() < (0.02 if subtype in ("PCM_U8", "ULAW") else 1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_other_rates_are_resampled_to_16_khz(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", wave(1.0, rate, 440.0), rate, subtype="PCM_16")
    read = read_audio(tmp_path / "a.wav").numpy()
    assert abs(len(read) - 16_000) <= 1
    assert spectral_peak(read) == pytest.approx(440, abs=1.5)


def test_channels_are_averaged(tmp_path):
    left, right = wave(pitch=200), wave(pitch=330)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16_000, subtype="FLOAT")
    assert np.allclose(read_audio(tmp_path / "a.wav").numpy(), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "ä b 音.wav"])
def test_formats_and_names(tmp_path, name):
    soundfile.write(tmp_path / name, wave(), 16_000)
    assert len(read_audio(tmp_path / name)) == pytest.approx(8_000, abs=2)
    assert audio_seconds(tmp_path / name) == pytest.approx(0.5, abs=1e-3)


def test_a_part_is_the_slice_of_the_whole(tmp_path):
    write_tone(tmp_path / "a.wav", seconds=1.0)
    whole = read_audio(tmp_path / "a.wav")
    assert torch.equal(read_audio(tmp_path / "a.wav", 0.25, 0.75), whole[4_000:12_000])
    assert torch.equal(read_audio(tmp_path / "a.wav", 0.25), whole[4_000:])


def raw_header(path: Path, frames: int, said: int):
    """A 16-bit wav file whose data chunk says another size than it has."""
    data = (wave(frames / 16_000) * 32767).astype("<i2").tobytes()
    header = b"RIFF" + struct.pack("<I", min(36 + said, 0xFFFFFFFF)) + b"WAVE"
    header += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    path.write_bytes(header + b"data" + struct.pack("<I", said) + data)


def nan_file(path, value=np.nan):
    samples = wave()
    samples[100] = value
    soundfile.write(path, samples, 16_000, subtype="FLOAT")


def truncated_flac(path):
    soundfile.write(path.with_suffix(".flac"), np.random.default_rng(0).standard_normal(16_000) * 0.1, 16_000)
    data = path.with_suffix(".flac").read_bytes()
    path.with_suffix(".flac").unlink()
    path.write_bytes(data[: len(data) // 2])


BAD = {
    "empty file": (lambda path: path.write_bytes(b""), "empty"),
    "header only": (lambda path: raw_header(path, 0, 0), "empty"),
    "not audio": (lambda path: path.write_text("hello, this is no sound" * 20), "unreadable"),
    "random bytes": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "unreadable"),
    "half a header": (lambda path: path.write_bytes(b"RIFF\x00\x00"), "unreadable"),
    "truncated wav": (lambda path: raw_header(path, 4_000, 16_000), "truncated"),
    "truncated flac": (truncated_flac, "truncated"),
    "silent": (lambda path: soundfile.write(path, np.zeros(8_000, np.float32), 16_000), "silent"),
    "NaN": (nan_file, "NaN or infinite"),
    "infinite": (lambda path: nan_file(path, np.inf), "NaN or infinite"),
    "too short": (lambda path: soundfile.write(path, wave(0.02), 16_000), "too short"),
    "one sample": (lambda path: soundfile.write(path, wave()[1:2], 16_000), "too short"),
    "a folder": (lambda path: path.mkdir(), "unreadable"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said_with_its_name(tmp_path, case):
    make, message = BAD[case]
    path = tmp_path / "bad file.wav"
    make(path)
    with pytest.raises(AudioError, match=message) as error:
        read_audio(path)
    assert "bad file.wav" in str(error.value)


@pytest.mark.parametrize("name", ["nothing.wav", "a.wav/nothing.wav"])
def test_a_missing_file_is_named(tmp_path, name):
    write_tone(tmp_path / "a.wav")
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        read_audio(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        audio_seconds(tmp_path / name)


@pytest.mark.parametrize(("start", "end"), [(0.0, 9.0), (2.0, None), (0.2, 0.2), (0.3, 0.1), (-1.0, None)])
def test_a_part_outside_the_file_is_an_error(tmp_path, start, end):
    soundfile.write(tmp_path / "a.wav", wave(1.0), 16_000)
    with pytest.raises(AudioError, match="not inside the file"):
        read_audio(tmp_path / "a.wav", start, end)


def test_a_silent_part_of_a_sounding_file_is_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.concatenate([np.zeros(8_000, np.float32), wave()]), 16_000)
    assert len(read_audio(tmp_path / "a.wav", 0.25)) == 12_000
    with pytest.raises(AudioError, match="silent"):
        read_audio(tmp_path / "a.wav", 0.0, 0.4)


def test_streamed_wav_without_a_size_is_read(tmp_path):
    raw_header(tmp_path / "a.wav", 8_000, 0xFFFFFFFF)
    assert len(read_audio(tmp_path / "a.wav")) == 8_000
