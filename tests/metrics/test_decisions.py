"""What is decided after coding, computed again with numpy from the features alone."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, joined, planted_batches

from emoquant.metrics import (
    Blocks,
    References,
    ReferenceVectors,
    SweepMetrics,
    kl_bits,
    label_entropy,
    label_information,
    precision,
)
from emoquant.metrics.shrinkage import shrunk_towards

CLASS_OF = [0, 2, 3, 4]  # of each emotion among the head's labels
NAMES = ["angry", "disgust", "happy", "neutral", "sad"]


class MildHead(CentroidHead):
    """The centroid head, less sure."""

    def forward(self, vectors):
        return super().forward(vectors) / 10


def reference():
    metric = ReferenceVectors(EMOTIONS, DIM)
    for batch in planted_batches(seed=9):
        metric.update(batch)
    return metric.compute()


@pytest.fixture(scope="module")
def batch():
    return joined(planted_batches(count=120, spread=3.0))


def measured(batch, codec, closed_set=False, blocks=None):
    sweep = SweepMetrics([codec], EMOTIONS, reference(), MildHead(), blocks or Blocks(range(12)), closed_set=closed_set,
                         replicates=40)  # fmt: skip
    sweep.update(batch)
    return {(row.metric, row.emotion, row.lmbda): row for row in sweep.compute()}


def time_means(features, lengths):
    return np.stack([each[:length].mean(0) for each, length in zip(features, lengths, strict=True)])


def probabilities(vectors, closed_set):
    """Return softmax of the head's logits, with numpy alone."""
    centroids = np.concatenate([CENTROIDS[:1], np.full((1, DIM), -9.0), CENTROIDS[1:]])
    logits = -((vectors[:, None] - centroids) ** 2).sum(-1) / 10
    if closed_set:
        logits[:, 1] = -np.inf
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def entropy(counts):
    """Return Miller's corrected entropy in bits, written out."""
    counts = np.asarray(counts, float).ravel()
    held = counts[counts > 0]
    shares = held / held.sum()
    return -(shares * np.log2(shares)).sum() + (len(held) - 1) / (2 * held.sum() * math.log(2))


def by_hand(batch, codec, lmbda, closed_set):
    """Return every figure of the measures, by name and emotion."""
    lengths, emotions = batch.lengths.tolist(), batch.emotions.numpy()
    coded = codec(batch.features, batch.lengths, [lmbda]).features[0].double().numpy()
    before, after = time_means(batch.features.double().numpy(), lengths), time_means(coded, lengths)
    p, q = probabilities(before, closed_set), probabilities(after, closed_set)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(p > 0, p * np.log2(p / q), 0.0).sum(-1)
    ordered = np.sort(q, axis=-1)
    table = {
        "agreement": (p.argmax(-1) == q.argmax(-1)).astype(float),
        "kl": divergence,
        "confidence": ordered[:, -1],
        "margin": ordered[:, -1] - ordered[:, -2],
        **excess(before, after, emotions),
    }
    figures = {(name, "all"): values.mean() for name, values in table.items()}
    for index, emotion in enumerate(EMOTIONS):
        figures |= {(name, emotion): values[emotions == index].mean() for name, values in table.items()}
    figures |= {(f"probability/{name}", "all"): q[:, index].mean() for index, name in enumerate(NAMES)}
    true, chosen = np.array(CLASS_OF)[emotions], q.argmax(-1)
    for index, emotion in zip(CLASS_OF, EMOTIONS, strict=True):
        taken = chosen == index
        figures["precision", emotion] = (true[taken] == index).mean() if taken.any() else math.nan
    figures["f1", "all"] = sk.f1_score(true, chosen, labels=CLASS_OF, average="macro", zero_division=0.0)
    confusion = np.array([[((true == t) & (chosen == c)).sum() for c in range(5)] for t in CLASS_OF])
    figures["label_information", "all"] = entropy(confusion.sum(1)) + entropy(confusion.sum(0)) - entropy(confusion)
    figures["label_entropy", "all"] = entropy(confusion.sum(1))
    return figures


def cosines(first, second):
    return (first * second).sum(-1) / np.linalg.norm(first, axis=-1) / np.linalg.norm(second, axis=-1)


def excess(before, after, emotions):
    mean, centroids = reference().mean.numpy(), reference().centroids.numpy()
    left = np.linalg.norm(after - mean, axis=-1) / np.linalg.norm(before - mean, axis=-1)
    shrunk = mean + left[:, None] * (before - mean)
    gains = np.stack([cosines(after, c) - cosines(shrunk, c) for c in centroids], axis=-1)
    preference = []
    for gain, own in zip(gains, emotions, strict=True):
        others = [gain[e] for e in range(4) if e not in (2, own)]
        preference.append(0.0 if own == 2 else gain[2] - np.mean(others))
    return {
        "excess_similarity": cosines(before, after) - cosines(before, shrunk),
        "excess_preference_for_neutral": np.array(preference),
    }


@pytest.mark.parametrize("closed_set", [False, True])
@pytest.mark.parametrize("lmbda", [0.0, 1.0, 9.0])
def test_every_figure_is_that_of_a_plain_script(batch, lmbda, closed_set):
    codec = PullCodec(torch.ones(DIM) - CENTROIDS[1])
    rows, expected = measured(batch, codec, closed_set), by_hand(batch, codec, lmbda, closed_set)
    for (metric, emotion), figure in expected.items():
        assert rows[metric, emotion, lmbda].value == pytest.approx(figure, abs=1e-5, nan_ok=True), (metric, emotion)
    if lmbda == 0.0:
        assert expected["agreement", "all"] == 1
        assert expected["kl", "all"] == pytest.approx(0, abs=1e-9)
    else:
        assert expected["agreement", "all"] < 0.9
        assert expected["kl", "all"] > 0.05


def test_intervals_of_information_are_jackknives_over_speakers(batch):
    rows = measured(batch, PullCodec(CENTROIDS[2]))
    head, emotions, speakers = MildHead(), batch.emotions.numpy(), batch.speakers.numpy()
    chosen = head(torch.from_numpy(time_means(batch.features.numpy(), batch.lengths.tolist()))).argmax(-1).numpy()

    def information(kept):
        confusion = np.array([[((emotions == e) & (chosen == c) & kept).sum() for c in range(5)] for e in range(4)])
        return entropy(confusion.sum(1)) + entropy(confusion.sum(0)) - entropy(confusion)

    left_out = np.array([information(speakers != speaker) for speaker in range(12)])
    reach = stats.t.ppf(0.975, 11) * math.sqrt(11 / 12 * ((left_out - left_out.mean()) ** 2).sum())
    row = rows["label_information", "all", 0.0]
    assert (row.low, row.high) == pytest.approx((row.value - reach, row.value + reach), rel=0.01)
    assert row.interval == "speakers"


def test_uar_does_not_see_decisions_that_change_places():
    """Half of the utterances swap right and wrong decisions: recall is as before, agreement is not."""

    class Swap(PullCodec):
        def forward(self, features, lengths, points=None):
            coded = super().forward(features, lengths, [0.0] * 3)
            return coded._replace(features=coded.features[:, torch.arange(features.shape[0]) ^ 4])

    batch = joined(planted_batches(count=128, spread=0.1))
    wrong = torch.arange(128) // 4 % 2 == 1  # every other utterance of an emotion lies at another one
    moved = CENTROIDS[(batch.emotions + 1) % 4] - CENTROIDS[batch.emotions]
    batch = batch._replace(features=batch.features + (wrong[:, None] * moved)[:, None], lengths=batch.lengths * 0 + 2)
    rows = measured(batch, Swap(CENTROIDS[2]), blocks=Blocks())
    assert rows["uar", "all", 1.0].value == pytest.approx(0.5)
    assert rows["agreement", "all", 1.0].value == 0.0
    assert rows["kl", "all", 1.0].low > 0.5


def test_information_equals_scikit_learn_but_for_its_correction():
    random = np.random.default_rng(0)
    for true, chosen in ((random.integers(0, 4, 300), random.integers(0, 6, 300)), (np.arange(300) % 4,) * 2):
        counts = torch.from_numpy(np.array([[((true == t) & (chosen == c)).sum() for c in range(6)] for t in range(4)]))
        held = [(counts.sum(1) > 0).sum(), (counts.sum(0) > 0).sum(), (counts > 0).sum()]
        correction = (int(held[0] + held[1] - held[2]) - 1) / 600 / math.log(2)
        found = float(label_information(counts))
        assert found - correction == pytest.approx(sk.mutual_info_score(true, chosen) / math.log(2))
        if len(set(zip(true, chosen, strict=True))) > 4:
            assert abs(found) < 0.05
        else:
            assert found == pytest.approx(float(label_entropy(counts)))
    constant = torch.tensor([[30, 0], [50, 0], [20, 0]])
    assert float(label_information(constant)) == pytest.approx(0, abs=1e-12)
    assert precision(constant, torch.tensor([0, 1, 1]))[1:].isnan().all()


def test_divergence_equals_scipy_and_leaves_masked_classes_out():
    random = torch.Generator().manual_seed(0)
    p, q = torch.randn(20, 5, generator=random), torch.randn(20, 5, generator=random)
    expected = stats.entropy(p.softmax(-1).double().numpy(), q.softmax(-1).double().numpy(), base=2, axis=1)
    np.testing.assert_allclose(kl_bits(p, q), expected, atol=1e-6)
    masked = torch.tensor([0.0, -torch.inf])
    assert float(kl_bits(p[:, :2] + masked, q[:, :2] + masked).abs().max()) == 0.0


def test_what_is_only_shrunk_to_the_mean_has_no_excess():
    """Neutral lies next to the mean here, so that shrinking alone looks like a preference for it."""
    centroids = CENTROIDS.double()
    mean = 0.9 * centroids[2] + 0.1 * centroids.mean(0)
    references = References(centroids, mean, torch.ones(4))
    sweep = SweepMetrics([PullCodec(mean.float(), points=(1.0,))], EMOTIONS, references, CentroidHead(), Blocks(),
                         replicates=40)  # fmt: skip
    sweep.update(joined(planted_batches(count=200)))
    rows = {(row.metric, row.emotion): row for row in sweep.compute()}
    for emotion in EMOTIONS:
        assert rows["excess_similarity", emotion].value == pytest.approx(0, abs=1e-6)
        assert rows["excess_preference_for_neutral", emotion].value == pytest.approx(0, abs=1e-6)
    assert rows["preference_for_neutral", "sad"].low > 0.05
    assert rows["utterance_similarity", "neutral"].low > rows["utterance_similarity", "sad"].high
    on_it = shrunk_towards(mean, mean[None], mean[None] + 1)
    assert torch.equal(on_it[0], mean)
