import numpy as np
import pytest

from emoquant.data.selection import rows_by_share

NAMES = ["happy", "sad", "angry"]
LABELS = np.array([0] * 40 + [1] * 30 + [2] * 10)


def counts(rows):
    return np.bincount(LABELS[rows], minlength=3).tolist()


class TestRowsByShare:
    def test_one_emotion_takes_all_there_is_of_it(self):
        assert rows_by_share(LABELS, NAMES, {"sad": 0.3}).tolist() == list(range(40, 70))

    @pytest.mark.parametrize(
        ("shares", "expected"),
        [
            ({"happy": 1, "sad": 1}, [30, 30, 0]),
            ({"happy": 3, "sad": 1}, [40, 13, 0]),
            ({"happy": 1, "angry": 4}, [2, 0, 10]),
            ({"happy": 1, "sad": 1, "angry": 1}, [10, 10, 10]),
        ],
    )
    def test_proportions_are_as_large_as_they_can_be(self, shares, expected):
        assert counts(rows_by_share(LABELS, NAMES, shares)) == expected

    def test_a_bound_keeps_the_proportions(self):
        assert counts(rows_by_share(LABELS, NAMES, {"happy": 2, "sad": 1}, utterances=9)) == [6, 3, 0]

    def test_rows_rise_are_different_and_come_again_with_the_seed(self):
        rows = rows_by_share(LABELS, NAMES, {"happy": 1, "angry": 1}, seed=3)
        assert rows.tolist() == sorted(set(rows.tolist()))
        assert rows.tolist() == rows_by_share(LABELS, NAMES, {"angry": 1, "happy": 1}, seed=3).tolist()
        assert rows.tolist() != rows_by_share(LABELS, NAMES, {"happy": 1, "angry": 1}, seed=4).tolist()

    @pytest.mark.parametrize(
        ("shares", "message"),
        [
            ({}, "shares above 0"),
            ({"happy": 0.0}, "shares above 0"),
            ({"happy": float("nan")}, "shares above 0"),
            ({"neutral": 1}, "no utterance of neutral; its emotions are happy, sad, angry"),
        ],
    )
    def test_what_is_wrong_is_named(self, shares, message):
        with pytest.raises(ValueError, match=message):
            rows_by_share(LABELS, NAMES, shares)

    def test_fewer_utterances_than_emotions(self):
        with pytest.raises(ValueError, match="1 training utterances cannot hold 2"):
            rows_by_share(LABELS, NAMES, {"happy": 1, "sad": 1}, utterances=1)
