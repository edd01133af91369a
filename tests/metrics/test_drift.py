import numpy as np
import pytest
import torch

from emoquant.metrics import attraction, drift_towards, null_drift, random_directions, remaining_distance


@pytest.fixture
def moved():
    random = torch.Generator().manual_seed(2)
    before, after = torch.randn(6, 16, generator=random) + 1, torch.randn(3, 6, 16, generator=random) + 1
    own, target = torch.randn(6, 16, generator=random), torch.randn(16, generator=random)
    return before, after, own, target


def numpy_cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_drift_and_attraction_equal_numpy(moved):
    before, after, own, target = moved
    drifts, turns = drift_towards(before, after, own, target), attraction(before, after, target)
    left = remaining_distance(before, after, target)
    t = target.double().numpy()
    for o in range(3):
        for b in range(6):
            x, y, c = (v.double().numpy() for v in (before[b], after[o, b], own[b]))
            gain = [numpy_cosine(y, v) - numpy_cosine(x, v) for v in (t, c)]
            assert float(drifts[o, b]) == pytest.approx(gain[0] - gain[1], abs=1e-9)
            degrees = np.degrees(np.arccos(numpy_cosine(y, t)) - np.arccos(numpy_cosine(x, t)))
            assert float(turns[o, b]) == pytest.approx(degrees, abs=1e-7)
            assert float(left[o, b]) == pytest.approx(np.linalg.norm(y - t) / np.linalg.norm(x - t), rel=1e-6)


def test_null_drift_equals_moving_every_vector_along_every_direction(moved):
    before, after, own, target = moved
    directions = random_directions(16, pairs=5, seed=1)
    found = null_drift(before, after, own, target, directions)
    for o in range(3):
        for b in range(6):
            step = torch.linalg.vector_norm(after[o, b].double() - before[b])
            drifts = [
                drift_towards(before[b : b + 1], (before[b].double() + step * u)[None], own[b], target)
                for u in directions
            ]
            assert float(found[o, b]) == pytest.approx(float(torch.stack(drifts).mean()), abs=1e-9)


def test_nothing_moved_is_no_drift(moved):
    before, _, own, target = moved
    directions = random_directions(16, pairs=3)
    for found in (drift_towards(before, before, own, target), null_drift(before, before, own, target, directions)):
        torch.testing.assert_close(found, torch.zeros(6, dtype=torch.float64), atol=1e-12, rtol=0)
    assert attraction(before, before, target).abs().max() < 1e-9
    torch.testing.assert_close(remaining_distance(before, before, target), torch.ones(6, dtype=torch.float64))


def test_directions_are_unit_opposite_and_seeded():
    directions = random_directions(32, pairs=4, seed=7)
    torch.testing.assert_close(torch.linalg.vector_norm(directions, dim=-1), torch.ones(8, dtype=torch.float64))
    assert torch.equal(directions[:4], -directions[4:])
    assert torch.equal(directions, random_directions(32, pairs=4, seed=7))
    assert not torch.equal(directions, random_directions(32, pairs=4, seed=8))


def test_the_zero_vector_has_no_direction_but_a_distance(moved):
    before, after, own, _ = moved
    zero = torch.zeros(16)
    assert drift_towards(before, after, own, zero).isnan().all()
    assert null_drift(before, after, own, zero, random_directions(16, 2)).isnan().all()
    torch.testing.assert_close(
        remaining_distance(before, 0.25 * before, zero), torch.full((6,), 0.25, dtype=torch.float64)
    )
