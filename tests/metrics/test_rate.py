import numpy as np
import pytest
import torch

from emoquant.metrics import CodeHistogram, bits_per_frame, perplexity, skip_rate, usage


def codes_of(shape, codewords, seed=0):
    return torch.randint(0, codewords + 1, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.int16)


def test_rate_and_skips_equal_numpy():
    lengths, codes = torch.tensor([3, 5]), codes_of((2, 5, 4), 6)
    codes[0, 3:] = -1
    bits = torch.rand(2, 5)
    bits[0, 3:] = 0
    for b, length in enumerate(lengths.tolist()):
        kept = codes[b, :length].numpy()
        assert float(skip_rate(codes, 6)[b]) == pytest.approx((kept == 6).mean())
        assert float(bits_per_frame(bits, lengths)[b]) == pytest.approx(bits[b, :length].numpy().mean(), rel=1e-6)


def test_perplexity_and_usage_equal_numpy():
    histogram = np.random.default_rng(0).integers(0, 9, (5, 11))
    shares = histogram / histogram.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(shares * np.log2(shares), axis=1)
    np.testing.assert_allclose(perplexity(torch.from_numpy(histogram)), 2**entropy, rtol=1e-9)
    np.testing.assert_allclose(usage(torch.from_numpy(histogram)), (histogram > 0).mean(1))
    assert perplexity(torch.zeros(2, 4)).isnan().all()
    assert usage(torch.zeros(2, 4)).isnan().all()


def test_histogram_counts_every_code_once_and_no_padding():
    codes, cells = codes_of((6, 9, 3), 4), torch.tensor([0, 1, 1, 0, 1, 0])
    codes[2, 5:] = -1
    metric = CodeHistogram(positions=3, codewords=4, cells=2)
    for begin in (0, 4):
        metric.update(codes[begin : begin + 4], cells[begin : begin + 4])
    expected = np.zeros((2, 3, 5), dtype=int)
    for cell, frames in zip(cells, codes, strict=True):
        for frame in frames:
            for position, code in enumerate(frame):
                if code >= 0:
                    expected[cell, position, code] += 1
    np.testing.assert_array_equal(metric.compute(), expected)


def test_wrong_codes_raise():
    metric = CodeHistogram(2, 4)
    with pytest.raises(ValueError, match="2 positions"):
        metric.update(codes_of((1, 3, 5), 4))
    with pytest.raises(ValueError, match="at most K = 4"):
        metric.update(torch.full((1, 3, 2), 5))
    with pytest.raises(ValueError, match="at least 1"):
        CodeHistogram(0, 4)
