"""Bad and unusual audio files."""

import struct

import numpy as np
import pytest
import soundfile
import torch
from bad_world import POINTER, TINY, tone
from cases import case

from emoquant.audio.loading import AudioError, read_audio
from emoquant.encoders import Emotion2Vec


@case("Audio", "a file that is not there", FileNotFoundError, "no such audio file; check the corpus folder", "a.wav")
def _(folder):
    read_audio(folder / "a.wav")


@case("Audio", "a file without a byte", AudioError, "empty: the file has no bytes; copy it again", "a.wav")
def _(folder):
    (folder / "a.wav").write_bytes(b"")
    read_audio(folder / "a.wav")


@case("Audio", "a header without samples", AudioError, "there are no samples; copy the file again", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.zeros(0), 16_000)
    read_audio(folder / "a.wav")


@case("Audio", "a wav file that was cut off", AudioError, "bytes of samples are missing; copy it again", "a.wav")
def _(folder):
    data = tone(folder / "a.wav").read_bytes()
    (folder / "a.wav").write_bytes(data[: len(data) // 2])
    read_audio(folder / "a.wav")


@case("Audio", "a flac file that was cut off", AudioError, "copy the file again", "a.flac")
def _(folder):
    data = tone(folder / "a.flac").read_bytes()
    (folder / "a.flac").write_bytes(data[: len(data) // 2])
    read_audio(folder / "a.flac")


@case("Audio", "text with the ending .wav", AudioError, "expected wav, flac, ogg, opus or mp3", "a.wav")
def _(folder):
    (folder / "a.wav").write_text("this is no audio" * 30)
    read_audio(folder / "a.wav")


@case("Audio", "a folder with the ending .wav", AudioError, "expected wav, flac, ogg, opus or mp3", "a.wav")
def _(folder):
    (folder / "a.wav").mkdir()
    read_audio(folder / "a.wav")


@case("Audio", "silence", AudioError, "every sample from 0.0 s on is zero; leave it out or replace the file", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.zeros(8000), 16_000)
    read_audio(folder / "a.wav")


@case("Audio", "a sample that is NaN", AudioError, "a sample is NaN or infinite; write the file again", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.array([0.1] * 500 + [np.nan]), 16_000, subtype="FLOAT")
    read_audio(folder / "a.wav")


@case("Audio", "a sample that is infinite", AudioError, "a sample is NaN or infinite; write the file again", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.array([0.1] * 500 + [np.inf]), 16_000, subtype="DOUBLE")
    read_audio(folder / "a.wav")


@case("Audio", "too short for one frame", AudioError, "399 samples at 16000 Hz where at least 400 are needed", "a.wav")
def _(folder):
    read_audio(tone(folder / "a.wav", seconds=399.5 / 16_000))


@case("Audio", "a part that lies outside the file", AudioError, "correct start and end in the manifest", "a.wav")
def _(folder):
    read_audio(tone(folder / "a.wav"), 0.2, 3.0)


@case("Audio", "much longer than the encoder's window (2 min)", None, "read whole; the encoder uses windows")
def _(folder):
    waveform = read_audio(tone(folder / "a.wav", seconds=120))
    assert int(Emotion2Vec(TINY).frame_lengths(torch.tensor([len(waveform)]))) == 5998


@case("Audio", "8 bits a sample", None, "read; within 1/128 of 16 bits")
def _(folder):
    whole = read_audio(tone(folder / "a.wav"))
    assert (read_audio(tone(folder / "b.wav", subtype="PCM_U8")) - whole).abs().max() < 1 / 128


@case("Audio", "stereo, 24 bits", None, "read as the mean of the channels")
def _(folder):
    mono, stereo = read_audio(tone(folder / "a.wav")), tone(folder / "b.wav", channels=2, subtype="PCM_24")
    assert torch.allclose(read_audio(stereo), 0.75 * mono, atol=1e-3)


@case("Audio", "96 kHz", None, "resampled to 16 kHz: the same length and tone")
def _(folder):
    low, high = read_audio(tone(folder / "a.wav")), read_audio(tone(folder / "b.wav", rate=96_000))
    assert len(high) == len(low)
    assert torch.allclose(high[500:-500], low[500:-500], atol=1e-2)


@case("Audio", "8 kHz (telephone)", None, "resampled to 16 kHz")
def _(folder):
    assert len(read_audio(tone(folder / "a.wav", rate=8000))) == 8000


@case("Audio", "a flac file with the ending .wav", None, "read by its content")
def _(folder):
    (tone(folder / "a.flac")).rename(folder / "a.wav")
    assert len(read_audio(folder / "a.wav")) == 8000


@case("Audio", "a path with spaces, umlauts and other scripts", None, "read")
def _(folder):
    place = folder / "mein Ordner" / "感情 Ärger"
    place.mkdir(parents=True)
    assert len(read_audio(tone(place / "wütend #1 'ja'.wav"))) == 8000


def resized(path, size):
    """Write another size of the samples into a wav file's header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    return path


@case("Audio", "a size that a stream's writer could not know", None, "read to the end of the file")
def _(folder):
    for size in (0, 2**31, 2**31 - 4096, 2**32 - 1, 2**32 - 45):
        assert len(read_audio(resized(tone(folder / "a.wav"), size))) == 8000


CUT = "RF64, W64, RIFX, AIFF, AU, CAF, NIST, Ogg or MP3 that was cut off"


@case("Audio", CUT, AudioError, "truncated", "a.")
def _(folder):
    kinds = [{"format": name} for name in ("RF64", "W64", "AIFF", "AU", "CAF", "NIST", "OGG", "MP3")]
    for kind in [{"format": "WAV", "endian": "BIG"}, *kinds]:
        path = folder / f"a.{kind['format'].lower()}"
        soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(16_000), 16_000, **kind)
        assert len(read_audio(path)) == 16_000
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(AudioError, match=r"truncated|unreadable as audio") as error:
            read_audio(path)
    raise error.value


@case("Audio", "a format whose header is not checked (SVX, VOC, ...)", AudioError, "is not read; expected wav", "a.svx")
def _(folder):
    soundfile.write(folder / "a.svx", np.full(8000, 0.1), 16_000, format="SVX")
    read_audio(folder / "a.svx")


@case("Audio", "GSM and other formats that cannot seek", None, "read")
def _(folder):
    assert len(read_audio(tone(folder / "a.wav", subtype="GSM610"))) >= 8000


@case("Audio", "a header that claims more samples than memory holds", AudioError, "too long: 68719476735", "a.flac")
def _(folder):
    data = bytearray(tone(folder / "a.flac", format="FLAC").read_bytes())
    data[21:26] = (data[21] >> 4 << 36 | 2**36 - 1).to_bytes(5, "big")
    (folder / "a.flac").write_bytes(data)
    read_audio(folder / "a.flac")


@case("Audio", "a sampling rate of 1 Hz", AudioError, "the header says 1 samples a second", "a.wav")
def _(folder):
    soundfile.write(folder / "a.wav", np.full(8000, 0.1), 1)
    read_audio(folder / "a.wav")


@case("Audio", "255 channels", AudioError, "255 channels; expected", "a.ogg")
def _(folder):
    soundfile.write(folder / "a.ogg", np.zeros((800, 255)), 16_000)
    read_audio(folder / "a.ogg")


@case("Audio", "a Git LFS pointer", AudioError, "a Git LFS pointer, not the file itself", "git lfs pull")
def _(folder):
    (folder / "a.wav").write_text(POINTER)
    read_audio(folder / "a.wav")
