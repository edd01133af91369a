"""Smoothing at the decoder: levels, a slow twin of the fit, and what a trained codec gains by it."""

import numpy as np
import pytest
import torch

from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.smoothing import FEWEST, LEVELS, MOST, Smoother


def coded(smoother, utterances=5, frames=12, dim=3, seed=0):
    """Return components that are noisy views of slow ones, codes and the slow ones; lengths differ."""
    generator = torch.Generator().manual_seed(seed)
    aim = torch.randn(utterances, frames, dim, generator=generator).cumsum(1)
    codes = torch.randint(0, smoother.skip + 1, (utterances, frames, 4), generator=generator)
    lengths = torch.randint(4, frames + 1, (utterances,), generator=generator)
    codes[torch.arange(frames) >= lengths.unsqueeze(1)] = -1
    noisy = (aim + torch.randn(aim.shape, generator=generator)) * (codes[..., :1] >= 0)
    return noisy, codes, aim, lengths


def rows_of(components, length, shift):
    """Return the frames beside an utterance's frames."""
    return components[[min(max(t + shift, 0), length - 1) for t in range(length)]]


def ridges(smoother, codes, missing):
    """Return what the fit adds to the squares of each weighted row: the error's variance at its level over 0.01."""
    low, share = smoother.level(codes)
    squares, frames = np.zeros(LEVELS), np.zeros(LEVELS)
    for n, valid in enumerate(codes[..., 0] >= 0):
        for level, part in ((low[n], 1 - share[n]), (low[n] + 1, share[n])):
            squares[level] += float(part) * float(missing[n][valid].square().sum())
            frames[level] += float(part) * int(valid.sum())
    return np.repeat(np.maximum(squares / np.maximum(frames, 1), 1e-9) / 0.01, 4)


def test_weights_are_those_of_a_ridge_regression_for_each_component():
    smoother = Smoother(3, 3, coarse=1, skip=6)
    components, codes, aim, lengths = coded(smoother, 40)
    sums = smoother.no_sums()
    for part in torch.arange(40).split(7):
        smoother.add(sums, components[part], codes[part], aim[part])
    smoother.fit(sums)
    low, share = smoother.level(codes)
    for d in range(3):
        rows, wanted = [], []
        for n, length in enumerate(lengths.tolist()):
            y = components[n, :length, d]
            sources = np.stack([*(rows_of(y, length, k) for k in (-1, 0, 1)), y.mean().expand(length)], 1)
            part = float(share[n])
            row = np.zeros((length, LEVELS, 4))
            row[:, int(low[n])], row[:, int(low[n]) + 1] = (1 - part) * sources, part * sources
            rows.append(row.reshape(length, -1))
            wanted.append((aim[n, :length, d] - y).numpy())
        rows, wanted = np.concatenate(rows), np.concatenate(wanted)
        expected = np.linalg.solve(
            rows.T @ rows + np.diag(ridges(smoother, codes, (aim - components)[..., d])), rows.T @ wanted
        )
        np.testing.assert_allclose(smoother.weights[..., d].flatten(), expected, rtol=1e-3, atol=1e-5)
    valid = codes[..., 0] >= 0
    before, after = ((each - aim)[valid].square().mean() for each in (components, smoother(components, codes)))
    assert after < 0.7 * before


def test_an_utterance_is_smoothed_alike_alone_and_in_a_batch():
    smoother = Smoother(5, 3, coarse=1, skip=6)
    smoother.weights.normal_(generator=torch.Generator().manual_seed(1))
    components, codes, _, lengths = coded(smoother)
    together = smoother(components, codes)
    for n, length in enumerate(lengths.tolist()):
        alone = smoother(components[n : n + 1, :length], codes[n : n + 1, :length])[0]
        torch.testing.assert_close(together[n, :length], alone, rtol=1e-6, atol=1e-6)


def test_levels_go_by_codes_that_are_sent():
    smoother = Smoother(1, 2, coarse=1, skip=6)
    nothing = torch.tensor([[[3, 6, 6, 6]] * 8])
    assert [each.item() for each in smoother.level(nothing)] == [0, 0.0]
    every = torch.zeros(1, 8, 200, dtype=torch.int64)
    assert [each.item() for each in smoother.level(every)] == [LEVELS - 2, 1.0]
    one = torch.cat([nothing, torch.full((1, 1, 4), -1)], 1)
    one[0, :8:2, 1] = 0  # half a code a frame
    low, share = smoother.level(one)
    octaves = np.log2((0.5 + FEWEST) / FEWEST) / np.log2(MOST / FEWEST)
    assert float(low + share) == pytest.approx(octaves * (LEVELS - 1), rel=1e-5)


def test_a_quantizer_decodes_smoothed_frames_and_skip_stays_the_mean():
    quantizer = GroupedResidualVQ(2, 1, 3, prediction=True, coarse=1, dim=4, smoothing=3)
    generator = torch.Generator().manual_seed(0)
    for books in (quantizer.fine, quantizer.rough):
        books.set(torch.randn(books.vectors.shape, generator=generator))
    quantizer.transform.mean.fill_(2.0)
    codes = torch.randint(0, 4, (2, 6, 3), generator=generator)
    plain = quantizer.decode(codes)
    quantizer.smoother.weights[:, 1] = -0.5
    quantizer.smoother.weights[:, 2] = 0.5
    following = torch.cat([plain[:, 1:], plain[:, -1:]], 1)
    torch.testing.assert_close(quantizer.decode(codes), (plain + following) / 2)
    assert torch.equal(quantizer.decode(torch.full((1, 3, 3), 3)), torch.full((1, 3, 4), 2.0))
    assert GroupedResidualVQ(**quantizer.settings()).smoother.weights.shape == (LEVELS, 4, 4)
    with pytest.raises(ValueError, match="smoothing must be 0 or an odd number of frames, not 4"):
        GroupedResidualVQ(2, dim=4, smoothing=4)
