"""Several classifiers in one sweep: what codecs decode is made once, and every row says who was asked."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from tiny_world import CENTROIDS, DIM, EMOTIONS, CentroidHead, PullCodec, TinyData, joined

from emoquant.encoders.heads import Probe
from emoquant.storage.origin import UNKNOWN
from emoquant.storage.results import read_results, write_results
from emoquant.tasks import CodecEvaluationTask, LDATask
from emoquant.tasks.lda import discriminants, shrunk_covariance
from emoquant.tasks.probe import means

pytestmark = [
    pytest.mark.filterwarnings("ignore:The '(train|val|test)_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:the checkpoint of the classifier"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]


def trainer(folder, **options):
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return Trainer(accelerator="cpu", default_root_dir=folder, use_distributed_sampler=False, **quiet, **options)


def saved_probe(path, swapped=False):
    """A probe that takes the nearest centroid, or the one of the next emotion."""
    probe = Probe(DIM, EMOTIONS)
    probe.layers[-1].weight.data.copy_(2 * CENTROIDS)
    probe.layers[-1].bias.data.copy_(-CENTROIDS.square().sum(1))
    labels = [*EMOTIONS[1:], EMOTIONS[0]] if swapped else list(EMOTIONS)
    state = {f"probe.{name}": value for name, value in probe.state_dict().items()}
    described = {"dim": DIM, "labels": labels, "hidden": 0}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"probe": described, "encoder": UNKNOWN.stored(), "state_dict": state}, path)
    return str(path)


class CountedCodec(PullCodec):
    calls = 0

    def forward(self, features, lengths, points=None):
        self.calls += 1
        return super().forward(features, lengths, points)


def test_each_classifier_has_its_rows_and_codecs_decode_once(tmp_path):
    good, bad = saved_probe(tmp_path / "good.ckpt"), saved_probe(tmp_path / "bad.ckpt", swapped=True)
    codec, alone = CountedCodec(CENTROIDS[2]), CountedCodec(CENTROIDS[2])
    task = CodecEvaluationTask([codec], CentroidHead(), classifiers=[f"good={good}", f"bad={bad}"], replicates=20)
    trainer(tmp_path).test(task, TinyData(), verbose=False)
    single = CodecEvaluationTask([alone], CentroidHead(), replicates=20)
    trainer(tmp_path).test(single, TinyData(), verbose=False)
    assert codec.calls == alone.calls
    recalls = {row.classifier: row.value for row in task.rows if (row.metric, row.lmbda) == ("uar", 0.0)}
    assert recalls == {"CentroidHead": 1.0, "good": 1.0, "bad": 0.0}
    assert {row.classifier for row in task.rows if row.metric == "bits_per_frame"} == {""}
    first = [row for row in task.rows if row.classifier in ("", "CentroidHead")]
    assert repr(first) == repr(single.rows)
    write_results(tmp_path / "results.csv", task.rows)
    assert repr(read_results(tmp_path / "results.csv")) == repr(task.rows)


def test_runs_of_the_folder_are_named_by_words(tmp_path):
    saved_probe(tmp_path / "probe_lda/version_0/checkpoints/last.ckpt")
    task = CodecEvaluationTask([PullCodec(CENTROIDS[2])], classifiers=["probe_lda"], folder=str(tmp_path))
    trainer(tmp_path / "run").test(task, TinyData(), verbose=False)
    assert {row.classifier for row in task.rows} == {"", "probe_lda"}


@pytest.mark.parametrize(
    ("words", "message"),
    [(["a=./x/none.ckpt"], "no probe at"), (["p", "p"], "two classifiers are called 'p'"), (["head"], "no encoder")],
)
def test_mistakes_are_named(tmp_path, words, message):
    saved_probe(tmp_path / "p/version_0/checkpoints/last.ckpt")
    task = CodecEvaluationTask([PullCodec(CENTROIDS[2])], classifiers=words, folder=str(tmp_path))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        trainer(tmp_path / "run").test(task, TinyData(), verbose=False)


def test_shrinkage_is_that_of_ledoit_and_wolf():
    vectors = np.random.default_rng(0).standard_normal((30, 6)) * [3, 1, 1, 1, 1, 1]
    vectors -= vectors.mean(0)
    covariance = vectors.T @ vectors / 30
    target = np.trace(covariance) / 6 * np.eye(6)
    noise = np.mean([np.sum((np.outer(v, v) - covariance) ** 2) for v in vectors]) / 30
    share = min(1.0, noise / np.sum((covariance - target) ** 2))
    assert 0.01 < share < 0.9
    fourth = torch.tensor((np.sum(vectors**2, 1) ** 2).sum())
    found = shrunk_covariance(torch.from_numpy(vectors.T @ vectors), fourth, 30)
    np.testing.assert_allclose(found, (1 - share) * covariance + share * target)
    whole = shrunk_covariance(torch.from_numpy(vectors.T @ vectors), fourth, 30, share=0.0)
    np.testing.assert_allclose(whole, covariance)


def test_lda_is_the_log_posterior_of_gaussian_classes(tmp_path):
    data, task = TinyData(), LDATask(shrinkage=0.1)
    trainer(tmp_path, max_epochs=1, limit_train_batches=1).fit(task, data)
    batch = joined(data.batches["train"])
    vectors, emotions = means(batch).double(), batch.emotions
    centroids = torch.stack([vectors[emotions == emotion].mean(0) for emotion in range(4)])
    within = vectors - centroids[emotions]
    covariance = within.T @ within / len(vectors)
    covariance = 0.9 * covariance + 0.1 * covariance.trace() / DIM * torch.eye(DIM)
    logits = torch.stack(
        [torch.distributions.MultivariateNormal(c, covariance).log_prob(vectors) for c in centroids], 1
    )
    found = task.probe.eval()(vectors.float())
    torch.testing.assert_close(found.softmax(-1), logits.softmax(-1).float(), atol=1e-4, rtol=1e-3)
    weight, bias = discriminants(centroids, covariance)
    assert weight.shape == (4, DIM)
    assert bias.shape == (4,)
    with pytest.raises(ValueError, match="shrinkage is 2"):
        LDATask(shrinkage=2.0)
