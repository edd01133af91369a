import math

import numpy as np
import pytest
import torch
from tiny_world import DIM, EMOTIONS, planted_batches

from emoquant.metrics import Blocks, Crossed, CrossedVectors, triplet_rows, triplet_shares, utterance_vectors
from emoquant.metrics.tabulate import Sampling, Subject


def crossed_corpus(emotion=1.0, text=0.0, speaker=0.0, noise=0.3, seed=0, speakers=4, texts=3):
    random = np.random.default_rng(seed)
    labels = np.array([(e, s, t) for e in range(3) for s in range(speakers) for t in range(texts)])
    parts = [random.normal(size=(count, 24)) for count in (3, speakers, texts)]
    weights = (emotion, speaker, text)
    vectors = sum(w * part[labels[:, column]] for column, (w, part) in enumerate(zip(weights, parts, strict=True)))
    vectors = vectors + noise * random.normal(size=vectors.shape)
    e, s, t = torch.from_numpy(labels).T
    return Crossed(torch.from_numpy(vectors), e, s, t, torch.arange(len(labels)))


def by_hand(crossed):
    """Count triplets one by one, in numpy."""
    x, e, s, t = (each.numpy() for each in crossed[:4])
    cosine = x @ x.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
    found = np.full((len(x), 3), np.nan)
    for a in range(len(x)):
        scores = [[], [], []]
        for p in range(len(x)):
            kind = {(False, True): 0, (True, False): 1, (False, False): 2}.get((t[p] == t[a], s[p] == s[a]))
            if kind is None or e[p] != e[a] or min(t[a], t[p]) < 0:
                continue
            for n in range(len(x)):
                if e[n] != e[a] and t[n] == t[a] and s[n] == s[a]:
                    scores[kind].append(float(cosine[a, p] > cosine[a, n]) + 0.5 * float(cosine[a, p] == cosine[a, n]))
        for kind, each in enumerate(scores):
            if each:
                found[a, kind] = np.mean(each)
    return found


@pytest.mark.parametrize("unknown", [False, True])
def test_triplets_are_those_that_are_counted_one_by_one(unknown):
    crossed = crossed_corpus(0.5, 0.4, 0.6, seed=3)
    if unknown:
        crossed.texts[::5] = -1
    np.testing.assert_allclose(triplet_shares(crossed), by_hand(crossed), atol=1e-12)


def test_planted_emotion_text_and_speaker_are_told_apart():
    emotion, text, speaker = (
        np.nanmean(triplet_shares(crossed_corpus(**weights, seed=1)), 0)
        for weights in ({"emotion": 2.0}, {"emotion": 0.3, "text": 2.0}, {"emotion": 0.3, "speaker": 2.0})
    )
    assert emotion.min() > 0.95
    assert text[0] < 0.2
    assert text[2] < 0.2 < text[1]
    assert speaker[1] < 0.2
    assert speaker[2] < 0.2 < speaker[0]


def test_rows_have_both_kinds_of_interval_and_kept_vectors_are_those_of_the_batches():
    crossed = crossed_corpus(1.0, 0.5, 0.5)
    subject, sampling = Subject("c", "", (), tuple(EMOTIONS[:3])), Sampling("utterances", 200, 0)
    speakers = Blocks(range(4), least=2)
    rows = triplet_rows(crossed, subject, Blocks(), sampling, speakers, "lda")
    row = next(row for row in rows if (row.metric, row.emotion) == ("triplet_accuracy@lda/text", "all"))
    shares = by_hand(crossed)
    assert row.value == pytest.approx(np.nanmean(shares[:, 0]))
    assert row.n == 36
    assert math.isnan(row.lmbda)
    means = np.array([np.nanmean(shares[crossed.speakers.numpy() != s, 0]) for s in range(4)])
    reach = 3.182446 * math.sqrt(3 / 4 * ((means - means.mean()) ** 2).sum())
    assert (row.speaker_low, row.speaker_high) == pytest.approx(
        (max(0.0, row.value - reach), row.value + reach), abs=1e-6
    )
    assert row.speakers == 4
    assert row.low < row.value < row.high


def test_a_corpus_without_texts_has_no_triplets():
    crossed = crossed_corpus()._replace(texts=torch.full((36,), -1))
    assert not triplet_rows(crossed, Subject("c", "", (), tuple(EMOTIONS[:3])), Blocks(), Sampling("", 10, 0))


def test_kept_vectors_are_those_of_the_utterances_that_came():
    batches = planted_batches()
    count = sum(len(batch.lengths) for batch in batches)
    texts = [f"text {row % 3}" if row else "" for row in range(count)]
    kept = CrossedVectors([0] * count, list(range(count)), texts, DIM)
    for batch in batches[1:]:
        kept.update(batch)
    found = kept.compute()
    rows = torch.cat([batch.utterances for batch in batches[1:]])
    vectors = torch.cat([utterance_vectors(batch.features, batch.lengths) for batch in batches[1:]])
    order = rows.argsort()
    assert found.rows.tolist() == rows[order].tolist() == found.speakers.tolist()
    torch.testing.assert_close(found.vectors, vectors[order])
    assert [len(set(texts) - {""}), *found.texts[:2].tolist()] == [3, rows[order][0] % 3, rows[order][1] % 3]
