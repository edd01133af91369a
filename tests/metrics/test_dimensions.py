"""Arousal, valence and dominance over rate: the regression from sums, concordance against plain numpy."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from tiny_world import CentroidHead, PullCodec, TinyData, planted_batches
from torch.utils.data import DataLoader

from emoquant.labels import DIMENSIONS
from emoquant.metrics.dimensions import Concordance, RatingRegression, Regression
from emoquant.metrics.measures import Observation
from emoquant.tasks import CodecEvaluationTask
from emoquant.types import Batch


def lin(x, y):
    """Lin's coefficient, plainly."""
    there = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[there], y[there]
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def rated(count=400, dim=12, noise=0.1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, dim, generator=generator) * torch.logspace(0, -1, dim)
    weight = torch.randn(3, dim, generator=torch.Generator().manual_seed(9))
    ratings = vectors @ weight.T + 4 + noise * torch.randn(count, 3, generator=generator)
    ratings[::5, 1] = torch.nan
    ratings[:, 2] = torch.nan
    nothing = torch.zeros(count, dtype=torch.int64)
    return Batch(vectors[:, None], nothing + 1, nothing, nothing, torch.arange(count), torch.zeros(count, 1),
                 ratings.double())  # fmt: skip


def observed(before, after, ratings=None):
    count = len(before)
    zeros = torch.zeros(len(after), count, dtype=torch.float64)
    whole = torch.ones(count, dtype=torch.int64)
    return Observation(before, after, whole - 1, torch.zeros(count, 1), whole, zeros, zeros, zeros, zeros,
                       zeros[..., None][..., :0], torch.zeros(count, 0), dimensions=ratings)  # fmt: skip


def test_the_regression_is_ridge_of_the_best_penalty_whatever_the_batches():
    batch = rated()
    one, many = RatingRegression(12), RatingRegression(12)
    one.update(batch)
    for begin in range(0, 400, 70):
        many.update(batch.part(begin, begin + 70))
    found, again = one.compute(), many.compute()
    torch.testing.assert_close(found.weight, again.weight)
    new = rated(seed=1)
    said = found(new.features[:, 0])
    for place in (0, 1):
        assert lin(new.dimensions[:, place].numpy(), said[:, place].numpy()) > 0.98
    assert said[:, 2].isnan().all(), "nobody rated it"
    vectors, ratings = batch.features[:, 0].double().numpy(), batch.dimensions[:, 0].numpy()
    centred = vectors - vectors.mean(0)
    covariance = centred.T @ centred / len(vectors)
    moment = centred.T @ (ratings - ratings.mean()) / len(vectors)
    scores = {}
    for power in range(-4, 5):
        penalty = 10.0**power * np.trace(covariance) / 12
        weight = np.linalg.solve(covariance + penalty * np.eye(12), moment)
        hat = centred @ np.linalg.solve(covariance + penalty * np.eye(12), centred.T) / len(vectors)
        error = np.mean((ratings - ratings.mean() - centred @ weight) ** 2)
        scores[error / (1 - (1 + np.trace(hat)) / len(vectors)) ** 2] = weight
    np.testing.assert_allclose(found.weight[0].numpy(), scores[min(scores)], atol=1e-9)


def test_noise_gets_a_strong_penalty():
    batch = rated(count=40, noise=30.0)
    fitted = RatingRegression(12)
    fitted.update(batch)
    plain = np.linalg.lstsq(
        np.c_[batch.features[:, 0].double().numpy(), np.ones(40)], batch.dimensions[:, 0].numpy(), rcond=None
    )[0][:12]
    assert fitted.compute().weight[0].norm() < 0.5 * np.linalg.norm(plain)
    assert RatingRegression(12).compute() is None


def test_concordance_is_that_of_numpy():
    batch, generator = rated(), torch.Generator().manual_seed(3)
    before = batch.features[:, 0]
    after = torch.stack([before, 0.5 * before, before + torch.randn(before.shape, generator=generator)])
    regression = Regression(torch.randn(3, 12, generator=generator), torch.tensor([1.0, 2.0, 3.0]))
    measure = Concordance(regression)
    sums = measure.sums(observed(before, after, batch.dimensions)).sum(1)[:, None]
    assert sums.shape == (3, 1, measure.width)
    figures = {figure.metric: figure.values[:, 0].numpy() for figure in measure.figures(sums)}
    assert set(figures) == {"ccc/arousal", "ccc/valence", *(f"ccc_before/{name}" for name in DIMENSIONS)}
    said, was = regression(after).numpy(), regression(before).numpy()
    for place, name in enumerate(DIMENSIONS):
        expected = [lin(was[:, place], said[point, :, place]) for point in range(3)]
        np.testing.assert_allclose(figures[f"ccc_before/{name}"], expected, atol=1e-9)
    for place, name in enumerate(DIMENSIONS[:2]):
        expected = [lin(batch.dimensions[:, place].numpy(), said[point, :, place]) for point in range(3)]
        np.testing.assert_allclose(figures[f"ccc/{name}"], expected, atol=1e-9)
    assert figures["ccc_before/arousal"][0] == pytest.approx(1)
    unrated = measure.figures(measure.sums(observed(before, after)).sum(1)[:, None])
    assert {figure.metric for figure in unrated} == {f"ccc_before/{name}" for name in DIMENSIONS}


class Rated(TinyData):
    """A tiny world in which the first feature is arousal."""

    def _rated(self, batches):
        for batch in batches:
            first = (batch.features.sum(1) / batch.lengths[:, None])[:, :1].double()
            yield batch._replace(dimensions=torch.cat([first, torch.full((len(first), 2), torch.nan)], dim=1))

    def test_dataloader(self):
        return DataLoader(list(self._rated(super().test_dataloader())), batch_size=None)

    def reference_dataloader(self):
        return DataLoader(list(self._rated(super().reference_dataloader())), batch_size=None)


def test_an_evaluation_has_its_rows_where_the_corpus_has_ratings(tmp_path):
    def rows(data):
        dim = planted_batches()[0].features.shape[-1]
        task = CodecEvaluationTask([PullCodec(torch.zeros(dim))], CentroidHead(), replicates=50, save_seconds=0)
        trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path, enable_progress_bar=False,
                          enable_model_summary=False)  # fmt: skip
        trainer.test(task, datamodule=data, verbose=False)
        return {(row.codec, row.lmbda, row.metric): row for row in task.rows if row.metric.startswith("ccc")}

    found = rows(Rated())
    assert {metric for _, _, metric in found} == {"ccc/arousal", "ccc_before/arousal"}
    plain = next(row for (codec, _, metric), row in found.items() if codec == "none" and metric == "ccc/arousal")
    assert plain.value > 0.99
    pulled = [row for (codec, _, metric), row in found.items() if codec == "pull" and metric == "ccc/arousal"]
    worst = min(pulled, key=lambda row: row.value)
    assert worst.value < 0.6 < plain.value
    assert worst.low <= worst.value <= worst.high
    assert not rows(TinyData())
