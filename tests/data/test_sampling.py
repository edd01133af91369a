from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoquant.data.sampling import BucketSampler, ExactSampler

lengths = st.lists(st.integers(1, 400), min_size=1, max_size=200)
ranks = st.integers(1, 9)
budgets = st.integers(1, 3000)


def rows_of(sampler):
    return [batch.rows for batch in sampler]


@given(lengths, budgets, ranks)
def test_evaluation_gives_every_utterance_once_for_any_number_of_ranks(found, budget, world):
    batches = [rows_of(ExactSampler(found, budget, rank, world)) for rank in range(world)]
    assert sorted(np.concatenate([np.concatenate(b) for b in batches if b])) == list(range(len(found)))
    assert max(map(len, batches)) - min(map(len, batches)) <= 1
    assert [len(b) for b in batches] == [len(ExactSampler(found, budget, rank, world)) for rank in range(world)]
    if len(found) >= world:
        assert all(batches)


@given(lengths, budgets, ranks, st.integers(0, 3))
def test_training_loses_nothing_and_all_ranks_have_equally_many_batches(found, budget, world, epoch):
    samplers = [BucketSampler(found, budget, 7, rank, world) for rank in range(world)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    batches = [rows_of(sampler) for sampler in samplers]
    assert {len(b) for b in batches} == {len(samplers[0])}
    counts = Counter(np.concatenate([row for b in batches for row in b]).tolist())
    assert set(counts) == set(range(len(found)))
    repeated = sum(counts.values()) - len(found)
    all_single = all(len(row) == 1 for b in batches for row in b)
    assert repeated == 0 or (all_single and repeated < world)


@given(lengths, budgets, ranks)
def test_no_batch_is_larger_than_the_budget_unless_it_is_one_utterance(found, budget, world):
    found = np.array(found)
    samplers = [BucketSampler(found, budget, 0, 0, world), ExactSampler(found, budget, 0, world)]
    for rows in (row for sampler in samplers for row in rows_of(sampler)):
        assert len(rows) == 1 or len(rows) * found[rows].max() <= budget


@given(lengths, budgets, ranks)
@settings(max_examples=30)
def test_the_number_of_batches_is_the_same_in_every_epoch(found, budget, world):
    sampler = BucketSampler(found, budget, 0, 0, world)
    counts = set()
    for epoch in range(4):
        sampler.set_epoch(epoch)
        counts.add(len(rows_of(sampler)))
    assert counts == {len(sampler)}


def test_epochs_differ_and_repeat_by_seed():
    found = np.random.default_rng(0).integers(20, 300, 300)

    def order(seed, epoch):
        sampler = BucketSampler(found, 2000, seed)
        sampler.set_epoch(epoch)
        return np.concatenate(rows_of(sampler)).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(0, 0)), tuple(order(0, 1)), tuple(order(1, 0))}) == 3


def test_buckets_keep_padding_small():
    found = np.random.default_rng(0).gamma(4, 40, 3000).astype(int) + 20
    padded = sum(len(rows) * found[rows].max() for rows in rows_of(BucketSampler(found, 6000)))
    assert found.sum() / padded > 0.85


def test_batches_come_with_their_epoch():
    sampler = BucketSampler([5, 6, 7], 6)
    sampler.set_epoch(3)
    assert {batch.epoch for batch in sampler} == {3}


@pytest.mark.parametrize(
    "call",
    [
        lambda: BucketSampler([], 10),
        lambda: BucketSampler([3, 0], 10),
        lambda: BucketSampler([3], 0),
        lambda: BucketSampler([3], 10, 0, 2, 2),
        lambda: ExactSampler([3], 10, -1, 2),
    ],
)
def test_what_is_out_of_range_is_an_error(call):
    with pytest.raises(ValueError, match=r"expected|no utterance"):
        call()


def test_nothing_to_evaluate_gives_no_batch():
    assert rows_of(ExactSampler([], 10)) == []


@given(lengths, budgets, ranks, st.integers(0, 3), st.data())
def test_a_run_that_goes_on_sees_the_rest_of_its_epoch_and_then_whole_ones(found, budget, world, epoch, data):
    rank = data.draw(st.integers(0, world - 1))
    whole, again = (BucketSampler(found, budget, 7, rank, world) for _ in range(2))
    done = data.draw(st.integers(0, len(whole)))
    whole.set_epoch(epoch)
    again.go_on(epoch, done)
    again.set_epoch(epoch)  # as Lightning does before the first batch
    assert [row.tolist() for row in rows_of(again)] == [row.tolist() for row in rows_of(whole)[done:]]
    assert len(again) == len(whole)
    for sampler in (whole, again):
        sampler.set_epoch(epoch + 1)
    assert [row.tolist() for row in rows_of(again)] == [row.tolist() for row in rows_of(whole)]


@given(lengths, budgets, ranks, st.integers(1, 4))
def test_jobs_of_an_array_measure_every_utterance_once(found, budget, world, jobs):
    parts = [
        ExactSampler(found, budget, job * world + rank, jobs * world) for job in range(jobs) for rank in range(world)
    ]
    rows = [row for part in parts for batch in rows_of(part) for row in batch.tolist()]
    assert sorted(rows) == list(range(len(found)))
    rest = ExactSampler(found, budget, 0, jobs * world, begin=1)
    assert [row.tolist() for row in rows_of(rest)] == [row.tolist() for row in rows_of(parts[0])[1:]]
