import pytest

from emoquant.data.base import Corpus, Utterance
from emoquant.data.rated import RatedCorpus


class Plain(Corpus):
    name = "plain"

    def utterances(self):
        names = [("a", "train"), ("b", "test"), ("c", "test"), ("d", "test")]
        return [Utterance(name, f"{name}.wav", "sad", "s", split, votes={"happy": 1.0}) for name, split in names]


def rated(tmp_path, text, **options):
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    return RatedCorpus(Plain(), str(path), rate="heard", **options)


def test_rates_become_votes(tmp_path):
    corpus = rated(tmp_path, "id,heard\nb,85\nc,100\nd,\n")
    found = {utterance.id: dict(utterance.votes) for utterance in corpus.utterances()}
    assert found["b"] == pytest.approx({"sad": 0.85, "unknown": 0.15})
    assert found["c"] == {"sad": 1.0}
    assert found["a"] == found["d"] == {"happy": 1.0}
    assert corpus.name == "plain"
    assert [u.id for u in rated(tmp_path, "id,heard\nb,0.5\n", full=1, only_rated=True).utterances()] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,other\nb,1\n", "lacks the columns heard"),
        ("id,heard\nb,120\n", "line 2: rate '120', expected a number from 0 to 100"),
        ("id,heard\nb,many\n", "line 2: rate 'many'"),
        ("id,heard\nx,50\n", "rates none of the utterances of 'plain'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        rated(tmp_path, text).utterances()


def test_a_missing_file_and_a_wrong_scale_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no ratings at"):
        RatedCorpus(Plain(), str(tmp_path / "none.csv")).utterances()
    with pytest.raises(ValueError, match="full is 0"):
        RatedCorpus(Plain(), "x.csv", full=0)
