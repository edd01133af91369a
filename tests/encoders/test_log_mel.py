"""Log-mel frames against a plain rendering, and padding."""

import pytest
import torch

from emoquant.encoders import LogMelEncoder
from emoquant.encoders.naming import open_encoder


def test_a_tone_is_loudest_in_its_band_and_scale_multiplies():
    generator = torch.Generator().manual_seed(0)
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    waveforms, lengths = (tone + 0.01 * torch.randn(16_000, generator=generator))[None], torch.tensor([16_000])
    features, counts = LogMelEncoder()(waveforms, lengths)
    assert features.shape == (1, 50, 80)
    assert counts.tolist() == [50]
    window = torch.hann_window(400)
    spectrum = torch.fft.rfft(waveforms[0, 9_560:9_960] * window, n=512).abs()  # the samples around frame 30
    expected = (spectrum @ LogMelEncoder().mel.filters().T).log()
    torch.testing.assert_close(features[0, 30], expected, atol=1e-3, rtol=1e-3)
    assert features[0, 30].argmax() == LogMelEncoder().mel.filters()[:, 32].argmax()  # the band of 1 kHz
    torch.testing.assert_close(open_encoder("log_mel")(waveforms, lengths)[0], 2 * features)


def test_padding_changes_nothing():
    encoder, generator = LogMelEncoder(mels=20), torch.Generator().manual_seed(0)
    waveforms, lengths = 0.1 * torch.randn(2, 8_000, generator=generator), torch.tensor([8_000, 3_500])
    features, counts = encoder(waveforms, lengths)
    assert counts.tolist() == encoder.frame_lengths(lengths).tolist() == [25, 10]
    alone, _ = encoder(waveforms[1:, :3_500], lengths[1:])
    torch.testing.assert_close(features[1:, :10], alone)
    assert not features[1, 10:].any()


def test_mistakes_are_named_and_settings_are_told_apart():
    with pytest.raises(ValueError, match="20 ms"):
        LogMelEncoder()(torch.zeros(1, 400), torch.tensor([300]))
    with pytest.raises(ValueError, match="scale is 0"):
        LogMelEncoder(scale=0)
    with pytest.raises(ValueError, match="train a probe"):
        LogMelEncoder().head()
    assert LogMelEncoder().fingerprint() != LogMelEncoder(scale=2.0).fingerprint() != LogMelEncoder(64).fingerprint()
