"""Intervals clustered by speaker stay where a figure can be."""

import math

import pytest
import torch

from emoquant.metrics.clustered import Clusters, with_clusters
from emoquant.metrics.ratios import Figure
from emoquant.storage.results import Row


class Mean:
    """A measure of one sum: its mean over utterances, under a name."""

    width = 2

    def __init__(self, name, share=False):
        self.name, self.share = name, share

    def figures(self, sums):
        above, below = sums.sum(-2).unbind(-1)
        return [Figure(self.name, (above / below)[..., None], below[..., None], pooled=True, share=self.share)]


@pytest.mark.parametrize(
    ("name", "share", "inside"), [("uar", False, True), ("recall", True, True), ("kl", False, False)]
)
def test_only_figures_between_0_and_1_are_cut(name, share, inside):
    right = torch.tensor([9.0, 3.0], dtype=torch.float64)  # of two speakers with ten utterances each
    sums = torch.stack([right, torch.full((2,), 10.0, dtype=torch.float64)], -1)[:, None, None]  # (S, C, O, M)
    row = Row("corpus", "codec", 0.0, "all", name, 0.6, math.nan, math.nan, 20)
    (found,) = with_clusters([row], [Mean(name, share)], Clusters(sums, torch.full((2, 1), 10)))
    assert found.speakers == 2
    # Leaving out a speaker gives 0.3 and 0.9: a standard error of 0.3, times Student's t of one degree of freedom.
    low, high = 0.6 - 12.706 * 0.3, 0.6 + 12.706 * 0.3
    expected = (0.0, 1.0) if inside else (low, high)
    assert (found.speaker_low, found.speaker_high) == pytest.approx(expected, abs=1e-3)
