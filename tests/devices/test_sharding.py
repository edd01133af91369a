"""Batches by length always end, and hold one item at least."""

import pytest

from emoquant.devices.sharding import by_length


@pytest.mark.parametrize("most", [0, 1])
def test_a_batch_holds_one_item_at_least(most):
    assert list(by_length([1, 3, 2], 10.0, most)) == [[1], [2], [0]]


def test_items_without_length_are_bounded_by_their_number():
    assert list(by_length([0.0, 0.0, 0.0], 10.0, 2)) == [[0, 1], [2]]
