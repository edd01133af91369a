import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoquant.data.splits import held_out, split_by_both, split_by_group, split_by_policy

names = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=3, max_size=60).filter(lambda n: len(set(n)) >= 3)


@given(names, st.integers(0, 5))
def test_no_group_is_in_two_splits_and_every_split_has_one(groups, seed):
    splits = split_by_group(groups, seed=seed)
    of = {}
    for group, split in zip(groups, splits, strict=True):
        assert of.setdefault(group, split) == split
    assert set(of.values()) == {"train", "validation", "test"}


@given(names, st.integers(0, 5))
def test_the_order_of_the_utterances_does_not_matter(groups, seed):
    assert held_out(groups, 0.2, seed) == held_out(sorted(set(groups)), 0.2, seed) == held_out(groups[::-1], 0.2, seed)


@pytest.mark.parametrize(("count", "expected"), [(2, 1), (5, 1), (10, 2), (24, 5), (91, 18)])
def test_a_fifth_of_the_groups_rounded_at_least_one(count, expected):
    assert len(held_out([f"s{i}" for i in range(count)])) == expected


def test_another_seed_holds_out_others():
    groups = [f"s{i}" for i in range(50)]
    assert held_out(groups, seed=0) != held_out(groups, seed=1)


def test_the_choice_is_the_same_for_ever():
    assert sorted(held_out([f"{i:04d}" for i in range(11, 21)])) == ["0015", "0019"]


def test_a_new_group_moves_few_others():
    before = held_out([f"s{i}" for i in range(50)])
    after = held_out([f"s{i}" for i in range(51)])
    assert len(before - after) <= 1


def test_both_holds_out_a_speaker_and_sentences():
    pairs = [(f"s{s}", f"t{t}") for s in range(5) for t in range(20)]
    splits = split_by_both([s for s, _ in pairs], [t for _, t in pairs])
    parts = {
        split: {pair for pair, found in zip(pairs, splits, strict=True) if found == split} for split in set(splits)
    }
    seen = {s for s, _ in parts["train"]}
    unseen = {s for s, _ in parts["test"]} - seen
    assert len(unseen) == 1
    assert {s for s, _ in parts["validation"]} <= seen
    trained = {t for _, t in parts["train"]}
    assert not trained & {t for s, t in parts["test"] if s in seen}
    assert not trained & {t for _, t in parts["validation"]}
    assert {t for s, t in parts["test"] if s in unseen} == {f"t{t}" for t in range(20)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: split_by_group(["a", "b"]), r"2 speakers \(a, b\) where at least 3 are needed"),
        (lambda: split_by_group(["a", "", "c"]), "utterance 1 of the corpus has no speaker"),
        (lambda: held_out(["a"]), "at least two"),
        (lambda: held_out(["a", "b"], 1.5), "between 0 and 1"),
        (lambda: split_by_both(["a", "a", "a"], ["x", "y", "z"]), r"1 speaker \(a\) where at least 2"),
        (lambda: split_by_policy("room", ["a"], ["b"], 0.2, 0.1, 0), "expected 'speaker', 'text' or 'both'"),
    ],
)
def test_what_cannot_be_split_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
