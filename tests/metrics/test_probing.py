"""Probes read what is planted and nothing else; rates of verification are those of scikit-learn's curve."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve

from emoquant.metrics.estimates import Estimates, class_mean, mean
from emoquant.metrics.probing import answers, code_histograms, question
from emoquant.metrics.verification import Trials, equal_error_rates, trials


def planted(seed=0, count=120, dim=30):
    """Return vectors whose first dimension tells two classes apart, their classes, and groups that tell nothing."""
    random = torch.Generator().manual_seed(seed)
    classes = torch.arange(count) % 2
    vectors = torch.randn(count, dim, generator=random)
    vectors[:, 0] += 4 * (classes - 0.5)
    return vectors, ["ab"[kind] for kind in classes], [f"g{index // 2 % 6}" for index in range(count)]


def test_a_probe_finds_what_is_planted_and_not_noise():
    vectors, labels, groups = planted()
    asked = question(labels, groups)
    assert float(answers(vectors, asked).mean()) > 0.9
    random = torch.Generator().manual_seed(1)
    assert 0.3 < float(answers(torch.randn(120, 30, generator=random), asked).mean()) < 0.7


def test_groups_are_never_on_both_sides():
    # the vector is the group: whoever saw the group would answer, but every group is in one part
    labels = ["a", "b"] * 3 + ["b", "a"] * 3
    groups = [f"g{index // 2}" for index in range(12)]
    vectors = torch.eye(12)
    asked = question(labels, groups)
    assert len(set(asked.folds.tolist())) == 5
    for group in set(groups):
        assert len({int(asked.folds[index]) for index in range(12) if groups[index] == group}) == 1
    assert float(answers(vectors, asked).mean()) <= 0.5


def test_classes_of_one_group_are_not_asked_about():
    asked = question(["a", "b", "a", "b", "c", ""], ["x", "x", "y", "y", "x", "y"])
    assert asked.names == ["a", "b"]
    assert asked.classes.tolist() == [0, 1, 0, 1, -1, -1]


def test_histograms_ignore_padding():
    codes = torch.tensor([[[0, 1], [1, 1], [1, 0]]])
    found = code_histograms(codes, torch.tensor([2]), 2)
    assert found[0].square().tolist() == pytest.approx([0.5, 0.5, 0.0, 1.0])


def test_rates_are_those_of_the_roc_curve():
    random = np.random.default_rng(0)
    own = random.random(400) < 0.3
    scores = np.round(random.standard_normal(400) + own, 1)  # with equal scores
    found = Trials(torch.from_numpy(scores), torch.from_numpy(own), torch.arange(400))
    accepted, hit, _ = roc_curve(own, scores, drop_intermediate=False)
    nearest = np.abs(1 - hit - accepted).argmin()
    expected = (1 - hit + accepted)[nearest] / 2
    weights = torch.ones(2, 400, dtype=torch.float64)
    weights[1] = torch.from_numpy(random.integers(0, 3, 400)).double()
    both = equal_error_rates(found, weights)
    assert float(both[0]) == pytest.approx(expected)
    accepted, hit, _ = roc_curve(own, scores, sample_weight=weights[1].numpy(), drop_intermediate=False)
    nearest = np.abs(1 - hit - accepted).argmin()
    assert float(both[1]) == pytest.approx((1 - hit + accepted)[nearest] / 2)


def test_an_utterance_is_not_compared_with_itself():
    recordings = torch.eye(4)
    found = trials(recordings, recordings, torch.tensor([0, 0, 1, 1]))
    assert found.scores[found.own].tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="two at least, with two utterances each"):
        trials(recordings, recordings, torch.tensor([0, 0, 0, 1]))


def test_rows_have_value_interval_and_number():
    values = torch.tensor([1.0, 0.0, float("nan"), 1.0] * 20)
    estimates = Estimates("tiny", torch.arange(80) % 4, replicates=200)
    row = estimates.row("codec", 1.0, "some", mean(values), 60)
    assert row.value == pytest.approx(2 / 3)
    assert row.low < row.value < row.high
    assert (row.n, row.interval) == (60, "utterances")
    certain = estimates.row("codec", 1.0, "some", class_mean(torch.ones(80), torch.arange(80) % 3 - 1))
    assert (certain.value, certain.high) == (1.0, 1.0)
    assert 0.9 < certain.low < 1.0
