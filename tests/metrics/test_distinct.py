import pytest
import torch

from emoquant.metrics import DistinctOutputs, count_distinct, output_hashes
from emoquant.metrics.distinct import pool_distinct


def hashes(number, seed=0):
    return torch.randint(0, 2**62, (number,), generator=torch.Generator().manual_seed(seed))


def test_outputs_are_told_apart_by_their_codes_and_not_by_their_length():
    frame = torch.tensor([3, 1, 4])
    codes = torch.stack([frame.expand(6, 3), frame.expand(6, 3), frame.expand(6, 3), frame.expand(6, 3)]).clone()
    codes[0, 2:] = -1  # shorter, same output
    codes[2, 3] = torch.tensor([3, 1, 5])  # one frame differs
    codes[3, 0] = torch.tensor([1, 3, 4])  # positions swapped
    found = output_hashes(codes, torch.zeros(4, 6, 2), torch.tensor([2, 6, 6, 6])).tolist()
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_the_order_of_frames_counts():
    codes = torch.tensor([[[0], [1], [2]], [[0], [2], [1]], [[0], [1], [2]]])
    found = output_hashes(codes, torch.zeros(3, 3, 1), torch.tensor([3, 3, 3])).tolist()
    assert found[0] == found[2] != found[1]


def test_random_codes_do_not_collide_and_padding_changes_nothing():
    codes = torch.randint(0, 129, (2000, 5, 36), generator=torch.Generator().manual_seed(1), dtype=torch.int16)
    lengths = torch.full((2000,), 5)
    found = output_hashes(codes, torch.zeros(2000, 5, 1), lengths)
    assert len(set(found.tolist())) == 2000
    padded = torch.cat([codes, torch.full((2000, 3, 36), -1, dtype=torch.int16)], 1)
    assert torch.equal(output_hashes(padded, torch.zeros(2000, 8, 1), lengths), found)


def test_a_codec_without_codes_is_told_apart_by_its_features():
    features = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    features[2] = features[0]
    found = output_hashes(torch.zeros(3, 4, 0), features, torch.full((3,), 4)).tolist()
    assert found[0] == found[2] != found[1]


def test_count_is_exact_below_the_bound_and_close_above_it():
    metric = DistinctOutputs(cells=1, bound=256)
    values = hashes(255)
    for part in torch.cat([values, values.flip(0)])[None].split(100, dim=-1):
        metric.update(part)
    assert count_distinct(metric.compute()).item() == 255
    large = DistinctOutputs(cells=1, bound=256)
    for part in hashes(20_000, seed=5)[None].split(3000, dim=-1):
        large.update(part)
    assert count_distinct(large.compute()).item() == pytest.approx(20_000, rel=0.2)


def test_order_batches_and_processes_do_not_matter():
    values = hashes(900, seed=2)[None]
    one, many = DistinctOutputs(bound=64), DistinctOutputs(bound=64)
    one.update(values)
    for part in values.flip(-1).split(37, dim=-1):
        many.update(part)
    assert torch.equal(one.compute(), many.compute())
    halves = DistinctOutputs(bound=64), DistinctOutputs(bound=64)
    for half, part in zip(halves, values.chunk(2, -1), strict=True):
        half.update(part)
    merged = halves[0]._reductions["kept"](torch.stack([half.kept for half in halves]))
    assert torch.equal(merged, one.compute())


def test_kinds_pool_to_their_union():
    metric = DistinctOutputs(cells=2, bound=8)
    empty = 2**62
    metric.update(torch.tensor([[1, 2, 3, empty], [3, 4, empty, empty]]))
    assert count_distinct(metric.compute()).tolist() == [3, 2]
    assert count_distinct(pool_distinct(metric.compute())).item() == 4


def test_wrong_sizes_raise():
    with pytest.raises(ValueError, match="bound at least 3"):
        DistinctOutputs(bound=2)
