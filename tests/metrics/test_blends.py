"""Presence and salience of blends, against an independent reading of predictions as lists of emotions and parts."""

import itertools

import pytest
import torch

from emoquant.metrics.blends import Thresholds, chance, fit_thresholds, hits

WAY = Thresholds(0.2, 0.4)


def said(likely):
    """Return what is heard as a dictionary of emotions and percent, as BLEMORE writes predictions."""
    one, other = likely.argsort(descending=True)[:2].tolist()
    smaller = float(likely[other] / (likely[one] + likely[other]))
    if smaller < WAY.present:
        return {one: 100}
    return {one: 50, other: 50} if smaller >= WAY.equal else {one: 70, other: 30}


@pytest.mark.parametrize("share", [0.5, 0.7, 0.3, 1.0])
def test_accuracies_are_those_of_predictions_as_sets_and_parts(share):
    likely = torch.rand(200, 4, generator=torch.Generator().manual_seed(0)) ** 3
    pairs = list(itertools.permutations(range(4), 2))
    first, second = torch.tensor([pairs[row % len(pairs)] for row in range(200)]).T
    second = second if share < 1 else torch.full_like(second, -1)
    found = hits(likely, first, second, share, WAY)
    assert 0 < int(found[:, 0].sum()) < 200
    for row in range(200):
        one, other = int(first[row]), int(second[row])
        truth = {one: 100} if share == 1 else {one: round(100 * share), other: round(100 * (1 - share))}
        heard = said(likely[row])
        assert bool(found[row, 0]) == (set(heard) == set(truth))
        assert bool(found[row, 1]) == (share < 1 and heard == truth)


def test_thresholds_divide_what_can_be_divided():
    likely = [
        torch.tensor([[0.9, 0.05, 0.05]] * 5),  # one emotion: 0.05 of 0.95
        torch.tensor([[0.66, 0.3, 0.04]] * 5),
        torch.tensor([[0.47, 0.46, 0.07]] * 5),
    ]
    zeros = torch.zeros(5, dtype=torch.int64)
    found = fit_thresholds(likely, [(zeros, zeros - 1, 1.0), (zeros, zeros + 1, 0.7), (zeros, zeros + 1, 0.5)])
    assert 0.0527 < found.present <= 0.3125
    assert 0.3125 < found.equal <= 0.49
    never = fit_thresholds(likely[:1], [(zeros, zeros - 1, 1.0)])
    assert never.present > 0.05


def test_chance_is_that_of_a_guess():
    singles, pairs = 4, 6
    assert chance(4) == (1 / (singles + pairs), 1 / (singles + 3 * pairs))
