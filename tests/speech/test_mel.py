import numpy as np
import pytest
import torch

from emoquant.speech.mel import MelSpec


def slow_mel(waveform):
    """The obvious twin: every frame by itself, bands of librosa."""
    filters = pytest.importorskip("librosa.filters").mel(sr=16_000, n_fft=1024, n_mels=80, fmin=80, fmax=7600)
    padded, window = np.pad(waveform, 512), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = [padded[at : at + 1024] * window for at in range(0, len(waveform) + 1, 256)]
    return np.log10(np.maximum(np.abs(np.fft.rfft(frames)) @ filters.T, 1e-10))


def test_agrees_with_an_independent_implementation():
    spec = MelSpec()
    waveform = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0)) * 0.1
    got = spec(waveform)
    assert got.shape == (2, spec.frames(5000), 80) == (2, 20, 80)
    for row in range(2):
        np.testing.assert_allclose(got[row].numpy(), slow_mel(waveform[row].numpy()), atol=2e-4)


def test_settings_survive_a_checkpoint_and_differences_are_named():
    spec = MelSpec(mels=64, fmax=7000.0)
    assert MelSpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match=r"the vocoder .*mels 80 instead of 64, fmax 7600\.0 instead of 7000\.0"):
        spec.require(MelSpec(), "the vocoder")
    with pytest.raises(ValueError, match="exactly"):
        MelSpec.from_dict({"mels": 80})
    with pytest.raises(ValueError, match="fmax"):
        MelSpec(fmax=9000.0)


def test_silence_is_the_floor_and_inverse_undoes_the_filters():
    spec = MelSpec()
    assert torch.equal(spec(torch.zeros(1, 2000)), torch.full((1, 8, 80), -10.0))
    product = spec.filters() @ spec.pseudo_inverse()
    torch.testing.assert_close(product, torch.eye(80), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match=r"\(B, N\)"):
        spec(torch.zeros(100))
