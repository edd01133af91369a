import numpy as np
import pytest
import torch

from emoquant.audio.mel import MelSettings
from emoquant.audio.pitch import interpolated, melody

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")


def buzz(f0):
    """A pulse-like tone whose F0 follows a track of samples."""
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    return torch.from_numpy(sum(np.cos(k * phase) for k in range(1, 20)) * 0.02).float()


@pytest.mark.parametrize("method", ["dio", "harvest"])
def test_a_glide_is_followed_at_the_frame_centres(method):
    spec, track = MelSettings.generspeech(), np.linspace(110, 220, 24_000)
    found = melody(buzz(track), spec, method=method)
    centres = np.arange(spec.frames(24_000)) * spec.hop
    inner = slice(5, -5)
    assert found.voiced[inner].all()
    assert len(found.f0) == spec.frames(24_000)
    errors = found.f0.numpy()[inner] - track[np.minimum(centres, 23_999)][inner]
    assert np.abs(errors).max() < 1.5, "sampled off the centres of the frames"


def test_noise_and_silence_are_unvoiced():
    quiet = torch.randn(16_000, generator=torch.Generator().manual_seed(0)) * 0.05
    assert melody(quiet, MelSettings.generspeech()).voiced.float().mean() < 0.3
    silent = melody(torch.zeros(8000), MelSettings.generspeech())
    assert not silent.voiced.any()
    assert not silent.f0.any()


def test_gaps_are_bridged_on_the_log_scale_and_mistakes_are_named():
    found = interpolated(torch.tensor([0.0, 100.0, 0.0, 0.0, 800.0, 0.0]))
    torch.testing.assert_close(found.f0, torch.tensor([100.0, 100.0, 200.0, 400.0, 800.0, 800.0]))
    assert found.voiced.tolist() == [False, True, False, False, True, False]
    with pytest.raises(ValueError, match="floor"):
        melody(torch.zeros(1000), MelSettings.generspeech(), floor=500, ceiling=100)
