import numpy as np
import pytest
import torch
from scipy import stats

from emoquant.metrics import Blocks
from emoquant.metrics.intervals import (
    certain_share_interval,
    expanded_tail,
    jackknife_interval,
    percentile_interval,
    resampling_weights,
)


def test_certain_shares_equal_clopper_pearson():
    for n in (1, 10, 100):
        expected = stats.binomtest(n, n).proportion_ci(0.95, "exact")
        assert certain_share_interval(1.0, n) == pytest.approx((expected.low, expected.high))
        low, high = stats.binomtest(0, n).proportion_ci(0.95, "exact")
        assert certain_share_interval(0.0, n) == pytest.approx((low, high))


def test_percentiles_equal_numpy_where_blocks_are_many():
    replicates = torch.randn(400, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    replicates[:50, 0, 1] = torch.nan
    low, high = percentile_interval(replicates, torch.tensor([64, 10_000, 20]))
    for o in range(2):
        for e, blocks in enumerate((64, 10_000, 20)):
            values = replicates[:, o, e].numpy()
            tail = expanded_tail(blocks)
            assert float(low[o, e]) == pytest.approx(np.nanquantile(values, tail))
            assert float(high[o, e]) == pytest.approx(np.nanquantile(values, 1 - tail))


def test_one_block_has_no_interval():
    low, high = percentile_interval(torch.zeros(10, 1, 2), torch.tensor([1, 2]))
    assert low.isnan().tolist() == high.isnan().tolist() == [[True, False]]


def test_weights_draw_only_filled_blocks_and_as_many_as_there_are():
    filled = torch.tensor([True, False, True, True])
    weights = resampling_weights(filled, 500, seed=3)
    assert weights.sum(1).unique().tolist() == [3.0]
    assert weights[:, 1].abs().max() == 0
    assert weights.mean(0)[filled].numpy() == pytest.approx(np.ones(3), abs=0.15)
    assert torch.equal(weights, resampling_weights(filled, 500, seed=3))


def test_blocks_are_speakers_where_there_are_ten():
    speakers = [3, 5, 7, 9, 11, 13, 15, 17, 19, 21]
    blocks = Blocks([s for s in speakers for _ in range(4)])
    assert blocks.kind == "speakers"
    found = blocks.assign(torch.tensor(speakers), torch.arange(10))
    assert sorted(found.tolist()) == list(range(10))
    with pytest.raises(ValueError, match="a speaker that the split's list lacks"):
        blocks.assign(torch.tensor([4]), torch.tensor([0]))
    with pytest.raises(ValueError, match="a speaker that the split's list lacks"):
        blocks.assign(torch.tensor([99]), torch.tensor([0]))


def test_blocks_are_utterances_where_speakers_are_few():
    blocks = Blocks([0, 1, 2])
    assert blocks.kind == "utterances"
    rows = torch.arange(64 * 200)
    found = blocks.assign(torch.zeros_like(rows), rows)
    counts = torch.bincount(found, minlength=64)
    assert counts.min() > 140
    assert counts.max() < 260
    # rows that take turns by emotion or speaker still spread over all blocks
    for period in (4, 5, 64, 350):
        assert len(found[rows % period == 1].unique()) > 25


def test_more_speakers_than_blocks_share_them():
    blocks = Blocks(range(200))
    counts = torch.bincount(blocks.assign(torch.arange(200), torch.arange(200)), minlength=64)
    assert set(counts.tolist()) == {3, 4}


def bootstrap(values, block, number):
    sums = torch.zeros(number, 2, dtype=torch.float64)
    sums.index_add_(0, block, torch.stack([values, torch.ones_like(values)], -1))
    filled = sums[:, 1] > 0
    drawn = resampling_weights(filled, 400, seed=0) @ sums
    return percentile_interval((drawn[:, 0] / drawn[:, 1])[:, None], filled.sum()[None])


@pytest.mark.parametrize("speakers", [10, 40])
def test_intervals_cover_the_truth_though_utterances_of_a_speaker_are_alike(speakers):
    random, covered, naive = torch.Generator().manual_seed(speakers), 0, 0
    for _ in range(300):
        level = torch.randn(speakers, 1, generator=random, dtype=torch.float64)
        values = (level + torch.randn(speakers, 20, generator=random, dtype=torch.float64)).flatten()
        block = torch.arange(speakers).repeat_interleave(20)
        low, high = bootstrap(values, block, speakers)
        covered += int(low <= 0 <= high)
        low, high = bootstrap(values, torch.arange(len(values)) % 64, 64)
        naive += int(low <= 0 <= high)
    assert 0.91 <= covered / 300 <= 0.985
    assert naive / 300 < 0.6


def test_blocks_of_independent_utterances_give_the_interval_of_single_ones():
    random, covered, widths = torch.Generator().manual_seed(1), 0, []
    for _ in range(300):
        values = torch.rand(150, generator=random, dtype=torch.float64)
        low, high = bootstrap(values, Blocks().assign(torch.zeros(150), torch.arange(150)), 64)
        covered += int(low <= 0.5 <= high)
        widths.append(float(high - low))
    assert 0.92 <= covered / 300 <= 0.98
    assert np.mean(widths) == pytest.approx(2 * 1.976 * np.sqrt(1 / 12 / 150), rel=0.06)


def test_jackknife_of_a_mean_is_the_t_interval():
    values = torch.randn(12, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    left_out = (values.sum(0) - values) / 11
    low, high = jackknife_interval(values.mean(0), left_out, torch.ones(12, 1, dtype=torch.bool))
    expected = stats.t.interval(0.95, 11, values.mean().item(), stats.sem(values.numpy()).item())
    assert (float(low), float(high)) == pytest.approx(expected, rel=1e-4)
    low, high = jackknife_interval(values.mean(0), left_out, torch.arange(12)[:, None] < 1)
    assert low.isnan().all()
    assert high.isnan().all()
