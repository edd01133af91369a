"""Codebooks of single emotions on features where emotions are built in, and on features where they are not."""

import pytest
import torch
from tiny_world import DIM, EMOTIONS, CentroidHead, joined, planted_batches

from emoquant.codecs import Cascade, Nearest
from emoquant.metrics import Blocks, ReferenceVectors, SweepMetrics
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise


def labelled(seed, real=True):
    """Return utterances with emotions, or with the same features under labels that mean nothing."""
    batch = joined(planted_batches(240, seed=seed))
    if real:
        return batch
    shuffled = torch.randperm(240, generator=torch.Generator().manual_seed(seed))
    return batch._replace(emotions=batch.emotions[shuffled])


def codebook(batch, *emotions, name=None):
    """Return the nearest codewords of codebooks fitted to some emotions' frames."""
    chosen = torch.isin(batch.emotions, torch.tensor([EMOTIONS.index(emotion) for emotion in emotions]))
    quantizer = GroupedResidualVQ(groups=2, layers=1, codewords=8, rotation="klt", dim=DIM)
    initialise(quantizer, batch.features[chosen], batch.lengths[chosen], 0)
    return Nearest(quantizer, name or "_".join(emotions))


def measured(codecs, train, test):
    references = ReferenceVectors(EMOTIONS, DIM)
    references.update(train)
    sweep = SweepMetrics(codecs, EMOTIONS, references.compute(), CentroidHead(), Blocks(), replicates=200)
    sweep.update(test)
    return {(row.codec, row.emotion, row.metric): row for row in sweep.compute()}


@pytest.fixture(scope="module")
def biased():
    train, test = labelled(0), labelled(1)
    return measured([codebook(train, emotion) for emotion in EMOTIONS], train, test)


@pytest.fixture(scope="module")
def meaningless():
    train, test = labelled(0, real=False), labelled(1, real=False)
    return measured([codebook(train, emotion) for emotion in EMOTIONS], train, test)


def test_planted_attraction_is_found(biased):
    for trained in EMOTIONS:
        for emotion in EMOTIONS:
            row = biased[trained, emotion, f"attraction/{trained}"]
            if emotion == trained:
                assert -3.0 < row.value < 1.0
            else:
                assert row.high < -20.0, (trained, emotion, row)


def test_attraction_that_is_not_there_is_not_found(biased, meaningless):
    def pull(rows):
        pairs = [(trained, emotion) for trained in EMOTIONS for emotion in EMOTIONS if trained != emotion]
        towards = [rows[t, e, f"attraction/{t}"].value for t, e in pairs]
        elsewhere = [rows[t, e, f"attraction/{e}"].value for t, e in pairs]
        return sum(towards) / len(towards) - sum(elsewhere) / len(elsewhere)

    assert pull(biased) < -5.0
    assert abs(pull(meaningless)) < 0.1 * abs(pull(biased))


def test_matched_codebooks_keep_similarity_and_recall(biased, meaningless):
    def advantage(rows, metric):
        own = sum(rows[e, e, metric].value for e in EMOTIONS) / 4
        other = sum(rows[t, e, metric].value for t in EMOTIONS for e in EMOTIONS if t != e) / 12
        return own - other

    assert advantage(biased, "utterance_similarity") > 0.03
    assert advantage(biased, "recall") > 0.5
    assert abs(advantage(meaningless, "utterance_similarity")) < 0.01
    assert abs(advantage(meaningless, "recall")) < 0.1
    assert all(biased[t, e, f"predicted/{t}"].value > 0.8 for t in EMOTIONS for e in EMOTIONS)


def between(real):
    """Return similarity to happy of coded neutral speech, by a codebook of happy, of happy + sad, and of sad."""
    train, test = labelled(0, real), labelled(1, real)
    codecs = [codebook(train, "happy"), codebook(train, "happy", "sad", name="mixed"), codebook(train, "sad")]
    rows = measured(codecs, train, test)
    own = [rows["mixed", emotion, "recall"].value for emotion in ("happy", "sad")]
    return [rows[codec.name, "neutral", "similarity_to/happy"].value for codec in codecs], own


def test_a_mixed_codebook_leaves_what_is_foreign_between_its_emotions():
    (happy, mixed, sad), own = between(real=True)
    assert happy > mixed + 0.03
    assert mixed > sad + 0.03
    assert min(own) > 0.9


def test_codebooks_of_labels_that_mean_nothing_leave_everything_alike():
    (happy, mixed, sad), _ = between(real=False)
    assert max(happy, mixed, sad) - min(happy, mixed, sad) < 0.03


@pytest.mark.parametrize("first", ["neutral", "all"])
def test_a_first_codebook_takes_the_own_emotion_away_only_where_it_lacks_it(first):
    train, test = labelled(0), labelled(1)
    before = codebook(train, *(EMOTIONS if first == "all" else [first]), name=first)
    mixed = codebook(train, "happy", "angry", name="direct")
    rows = measured([mixed, Cascade(before, mixed, at=0.0, name="cascade")], train, test)
    kept = {codec: rows[codec, "angry", "recall"].value for codec in ("direct", "cascade")}
    assert kept["direct"] > 0.9
    if first == "neutral":
        assert kept["cascade"] < kept["direct"] - 0.3
    else:
        assert kept["cascade"] > kept["direct"] - 0.1


@pytest.mark.parametrize("many", ["happy", "sad"])
def test_usage_per_emotion_is_that_of_the_planted_codes(many):
    class Planted(Nearest):
        def forward(self, features, lengths, points=None):
            coded = super().forward(features, lengths, points)
            codes = torch.arange(features.shape[1]).remainder(4).view(1, 1, -1, 1).expand_as(coded.codes).clone()
            codes[:, test.emotions != EMOTIONS.index(many)] = 2
            return coded._replace(codes=torch.where(coded.codes < 0, -1, codes).to(torch.int16))

    train, test = labelled(0), labelled(1)
    rows = measured([Planted(codebook(train, *EMOTIONS).quantizer, "planted")], train, test)
    for emotion in EMOTIONS:
        perplexity = rows["planted", emotion, "codebook_perplexity"].value
        assert perplexity == pytest.approx(4.0, abs=0.5) if emotion == many else perplexity == pytest.approx(1.0)
