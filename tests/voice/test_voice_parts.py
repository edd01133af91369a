import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from emoquant.voice.tts import losses
from emoquant.voice.tts.durations import DurationPredictor, LengthRegulator, phone_of_frame, whole_frames
from emoquant.voice.tts.masking import length_mask, masked_mean, segment_mean, segment_sum
from emoquant.voice.tts.pitch import pitch_bins
from emoquant.voice.tts.transformer import FFTStack, sinusoids


def test_length_regulator_repeats_each_phone():
    content = torch.arange(1.0, 7.0).view(2, 3, 1)
    durations = torch.tensor([[2, 0, 1], [0, 3, 0]])
    frames = LengthRegulator()(content, phone_of_frame(durations, 5))
    assert frames[..., 0].tolist() == [[1, 1, 3, 0, 0], [5, 5, 5, 0, 0]]
    for item in range(2):
        expected = content[item].repeat_interleave(durations[item], 0)
        torch.testing.assert_close(frames[item, :3], expected)


def test_whole_frames_round_the_predicted_length():
    logs = torch.log1p(torch.tensor([[3.0, 0.4, 7.6], [0.2, 0.1, 9.0]]))
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert whole_frames(logs, mask).tolist() == [[3, 0, 8], [1, 0, 0]]
    assert whole_frames(logs, mask, 2.0).tolist()[0] == [6, 1, 15]
    halves = torch.full((1, 40), 0.45).log1p()
    assert whole_frames(halves, torch.ones(1, 40, dtype=torch.bool)).sum() == 18, "errors of rounding do not add up"


def test_duration_predictor_returns_logs_of_real_phones():
    torch.manual_seed(0)
    predictor = DurationPredictor(8, 0.5).eval()
    mask = length_mask(torch.tensor([4, 2]), 4)
    found = predictor(torch.randn(2, 4, 8), mask)
    assert found.shape == (2, 4)
    assert not found[1, 2:].any()


def test_segments():
    frames = torch.tensor([[[1.0], [3.0], [5.0], [9.0]], [[2.0], [2.0], [7.0], [9.0]]])
    segments = torch.tensor([[1, 1, 2, 0], [1, 1, 1, 0]])
    means, counts = segment_mean(frames, segments)
    assert counts.tolist() == [2, 1]
    assert means[..., 0].tolist() == [[2, 5], [pytest.approx(11 / 3), 0]]
    assert segment_sum(frames[..., 0], segments).tolist() == [[4, 5, 0, 0], [11, 0, 0, 0]]
    assert segment_sum(frames[..., 0].to("meta"), segments.to("meta")).shape == (2, 4), "nothing is asked of the device"


def test_masked_mean_ignores_padding_whatever_it_holds():
    frames = torch.tensor([[[1.0], [2.0]], [[4.0], [float("nan")]]])
    assert masked_mean(frames, torch.tensor([2, 1])).flatten().tolist() == [1.5, 4.0]


def test_pitch_bins_rise_evenly_on_the_mel_scale():
    f0 = torch.linspace(50, 1100, 2000)
    bins = pitch_bins(f0, torch.ones(2000, dtype=torch.bool))
    assert (bins[0], bins[-1]) == (1, 255)
    assert (bins.diff() >= 0).all()
    assert len(bins.unique()) == 255
    mels = 1127 * np.log1p(f0.numpy() / 700)
    fit = np.polyfit(mels, bins.numpy(), 1)
    assert np.abs(np.polyval(fit, mels) - bins.numpy()).max() < 0.51


def test_positions_are_those_of_the_transformer():
    code = sinusoids(6, 8)
    rate = math.exp(-math.log(10_000) / 3)
    assert code.shape == (6, 8)
    assert float(code[2, 0]) == pytest.approx(math.sin(3), abs=1e-6)
    assert float(code[2, 5]) == pytest.approx(math.cos(3 * rate), abs=1e-6)


def test_transformer_never_reads_padding():
    torch.manual_seed(0)
    stack = FFTStack(2, 16, 2, 5, 0.1).eval()
    frames = torch.randn(2, 7, 16)
    mask = length_mask(torch.tensor([7, 3]), 7)
    other = frames.clone()
    other[1, 3:] = float("nan")
    torch.testing.assert_close(stack(frames, mask), stack(other, mask))
    torch.testing.assert_close(stack(frames, mask)[1:, :3], stack(frames[1:, :3], mask[1:, :3]), atol=1e-5, rtol=1e-5)


def plain_similarity(left, right):
    """Return the mean structural similarity of two pictures by explicit loops over windows."""
    place = np.arange(11) - 5
    window = np.exp(-(place**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    left, right = (np.pad(picture, 5) for picture in (left, right))
    values = []
    for row in range(left.shape[0] - 10):
        for column in range(left.shape[1] - 10):
            a, b = left[row : row + 11, column : column + 11], right[row : row + 11, column : column + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * a * a).sum() - mean_a**2, (window * b * b).sum() - mean_b**2
            covariance = (window * a * b).sum() - mean_a * mean_b
            values.append(
                (2 * mean_a * mean_b + 1e-4) * (2 * covariance + 9e-4)
                / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4))
            )  # fmt: skip
    return float(np.mean(values))


def test_dissimilarity_equals_the_definition():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(1, 14, 12, generator=generator) - 3
    preds = target + 0.5 * torch.randn(1, 14, 12, generator=generator)
    found = losses.mel_dissimilarity(preds, target, torch.tensor([14]))
    expected = 1 - plain_similarity((preds[0] + 6).numpy().astype(float), (target[0] + 6).numpy().astype(float))
    assert float(found) == pytest.approx(expected, abs=1e-4)
    assert float(losses.mel_dissimilarity(target, target, torch.tensor([14]))) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", [losses.mel_l1, losses.mel_dissimilarity])
def test_mel_losses_never_read_padding(loss):
    preds, target = torch.randn(2, 20, 8), torch.randn(2, 20, 8)
    lengths = torch.tensor([20, 13])
    junk = preds.clone()
    junk[1, 13:] = 100
    torch.testing.assert_close(loss(preds, target, lengths), loss(junk, target, lengths))
    longer = (functional.pad(each, (0, 0, 0, 9)) for each in (preds, target))
    torch.testing.assert_close(loss(preds, target, lengths), loss(*longer, lengths))
    parts = [loss(preds[i : i + 1, :n], target[i : i + 1, :n], lengths[i : i + 1]) for i, n in enumerate([20, 13])]
    torch.testing.assert_close(loss(preds, target, lengths), (20 * parts[0] + 13 * parts[1]) / 33)


def test_duration_losses_of_known_predictions():
    durations = torch.tensor([[2, 3, 4], [5, 0, 0]])
    lengths = torch.tensor([3, 1])
    right = torch.log1p(durations.float())
    assert losses.phone_duration_error(right, durations, lengths) == 0
    wrong = right + 0.5
    wrong[1, 1:] = 9.0  # padding
    assert float(losses.phone_duration_error(wrong, durations, lengths)) == pytest.approx(0.25)
    words = torch.tensor([[1, 1, 2], [1, 0, 0]])
    assert float(losses.group_duration_error(right, durations, words)) == pytest.approx(0, abs=1e-10)
    predicted = torch.log1p(torch.tensor([[1.0, 2.0, 4.0], [5.0, 9.0, 9.0]]))
    expected = (math.log(4) - math.log(6)) ** 2 / 3
    assert float(losses.group_duration_error(predicted, durations, words)) == pytest.approx(expected, rel=1e-4)


def test_melody_losses_count_voiced_and_real_frames():
    voiced = torch.tensor([[True, True, False, False]])
    assert float(losses.f0_error(torch.tensor([[1.0, 2.0, 9.0, 9.0]]), torch.zeros(1, 4), voiced)) == 1.5
    assert float(losses.f0_error(torch.ones(1, 4), torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool))) == 0
    logits = torch.tensor([[0.0, 0.0, 0.0, 50.0]])
    assert float(losses.voicing_error(logits, voiced, torch.tensor([3]))) == pytest.approx(math.log(2))
