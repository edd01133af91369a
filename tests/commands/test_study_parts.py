"""Parts of a study: figures of several seeds together, and what a corpus offers."""

import pytest

from emoquant.storage.results import Row
from emoquant.storage.runs import Begun
from emoquant.study.corpus import look_at, open_data
from emoquant.study.seeds import merge_seeds


class TestSeeds:
    def row(self, value, half=0.1, **more):
        return Row("c", "x", 1.0, "sad", "recall", value, value - half, value + half, 9)._replace(**more)

    def test_figures_are_means_and_intervals_hold_seeds_and_utterances(self):
        (merged,) = merge_seeds([[self.row(value)] for value in (0.4, 0.5, 0.6)])
        assert merged.value == pytest.approx(0.5)
        assert merged.seeds == 3
        between = 4.302653 * 0.1 / 3**0.5  # Student's quantile with 2 degrees of freedom, by a table
        assert merged.high - merged.value == pytest.approx((0.1**2 + between**2) ** 0.5, rel=1e-5)
        assert merged.value - merged.low == pytest.approx(merged.high - merged.value)

    def test_equal_seeds_change_nothing_but_their_number(self):
        (merged,) = merge_seeds([[self.row(0.5)]] * 2)
        assert merged == self.row(0.5)._replace(seeds=2, low=pytest.approx(0.4), high=pytest.approx(0.6))

    def test_what_a_seed_lacks_is_averaged_over_the_others(self):
        nan = float("nan")
        merged = merge_seeds([[self.row(0.5), self.row(nan, emotion="happy")], [self.row(0.7)]])
        assert [row.seeds for row in merged] == [2, 1]
        assert merge_seeds([[self.row(0.5)]]) == [self.row(0.5)]


def test_what_a_corpus_offers_is_read_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "class_path: emoquant.data.EmotionDataModule\ninit_args:\n  emotions: [angry, sad, fear]\n  corpora:\n"
    text += "    {class_path: emoquant.data.RenderedCorpus, init_args: {sentences: 5, voices: [en-us]}}\n"
    (tmp_path / "small.yaml").write_text(text)
    offer = look_at(open_data(Begun("small.yaml")))
    assert (offer.emotions, offer.lacking) == (["angry", "sad"], ["fear"])
    assert sum(offer.counts.values()) == 10
    assert (offer.votes, offer.pairs, offer.speakers) == (False, True, 1)
    assert offer.probe == ""
    assert 0.5 < offer.seconds < 5
    with pytest.raises(ValueError, match=r"no two emotions with utterances in all splits.*split: text or random"):
        look_at(open_data(Begun("small.yaml", emotions=["fear"])))
