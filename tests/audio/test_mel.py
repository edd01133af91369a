import json
from pathlib import Path

import numpy as np
import pytest
import torch

from emoquant.audio.mel import MelSettings

ROOT = Path(__file__).parents[2]


def bands_of(**settings):
    filters = pytest.importorskip("librosa.filters", reason="the extra `speech` is not installed")
    return filters.mel(n_fft=1024, **settings)


def noise(rows, samples):
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(0)) * 0.1


def slow_generspeech(waveform):
    """The obvious twin: every frame by itself, bands of librosa."""
    bands = bands_of(sr=16_000, n_mels=80, fmin=80, fmax=7600)
    padded, window = np.pad(waveform, 512), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = [padded[at : at + 1024] * window for at in range(0, len(waveform) + 1, 256)]
    return np.log10(np.maximum(np.abs(np.fft.rfft(frames)) @ bands.T, 1e-10))


def slow_hifigan(waveform):
    """As jik876's meldataset.py does: mirrored by 384 samples, natural logarithm of at least 1e-5."""
    bands = bands_of(sr=22_050, n_mels=80, fmin=0, fmax=8000)
    padded, window = np.pad(waveform, 384, mode="reflect"), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = [padded[at : at + 1024] * window for at in range(0, len(padded) - 1023, 256)]
    magnitudes = np.sqrt(np.abs(np.fft.rfft(frames)) ** 2 + 1e-9)
    return np.log(np.maximum(magnitudes @ bands.T, 1e-5))


@pytest.mark.parametrize(
    ("settings", "slow", "frames"),
    [(MelSettings.generspeech(), slow_generspeech, 20), (MelSettings(), slow_hifigan, 19)],
    ids=["generspeech", "hifigan"],
)
def test_agrees_with_an_independent_implementation(settings, slow, frames):
    waveform = noise(2, 5000)
    got = settings(waveform)
    assert got.shape == (2, settings.frames(5000), 80) == (2, frames, 80)
    for row in range(2):
        np.testing.assert_allclose(got[row].numpy(), slow(waveform[row].numpy()), atol=2e-4)


def test_bands_of_unit_height_on_the_scale_of_htk():
    settings = MelSettings(24_000, mels=100, fmax=12_000.0, eps=1e-7, center=True, scale="htk", norm="none")
    bands = bands_of(sr=24_000, n_mels=100, fmin=0, fmax=12_000, htk=True, norm=None)
    np.testing.assert_allclose(settings.filters().numpy(), bands, atol=1e-4)


def test_settings_survive_a_checkpoint_and_differences_are_named():
    settings = MelSettings(mels=64, fmax=7000.0)
    assert MelSettings.from_dict(settings.to_dict()) == settings
    with pytest.raises(ValueError, match=r"the vocoder .*than the voice: mels 80 instead of 64, fmax 8000\.0 instead"):
        settings.require(MelSettings(), "the vocoder", "the voice")
    with pytest.raises(ValueError, match="exactly"):
        MelSettings.from_dict({"mels": 80})
    for wrong in ({"fmax": 12_000.0}, {"log": "log2"}, {"padding": "zeros"}, {"hop": 255}):
        with pytest.raises(ValueError, match=r"mel: .*expected|mel: .*must be even"):
            MelSettings(**wrong)


def test_what_was_stored_before_there_was_a_choice_means_the_same():
    stored = MelSettings.generspeech().to_dict()
    assert MelSettings.from_dict({name: stored[name] for name in list(stored)[:8]}) == MelSettings.generspeech()


@pytest.mark.parametrize("file", ["tts-toy/voice.json", "tts-nemo/voice.json", "vocoder-22k/vocoder.json"])
def test_what_is_shipped_has_the_default_mels(file):
    stored = json.loads((ROOT / "checkpoints" / file).read_text())["mel"]
    assert MelSettings.from_dict(stored) == MelSettings()


def test_frames_lie_where_the_settings_say():
    clicks = torch.zeros(1, 256 * 21)
    clicks[0, 256 * 10] = 1.0
    centred, between = MelSettings(center=True, padding="constant"), MelSettings(padding="constant")
    assert centred(clicks).sum(-1)[0].argmax() == 10
    assert centred.times(3).tolist() == [0.0, 256 / 22_050, 512 / 22_050]
    loud = between(clicks).sum(-1)[0].topk(2).indices.sort().values
    assert loud.tolist() == [9, 10], "the click lies on the border of two frames"
    assert between.times(1).item() == 128 / 22_050


@pytest.mark.parametrize("settings", [MelSettings(), MelSettings.generspeech(), MelSettings(window=640, hop=160)])
def test_the_transform_is_inverted_and_magnitudes_come_back(settings):
    waveform = noise(2, 20 * settings.hop)
    again = settings.istft(settings.stft(waveform), waveform.shape[1])
    torch.testing.assert_close(again, waveform, atol=1e-5, rtol=0)
    mels = settings(waveform)
    magnitudes = settings.stft(waveform).abs().transpose(1, 2) @ settings.filters().T
    torch.testing.assert_close(settings.expand(mels), magnitudes, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(settings.decades(mels), magnitudes.log10(), rtol=1e-4, atol=1e-4)


def test_silence_is_the_floor_and_inverse_undoes_the_filters():
    settings = MelSettings.generspeech()
    assert torch.equal(settings(torch.zeros(1, 2000)), torch.full((1, 8, 80), -10.0))
    product = settings.filters() @ settings.pseudo_inverse()
    torch.testing.assert_close(product, torch.eye(80), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match=r"\(B, N\)"):
        settings(torch.zeros(100))
    with pytest.raises(ValueError, match="N >= 385"):
        MelSettings()(torch.zeros(1, 384))


@pytest.mark.gpu
def test_constants_stay_on_the_device():
    settings = MelSettings()
    settings(noise(1, 4096).cuda())
    assert settings.filters("cuda").device.type == "cuda"
    assert settings.filters("cuda").data_ptr() == settings.filters(torch.device("cuda")).data_ptr()
