"""Opus and MP3: rates, delays, lengths, and what of a file is sound."""

import io

import numpy as np
import pytest
import soundfile
import torch

from emoquant.audio_codecs import MP3, Clip, Opus
from emoquant.audio_codecs.base import AudioCodec, CodedClip
from emoquant.audio_codecs.soundfiles import mp3_frames, ogg_packets


def lag(before, after, most=2000):
    """Return by how many samples one sound lags behind another, from their cross-correlation."""
    size = 2 * len(before)
    both = np.fft.rfft(after.numpy(), size) * np.conj(np.fft.rfft(before.numpy(), size))
    found = np.fft.irfft(both, size)
    return int(np.concatenate([found[-most:], found[: most + 1]]).argmax()) - most


@pytest.mark.parametrize("codec", [Opus(), MP3()], ids=["opus", "mp3"])
def test_sound_comes_back_in_time_at_the_rate_that_was_asked_for(codec, clips):
    errors = []
    for point in codec.points:
        coded = codec.recode(clips, point)
        seconds = sum(len(clip.waveform) for clip in clips) / 16_000
        assert sum(each.bits for each in coded) / seconds == pytest.approx(point, rel=0.25)
        for clip, each in zip(clips, coded, strict=True):
            assert each.waveform.shape == clip.waveform.shape
            assert abs(lag(clip.waveform, each.waveform)) <= 1
            assert each.file_bits >= each.bits > 0
            assert each.codes is None
        errors.append(float((coded[1].waveform - clips[1].waveform).square().mean()))
    assert errors[0] > 2 * errors[-1]
    assert errors[-1] < 0.05 * float(clips[1].waveform.square().mean())


def test_clips_do_not_depend_on_each_other(clips):
    for codec, point in ((Opus(), 16_000.0), (MP3(), 32_000.0)):
        together = codec.recode(clips, point)
        for clip, each in zip(clips, together, strict=True):
            alone = codec.recode([clip], point)[0]
            assert torch.equal(alone.waveform, each.waveform)
            assert alone.bits == each.bits


def test_packets_of_ogg_are_all_but_headers(clips):
    file = io.BytesIO()
    soundfile.write(file, clips[1].waveform.numpy(), 16_000, "OPUS", format="OGG")
    packets = ogg_packets(file.getvalue())
    assert 50 <= len(packets) - 2 <= 53  # 20 ms each, and what is in front
    assert sum(packets) < len(file.getvalue())
    with pytest.raises(ValueError, match="no Ogg stream"):
        ogg_packets(b"RIFF" + bytes(60))


def test_frames_of_mp3_fill_the_file(clips):
    for level in (0.0, 0.9):
        file = io.BytesIO()
        options = {"format": "MP3", "compression_level": level, "bitrate_mode": "CONSTANT"}
        soundfile.write(file, clips[1].waveform.numpy(), 16_000, "MPEG_LAYER_III", **options)
        frames = mp3_frames(file.getvalue())
        notes = b"Xing" in file.getvalue()[:64] or b"Info" in file.getvalue()[:64]
        assert (frames[0] == 0) == notes
        assert len(set(frames[1:])) <= 2
        assert len(file.getvalue()) - sum(frames) == (frames[1] if notes else 0)
    with pytest.raises(ValueError, match="no MP3 frames"):
        mp3_frames(b"RIFF" + bytes(60))


def test_rates_out_of_range_are_refused():
    with pytest.raises(ValueError, match="Opus takes 6000 to 256000 bits a second, got 500"):
        Opus([500])
    with pytest.raises(ValueError, match="MP3 at 16 kHz takes 8000 to 160000 bits a second, got none"):
        MP3([])
    with pytest.raises(ValueError, match="codec 'opus' has no operating point 7; it has 8000, 12000"):
        Opus().recode([], 7)


class Late(AudioCodec):
    """Returns what it got at 24 kHz, late and longer."""

    name, points, sample_rate, delay = "late", (1.0,), 24_000, 240

    def code(self, clips, point):
        return [CodedClip(torch.nn.functional.pad(clip.waveform, (240, 999)), 8.0) for clip in clips]

    def fingerprint(self):
        return "late"


def test_rate_delay_and_length_are_those_of_the_input(clips):
    for clip, each in zip(clips, Late().recode(clips, 1.0), strict=True):
        assert each.waveform.shape == clip.waveform.shape
        torch.testing.assert_close(each.waveform[200:-200], clip.waveform[200:-200], atol=1e-2, rtol=0)


def test_samples_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="gave samples of 'a' that are not finite"):
        Late().recode([Clip("a", None, torch.full((800,), torch.nan))], 1.0)
