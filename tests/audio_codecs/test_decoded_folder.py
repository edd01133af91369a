"""Decoded files of one's own codec: found, cut, aligned, and refused where they do not fit."""

import pytest
import soundfile
import torch

from emoquant.audio_codecs import DecodedFolder


def written(folder, clips, rate=16_000, late=0):
    folder.mkdir()
    for clip in clips:
        samples = torch.nn.functional.pad(clip.waveform, (late, 0))
        soundfile.write(folder / f"{clip.name}.wav", samples.numpy(), rate, "FLOAT")
    return folder


def test_files_are_read_at_their_rate(clips, tmp_path):
    codec = DecodedFolder(str(written(tmp_path / "mine", clips)), 900)
    assert (codec.name, codec.points) == ("mine", (900.0,))
    for clip, each in zip(clips, codec.recode(clips, 900.0), strict=True):
        torch.testing.assert_close(each.waveform, clip.waveform, atol=1e-6, rtol=0)
        assert each.bits == pytest.approx(900 * len(clip.waveform) / 16_000)


def test_a_delay_that_is_said_is_taken_away(clips, tmp_path):
    codec = DecodedFolder(str(written(tmp_path / "late", clips, late=800)), 900, delay_seconds=0.05)
    for clip, each in zip(clips, codec.recode(clips, 900.0), strict=True):
        torch.testing.assert_close(each.waveform, clip.waveform, atol=1e-6, rtol=0)


def test_utterances_are_cut_out_of_whole_files(clips, tmp_path):
    folder = written(tmp_path / "whole", clips)
    part = clips[1]._replace(waveform=clips[1].waveform[4000:12_000], start=0.25)
    each = DecodedFolder(str(folder), 900).recode([part], 900.0)[0]
    torch.testing.assert_close(each.waveform, part.waveform, atol=1e-6, rtol=0)


def test_the_fingerprint_changes_with_the_files(clips, tmp_path):
    folder = written(tmp_path / "mine", clips)
    first = DecodedFolder(str(folder), 900).fingerprint()
    assert DecodedFolder(str(folder), 900).fingerprint() == first
    soundfile.write(folder / "clip-0.wav", clips[1].waveform.numpy(), 16_000)
    assert DecodedFolder(str(folder), 900).fingerprint() != first


def test_bad_folders_give_one_error_each(clips, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*none: expected decoded audio"):
        DecodedFolder(str(tmp_path / "none"), 900).recode(clips, 900.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no audio"):
        DecodedFolder(str(tmp_path / "empty"), 900).recode(clips, 900.0)
    folder = written(tmp_path / "part", clips[:2])
    with pytest.raises(FileNotFoundError, match="lacks the decoded files of 2 utterances, the first is 'clip-2'"):
        DecodedFolder(str(folder), 900).recode(clips, 900.0)
    soundfile.write(folder / "clip-0.wav", torch.cat([clips[0].waveform, clips[1].waveform]).numpy(), 16_000)
    with pytest.raises(ValueError, match=r"clip-0.wav has 1.56 s, its utterance 'clip-0' 0.56 s"):
        DecodedFolder(str(folder), 900).recode(clips[:1], 900.0)
    (folder / "again").mkdir()
    soundfile.write(folder / "again" / "clip-0.flac", clips[0].waveform.numpy(), 16_000)
    with pytest.raises(ValueError, match="are named alike"):
        DecodedFolder(str(folder), 900).recode(clips[:1], 900.0)
    with pytest.raises(ValueError, match="bits_per_second must be positive"):
        DecodedFolder(str(folder), 0)
