"""Intervals clustered by speaker stay where a figure can be."""

import math

import pytest
import torch

from emoquant.metrics.clustered import Clusters, with_clusters
from emoquant.metrics.decisions import Decisions, Recognition
from emoquant.metrics.ratios import Figure
from emoquant.metrics.votes import Votes
from emoquant.storage.results import Row


class Mean:
    """A measure of one sum: its mean over utterances, under a name."""

    width = 2

    def __init__(self, share, unit):
        self.share, self.unit = share, unit

    def figures(self, sums):
        above, below = sums.sum(-2).unbind(-1)
        values, counts = (above / below)[..., None], below[..., None]
        return [Figure("mean", values, counts, pooled=True, share=self.share, unit=self.unit)]


@pytest.mark.parametrize(("share", "unit", "inside"), [(False, True, True), (True, False, True), (False, False, False)])
def test_only_figures_between_0_and_1_are_cut(share, unit, inside):
    right = torch.tensor([9.0, 3.0], dtype=torch.float64)  # of two speakers with ten utterances each
    sums = torch.stack([right, torch.full((2,), 10.0, dtype=torch.float64)], -1)[:, None, None]  # (S, C, O, M)
    row = Row("corpus", "codec", 0.0, "all", "mean", 0.6, math.nan, math.nan, 20)
    (found,) = with_clusters([row], [Mean(share, unit)], Clusters(sums, torch.full((2, 1), 10)))
    assert found.speakers == 2
    # Leaving out a speaker gives 0.3 and 0.9: a standard error of 0.3, times Student's t of one degree of freedom.
    low, high = 0.6 - 12.706 * 0.3, 0.6 + 12.706 * 0.3
    expected = (0.0, 1.0) if inside else (low, high)
    assert (found.speaker_low, found.speaker_high) == pytest.approx(expected, abs=1e-3)


def test_measures_say_which_of_their_figures_lie_between_0_and_1():
    emotions = ["angry", "sad"]
    measures = [Recognition(emotions, emotions), Decisions(emotions, emotions), Votes(emotions, emotions)]
    figures = [each for measure in measures for each in measure.figures(torch.ones(1, 2, measure.width).double())]
    bounded = {each.metric for each in figures if each.share or each.unit}
    assert bounded == {
        "recall", "precision", "f1", "uar", "accuracy", "predicted/angry", "predicted/sad", "agreement", "confidence",
        "margin", "probability/angry", "probability/sad", "js_divergence", "top2_accuracy",
    }  # fmt: skip
    assert {each.metric for each in figures} - bounded == {
        "label_information", "label_entropy", "kl", "vote_entropy", "vote_cross_entropy",
    }  # fmt: skip
    assert {each.metric for each in figures if each.pooled} >= {"f1", "uar", "confidence", "js_divergence"}
