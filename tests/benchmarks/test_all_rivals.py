"""What the loop over rivals computes with: differences of rate, prediction in a closed loop, counted codes."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))
import all_rivals
import coded_quantizers
import klt_dpcm

FRAMES = np.full(8, 50.0)


def points(factor, spread=0.0):
    """Return points of a Gaussian curve at a multiple of its rate, a little different for each utterance."""
    rate = np.geomspace(0.05, 300, 30)[:, None] * np.ones(8)
    error = 100 * 2 ** (-rate / 40) * FRAMES
    return np.stack([factor * rate * FRAMES * np.linspace(1 - spread, 1 + spread, 8), error], 2)


def test_a_codec_that_needs_half_of_the_bits():
    one, half = (all_rivals.curve(points(factor), np.arange(8), FRAMES) for factor in (1.0, 0.5))
    for band in all_rivals.BANDS.values():
        assert all_rivals.difference(half, one, band) == pytest.approx(-50, abs=0.5) or band[1] <= 2
    assert all_rivals.difference(one, one, (20, 200)) == pytest.approx(0)
    far = one[0], one[1] - 20
    assert np.isnan(all_rivals.difference(one, far, (20, 200)))
    line = all_rivals.row("other", points(1.0, 0.2), points(0.5), FRAMES, 100.0)
    value, low, high = map(
        int, line.rsplit("|", 2)[1].replace("%", "").replace("(", "").replace(")", "").replace("to", "").split()
    )
    assert low <= value <= high
    assert value == pytest.approx(-50, abs=1)


def test_prediction_decodes_what_it_codes():
    random = np.random.default_rng(0)
    utterances = [np.cumsum(random.standard_normal((40 + n, 6)), 0) for n in range(6)]
    codec = klt_dpcm.Predictive(utterances)
    turned = [codec.turn(each) for each in utterances]
    for (indices, error), aim in zip(codec.code(turned, 0.5), turned, strict=True):
        state, found = np.zeros(6), []
        for index in indices:
            state = codec.memory * state + np.sign(index) * (np.abs(index) - 0.05 * (index != 0)) * 0.5
            found.append(state)
        np.testing.assert_allclose(error, (np.array(found) - aim) ** 2)
        assert error.max() < 0.5
    fine, coarse = klt_dpcm.utterance_points(utterances[:4], utterances[4:], np.array([0.1, 2.0])).sum(1)
    assert fine[0] > 3 * coarse[0]
    assert fine[1] < 0.05 * coarse[1]


@pytest.mark.filterwarnings("ignore")
def test_codes_of_other_libraries_and_two_ways_to_count_them(monkeypatch):
    monkeypatch.setattr(coded_quantizers, "STAGES", (1, 2))
    monkeypatch.setattr(coded_quantizers, "CODEWORDS", 256)
    torch.manual_seed(0)
    frames = torch.randn(1200, 24) @ torch.randn(24, 24)
    found = list(coded_quantizers.vector_quantize_codes(frames[:800], frames[800:], steps=5))
    assert [each.name for each in found[:4]] == [
        "ResidualVQ, 1 x 8 bit", "ResidualVQ, 2 x 8 bit", "ResidualSimVQ, 1 x 8 bit", "ResidualSimVQ, 2 x 8 bit",
    ]  # fmt: skip
    assert all(int(each.known.max()) < 256 and each.asked.shape[0] == 400 for each in found)
    assert found[1].error.mean() < found[0].error.mean() < frames[800:].square().sum(1).mean()
    same = found[0]._replace(known=torch.zeros(800, 1, dtype=torch.int64), asked=torch.zeros(400, 1, dtype=torch.int64))
    assert float(coded_quantizers.histogram_bits(same).mean()) < 0.3
    assert float(coded_quantizers.model_bits(same, ([40] * 20, [40] * 10), 60).mean()) < 0.3
