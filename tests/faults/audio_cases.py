"""Bad and unusual audio files."""

import numpy as np
import soundfile
import torch
from bad_world import TINY, tone
from cases import case

from emoquant.audio import AudioError, read_audio
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
