from pathlib import Path

import pytest

from emoquant.data.base import Corpus, Utterance
from emoquant.data.folds import split_in_fold
from emoquant.data.iemocap import IEMOCAP
from emoquant.devices.sharding import Share, parse_shard


class Planted(Corpus):
    name = "planted"

    def utterances(self):
        return [Utterance(f"u{n}", Path("a.wav"), "sad", f"s{n % 7}", "train") for n in range(70)]


def test_every_speaker_is_tested_once_and_in_one_split_of_a_fold():
    corpus, tested = Planted(), []
    for number in range(3):
        parts = {}
        for utterance in corpus.utterances_in(Share(number, 3)):
            parts.setdefault(utterance.split, set()).add(utterance.speaker)
        assert sorted(speaker for part in parts.values() for speaker in part) == sorted(f"s{n}" for n in range(7))
        assert set(parts) == {"train", "validation", "test"}
        tested += parts["test"]
    assert sorted(tested) == [f"s{n}" for n in range(7)]


def test_sessions_of_iemocap_stay_together():
    corpus = IEMOCAP("nowhere")
    groups = [corpus.fold_group(Utterance("u", Path("a"), "sad", f"Ses0{n}{sex}", "")) for n in (1, 2) for sex in "FM"]
    assert groups == ["Ses01", "Ses01", "Ses02", "Ses02"]


@pytest.mark.parametrize("text", ["5/5", "1", "a/3", "-1/3", ""])
def test_wrong_folds_are_named(text):
    with pytest.raises(ValueError, match="expected NUMBER/COUNT"):
        parse_shard(text, "fold")


def test_too_few_speakers_are_said():
    with pytest.raises(ValueError, match="2 folds of 4 speakers or sessions: expected at least 3"):
        split_in_fold(list("abcd"), Share(0, 2))
    with pytest.raises(ValueError, match="5 folds of 4 speakers"):
        split_in_fold(list("abcd"), Share(0, 5))
    with pytest.raises(ValueError, match="utterance 1 of the corpus has no speaker"):
        split_in_fold(["a", "", "b"], Share(0, 3))
