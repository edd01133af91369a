import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import jensenshannon
from tiny_world import CENTROIDS, EMOTIONS, CentroidHead, PullCodec, planted_batches

from emoquant.metrics import ByAgreement, SweepMetrics, Votes
from emoquant.metrics.votes import entropy_bits, js_divergence, top2_hits


@pytest.fixture
def pair():
    random = torch.Generator().manual_seed(0)
    return torch.rand(30, 5, generator=random), torch.randint(0, 4, (30, 5), generator=random) + torch.eye(5)[0]


def test_entropy_and_divergence_equal_scipy(pair):
    p, q = pair
    np.testing.assert_allclose(entropy_bits(q), stats.entropy(q.numpy(), base=2, axis=1), atol=1e-7)
    np.testing.assert_allclose(js_divergence(p, q), jensenshannon(p, q, base=2, axis=1) ** 2, atol=1e-6)


def test_top2_equals_trying_every_order_of_tied_votes(pair):
    scores, votes = pair
    found = top2_hits(scores, votes)
    for b in range(30):
        chosen = set(scores[b].topk(2).indices.tolist())
        tops = set()
        for order in itertools.permutations(range(5)):
            ranked = sorted(order, key=lambda e: -float(votes[b, e]))
            if [votes[b, e] for e in ranked] == sorted(votes[b].tolist(), reverse=True):
                tops.add(frozenset(e for e in ranked[:2] if votes[b, e] > 0))
        assert bool(found[b]) == any(top <= chosen for top in tops)


def test_nobody_voted_is_no_hit():
    assert not top2_hits(torch.tensor([0.3, 0.7]), torch.zeros(2))
    assert entropy_bits(torch.zeros(3)).isnan()


def rows_of(batches, votes, strata=()):
    head = CentroidHead()
    sweep = SweepMetrics(
        [PullCodec(CENTROIDS[2], points=(0.0, 9.0))],
        EMOTIONS,
        classifier=head,
        strata=strata,
        measures=[Votes(EMOTIONS, head.labels)],
        replicates=100,
    )
    for batch in batches:
        sweep.update(batch._replace(votes=votes(batch)))
    return sweep.compute()


def find(rows, metric, lmbda=0.0, emotion="all", stratum="all"):
    (row,) = [r for r in rows if (r.metric, r.lmbda, r.emotion, r.stratum) == (metric, lmbda, emotion, stratum)]
    return row


def test_votes_like_the_labels_are_met_until_coding_takes_the_emotion_away():
    rows = rows_of(planted_batches(), lambda batch: torch.eye(4)[batch.emotions])
    assert find(rows, "vote_entropy").value == 0
    assert find(rows, "js_divergence").value < 0.05 < 0.5 < find(rows, "js_divergence", 9.0, "sad").low
    assert find(rows, "top2_accuracy").value == 1.0


def test_utterances_without_votes_are_not_counted():
    rows = rows_of(planted_batches(), lambda batch: torch.eye(4)[batch.emotions] * (batch.utterances % 2)[:, None])
    assert find(rows, "js_divergence").n == 30
    assert find(rows, "recall", emotion="happy").n == 15
    assert find(rows, "js_divergence", emotion="angry").n == 0
    assert np.isnan(find(rows, "js_divergence", emotion="angry").value)


def ambiguous(batch):
    """Return votes that agree on even rows and are divided on odd ones, where features lie between two emotions."""
    clear, other = torch.eye(4)[batch.emotions], torch.eye(4)[(batch.emotions + 1) % 4]
    return torch.where((batch.utterances // 4 % 2 == 0)[:, None], clear, 0.6 * clear + 0.4 * other)


def blended(batches):
    """Return features that are as divided as the votes."""
    for batch in batches:
        between = 0.55 * CENTROIDS[batch.emotions] + 0.45 * CENTROIDS[(batch.emotions + 1) % 4]
        shift = torch.where((batch.utterances // 4 % 2 == 1)[:, None], between - CENTROIDS[batch.emotions], 0.0)
        real = torch.arange(batch.features.shape[1]) < batch.lengths[:, None]
        yield batch._replace(features=batch.features + shift[:, None] * real[..., None])


def test_planted_ambiguity_is_found_where_it_is_and_not_where_it_is_not():
    strata = [ByAgreement([0.7, 1.0])]
    low, high = strata[0].names
    planted = rows_of(blended(planted_batches(count=400, spread=1.0)), ambiguous, strata)
    divided, agreed = (find(planted, "accuracy", stratum=name) for name in (low, high))
    assert divided.high < agreed.low
    assert find(planted, "vote_entropy", stratum=low).value == pytest.approx(0.971, abs=1e-3)
    absent = rows_of(planted_batches(count=400, spread=1.0), ambiguous, strata)
    divided, agreed = (find(absent, "accuracy", stratum=name) for name in (low, high))
    assert divided.high > agreed.low
    assert agreed.high > divided.low


def test_strata_take_the_largest_share():
    strata = ByAgreement([0.5, 0.75, 1.0])
    batch = planted_batches(count=7)[0]
    votes = torch.tensor([[0.5, 0.5, 0, 0], [0.75, 0.25, 0, 0], [1, 0, 0, 0], [0] * 4, [0.26, 0.25, 0.25, 0.24]])
    found = strata.assign(batch._replace(votes=votes))
    assert found.tolist() == [0, 1, 2, -1, 0]
    thirds = ByAgreement([1 / 3, 2 / 3, 1.0]).assign(batch._replace(votes=torch.tensor([[2 / 3, 1 / 3, 0, 0]])))
    assert thirds.tolist() == [1]
    with pytest.raises(ValueError, match="must rise within"):
        ByAgreement([0.8, 0.5])
