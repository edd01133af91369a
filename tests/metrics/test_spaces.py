import numpy as np
import pytest
import torch
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, planted_batches

from emoquant.metrics import (
    Crossed,
    ReferenceVectors,
    SpaceDirections,
    SweepMetrics,
    make_space,
    metric_in,
    triplet_shares,
    utterance_vectors,
)
from emoquant.types import Batch


def fitted_on(batches):
    scatter = ReferenceVectors(EMOTIONS, DIM, scatter=True)
    for batch in batches:
        scatter.update(batch)
    return scatter.compute()


def vectors_of(batches):
    found = [utterance_vectors(batch.features, batch.lengths).double() for batch in batches]
    return torch.cat(found).numpy(), torch.cat([batch.emotions for batch in batches]).numpy()


def test_spaces_are_those_of_a_plain_computation():
    batches = planted_batches(seed=9)
    x, e = vectors_of(batches)
    centroids = np.stack([x[e == each].mean(0) for each in range(len(EMOTIONS))])
    rest = x - centroids[e]
    degrees, size = len(x) - len(EMOTIONS), DIM
    sample = rest.T @ rest / degrees
    trace, squares = np.trace(sample), (sample * sample).sum()
    share = ((1 - 2 / size) * squares + trace**2) / ((degrees + 1 - 2 / size) * (squares - trace**2 / size))
    within = (1 - min(share, 1)) * sample + min(share, 1) * trace / size * np.eye(size)
    inverse, origin = np.linalg.inv(within), centroids.mean(0)
    fitted, test = fitted_on(batches), vectors_of(planted_batches(seed=4))[0]
    whitened = make_space("whitened", fitted, CentroidHead()).project(torch.from_numpy(test)).numpy()
    expected = (test - origin) @ inverse @ (test - origin).T
    np.testing.assert_allclose(whitened @ whitened.T, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    lda = make_space("lda", fitted, CentroidHead()).project(torch.from_numpy(test)).numpy()
    between = (centroids - origin) @ inverse
    basis = np.linalg.pinv(between @ (centroids - origin).T)
    projected = (test - origin) @ between.T @ basis @ between @ (test - origin).T
    assert lda.shape[1] == len(EMOTIONS) - 1
    np.testing.assert_allclose(lda @ lda.T, projected, rtol=1e-6, atol=1e-6 * np.abs(projected).max())


def test_lda_finds_emotion_under_texts_and_speakers():
    random = np.random.default_rng(0)
    emotions = random.normal(size=(3, 24))
    speakers, texts = (random.normal(size=(count, 5)) @ random.normal(size=(5, 24)) for count in (12, 40))

    def corpus(people, said):
        labels = torch.tensor([(e, s, t) for e in range(3) for s in people for t in said]).T
        e, s, t = (each.numpy() for each in labels)
        vectors = 0.5 * emotions[e] + 1.5 * speakers[s] + 1.5 * texts[t] + 0.2 * random.normal(size=(len(e), 24))
        return Crossed(torch.from_numpy(vectors), *labels, torch.arange(len(e)))

    train, test = corpus(range(8), range(10)), corpus(range(8, 12), range(20, 24))
    scatter, frames = ReferenceVectors(["a", "b", "c"], 24, scatter=True), train.vectors[:, None].float()
    none = torch.zeros(len(frames), dtype=torch.int64)
    scatter.update(Batch(frames, none + 1, train.emotions, none, none, torch.zeros(len(frames), 3)))
    space = make_space("lda", scatter.compute(), CentroidHead())
    before = np.nanmean(triplet_shares(test), 0)
    after = np.nanmean(triplet_shares(test._replace(vectors=space.project(test.vectors))), 0)
    assert before.max() < 0.5
    assert after.min() > 0.75


def test_rows_of_a_space_are_recomputed_in_numpy():
    references = ReferenceVectors(EMOTIONS, DIM)
    for batch in planted_batches(seed=9):
        references.update(batch)
    found = references.compute()
    space = make_space("lda", fitted_on(planted_batches(seed=9)), CentroidHead())
    measure, codec = SpaceDirections(EMOTIONS, found, space), PullCodec(CENTROIDS[2])
    sweep = SweepMetrics([codec], EMOTIONS, found, CentroidHead(), measures=[measure], replicates=20)
    after, before, emotions = [], [], []
    for batch in planted_batches():
        sweep.update(batch)
        coded = codec.code(batch).features[1]
        after.append(utterance_vectors(coded, batch.lengths))
        before.append(utterance_vectors(batch.features, batch.lengths))
        emotions.append(batch.emotions)
    after, before = (space.project(torch.cat(each)).numpy() for each in (after, before))
    centroids, own = space.project(found.centroids).numpy(), torch.cat(emotions).numpy()

    def cosine(a, b):
        return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)

    to = [cosine(after, c) for c in centroids]
    fro = [cosine(before, c) for c in centroids]
    drift = to[2] - fro[2] - (np.choose(own, to) - np.choose(own, fro))
    expected = {
        "utterance_similarity": cosine(before, after).mean(),
        f"similarity_to/{EMOTIONS[0]}": to[0].mean(),
        f"attraction/{EMOTIONS[1]}": np.degrees(np.arccos(to[1]) - np.arccos(fro[1])).mean(),
        "drift_to_neutral": drift.mean(),
    }
    rows = {row.metric: row for row in sweep.compute() if row.emotion == "all" and row.lmbda == codec.points[1]}
    for metric, value in expected.items():
        assert rows[metric_in(metric, "lda")].value == pytest.approx(value, abs=1e-6), metric


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(ValueError, match="no space 'pca': expected some of whitened, lda, logits"):
        make_space("pca", fitted_on(planted_batches()), CentroidHead())
    scatter = ReferenceVectors(EMOTIONS, DIM, scatter=True)
    batch = planted_batches()[0]
    for emotion in range(len(EMOTIONS)):
        row = int((batch.emotions == emotion).nonzero()[0])
        scatter.update(batch.part(row, row + 1))
    with pytest.raises(ValueError, match="within an emotion none differs"):
        scatter.compute()
    means = ReferenceVectors(EMOTIONS, DIM)
    for batch in planted_batches():
        means.update(batch)
    with pytest.raises(ValueError, match="lda needs the covariance"):
        make_space("lda", means.compute(), CentroidHead())
