"""Training of the transform codec: fitted once, learnt and counted, resumed exactly, loaded from its checkpoint."""

import pytest
import torch
from test_codec_training import Features, fit

from emoquant.codecs import TransformCodec, load_codec
from emoquant.encoders.heads import LinearHead
from emoquant.metrics import SweepMetrics
from emoquant.tasks import HeadWeight, TransformTask
from emoquant.types import Batch

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*num_training_batches.*smaller than the logging interval.*"),
]


class InOrder(Features):
    def train_dataloader(self):
        return self._loader(0, 18)


def make_task():
    torch.manual_seed(0)
    return TransformTask(splits=4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transform")
    trainer = fit(make_task(), folder, 3, data=InOrder())
    return trainer, folder / "last.ckpt"


def test_training_fits_learns_and_validates(trained):
    trainer, path = trained
    task, data = trainer.lightning_module, Features()
    frames = torch.cat([data.features[row, : data.lengths[row]] for row in range(18)])
    assert torch.allclose(task.codec.transform.mean, frames.mean(0), atol=1e-4)
    variance = (frames - frames.mean(0)).square().mean()
    assert float(task.codec.transform.variance) == pytest.approx(float(variance), rel=1e-3)
    assert 0 < float(trainer.callback_metrics["val/lagrangian"]) < 0.7
    codec = load_codec(path)
    assert isinstance(codec, TransformCodec)
    assert codec.source.history[:3] == ("planted", 18, "contexts")
    features, lengths = data.features[18:], data.lengths[18:]
    mine = task.codec(features, lengths, [0.0, 3.0])
    assert all(torch.equal(a, b) for a, b in zip(codec(features, lengths, [0.0, 3.0]), mine, strict=True))


def test_the_validation_of_a_weighted_codec_weighs_errors(tmp_path):
    head = LinearHead(torch.eye(12)[[9, 11]], torch.zeros(2), ["happy", "sad"])
    torch.manual_seed(0)
    trainer = fit(TransformTask(splits=1, weight=HeadWeight(head, 100.0)), tmp_path, 1, data=InOrder())
    codec, data = trainer.lightning_module.codec, Features()
    coded = codec(data.features[18:], data.lengths[18:], [0.5 * codec.variance])
    first, rest = codec.transform.weighting.forth.double()
    total = 0.0
    for row, length in enumerate(data.lengths[18:].tolist()):
        error = (coded.features[0, row, :length] - data.features[18 + row, :length]).double()
        mean = error.mean(0)
        total += float(length * (mean @ first).square().sum() + ((error - mean) @ rest).square().sum())
    expected = total / float(data.lengths[18:].sum()) / 12 / codec.variance
    assert float(trainer.callback_metrics["val/distortion/lambda_0.5"]) == pytest.approx(expected, rel=1e-3)


def test_learning_saves_bits_against_the_first_tables(trained):
    _, path = trained
    codec, data = load_codec(path), Features()
    features, lengths = data.features[18:], data.lengths[18:]
    points = [0.02 * codec.variance, 0.3 * codec.variance]

    def cost():
        coded = codec(features, lengths, points)
        valid = torch.arange(features.shape[1]) < lengths[:, None]
        error = ((coded.features - features).square().sum(-1) * valid).sum((1, 2))
        return error + torch.tensor(points) * coded.bits.sum((1, 2))

    learnt = cost()
    codec.contexts = type(codec.contexts)()
    assert (learnt < 0.99 * cost()).all()


def test_a_resumed_training_ends_alike(trained, tmp_path):
    _, path = trained
    fit(make_task(), tmp_path / "run", 3, data=InOrder(), max_steps=4 * 3)
    resumed = make_task()
    fit(resumed, tmp_path / "run", 3, tmp_path / "run" / "last.ckpt", InOrder())
    whole = torch.load(path, weights_only=True)["state_dict"]
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_a_sweep_measures_it(trained):
    codec, data = load_codec(trained[1], points=[0.0, 2.0, 1e5]), Features()
    nothing = torch.zeros(6, dtype=torch.int64)
    batch = Batch(data.features[18:], data.lengths[18:], nothing, nothing, torch.arange(6), torch.zeros(6, 1))
    sweep = SweepMetrics([codec], ["calm"], coded_bits=True, replicates=10)
    sweep.update(batch)
    found = {(row.metric, row.lmbda): row.value for row in sweep.compute() if row.emotion == "all"}
    for lmbda in (0.0, 2.0, 1e5):
        estimate, coded = found["bits_per_frame", lmbda], found["coded_bits_per_frame", lmbda]
        assert estimate - 0.01 <= coded <= 1.003 * estimate + 16 / 10
    assert found["utterance_similarity", 0.0] > 0.999
    assert found["distinct_outputs", 2.0] == 6


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="splits must be at least 1"):
        TransformTask(splits=0)


def test_an_unfitted_checkpoint_is_refused(trained, tmp_path):
    content = torch.load(trained[1], weights_only=True)
    content["state_dict"]["codec.transform.ready"].fill_(False)
    torch.save(content, tmp_path / "early.ckpt")
    with pytest.raises(ValueError, match="before its transform was fitted"):
        load_codec(tmp_path / "early.ckpt")
