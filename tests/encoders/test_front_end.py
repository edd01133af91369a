import math

import pytest
import torch
from small_models import small_encoder, waves

from emoquant.encoders.acoustics import AcousticTargets
from emoquant.encoders.augmentation import FrameMasking, WaveformAugmentation
from emoquant.encoders.filterbank import filter_frequencies, gabor_filters, start_as_filterbank


def tone(frequency, samples=16_000):
    return math.sqrt(2) * torch.sin(2 * math.pi * frequency * torch.arange(samples) / 16_000)[None]


def test_targets_tell_pitch_and_bands():
    targets = AcousticTargets()
    low, high = (targets(tone(f), 40, 320, 400) for f in (125.0, 2000.0))
    assert low.shape == (1, 40, targets.size)
    periods = torch.logspace(math.log10(32), math.log10(16_000 / 65), 48)
    correlogram = low[0, 10:30, targets.mels : -1].mean(0)
    assert 16_000 / periods[correlogram.argmax()] == pytest.approx(125, rel=0.03)
    assert low[0, 20, : targets.mels].argmax() < high[0, 20, : targets.mels].argmax()


def test_filters_have_unit_gain_at_their_centre_and_little_elsewhere():
    centres, widths = filter_frequencies(64)
    assert len(centres) == len(widths) == 64
    assert centres.diff().min() > 0
    filters = gabor_filters(64, 640)
    for band in (5, 30, 60):
        outputs = torch.nn.functional.conv1d(tone(float(centres[band]))[:, None], filters, stride=160) / math.sqrt(2)
        magnitude = outputs.clamp_min(0).reshape(64, 4, -1).sum(1).mean(-1)
        assert 0.95 < magnitude[band] < 1.45  # |cos| + |sin|
        assert magnitude.argmax() == band


def test_a_front_end_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="16 channels of kernel 10"):
        start_as_filterbank(small_encoder().load())


def test_a_filterbank_starts_with_the_filters():
    encoder = small_encoder(front_end="[(32, 640, 160)] + [(24, 1, 1)] + [(24, 3, 2)]")
    start_as_filterbank(encoder.load())
    weight = encoder.load().modality_encoders["AUDIO"].local_encoder.conv_layers[0][0].weight[:, 0]
    shapes = gabor_filters(8, 640)[:, 0]
    similarity = torch.nn.functional.cosine_similarity(weight, shapes, dim=-1)
    assert similarity.min() > 0.999


def test_augmentation_keeps_shapes_padding_and_seeds():
    waveforms, lengths = waves(16_000, 8_000)
    waveforms[1, 8_000:] = 0
    augment = WaveformAugmentation(speed=0.2, noise=1.0, equalizer=1.0)
    torch.manual_seed(1)
    first, counts = augment(waveforms, lengths)
    torch.manual_seed(1)
    again, _ = augment(waveforms, lengths)
    assert torch.equal(first, again)
    assert first.shape[1] == counts.max()
    assert not first[counts.argmin(), counts.min() :].any()
    ratio = lengths / counts
    assert (ratio.log().abs() < 0.21).all()
    assert (ratio != 1).any()


def test_speed_moves_pitch_and_leaves_the_rest():
    torch.manual_seed(0)
    augment = WaveformAugmentation(speed=0.3, noise=0, equalizer=0, gain=0)
    changed, counts = augment(tone(500.0), torch.tensor([16_000]))
    factor = 16_000 / float(counts[0])
    spectrum = torch.fft.rfft(changed[0]).abs()
    assert float(spectrum.argmax()) * 16_000 / len(changed[0]) == pytest.approx(500 * factor, rel=0.01)


def test_nothing_chosen_changes_nothing():
    waveforms, lengths = waves(8_000)
    same, counts = WaveformAugmentation(speed=0, noise=0, equalizer=0, gain=0)(waveforms[:, :8_000], lengths)
    assert torch.equal(same, waveforms[:, :8_000])
    assert torch.equal(counts, lengths)
    local = torch.randn(2, 20, 8)
    assert torch.equal(FrameMasking(0, 0, 0.0)(local, torch.tensor([20, 10])), local)


def test_masking_hides_spans_and_bands():
    torch.manual_seed(0)
    local = torch.ones(64, 50, 30)
    masked = FrameMasking(spans=2, frames=10, channels=0.2)(local, torch.full((64,), 50))
    frames, channels = (masked == 0).all(2).sum(1), (masked == 0).all(1).sum(1)
    assert frames.max() <= 20
    assert frames.float().mean() > 5
    assert channels.max() <= 6
    assert channels.float().mean() > 1


@pytest.mark.parametrize("wrong", [{"noise": 1.5}, {"speed": -1}, {"snr": (20, 10)}])
def test_wrong_strengths_are_refused(wrong):
    with pytest.raises(ValueError, match="shares in"):
        WaveformAugmentation(**wrong)
