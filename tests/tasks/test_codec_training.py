"""Training of codecs on a tiny corpus of features: phases, rate control by lambda, resuming, checkpoints."""

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from plain_data import PlainData, plain_split
from torch.utils.data import DataLoader

from emoquant.codecs import load_codec
from emoquant.codecs.history import History
from emoquant.codecs.search import Search
from emoquant.entropy import FactorizedModel, LightModel
from emoquant.entropy.base import LambdaBasis
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import CodebookTask, CodecTask, EntropyTask
from emoquant.tasks.lambda_grid import draw_lambdas
from emoquant.types import Batch

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*num_training_batches.*smaller than the logging interval.*"),
]


class Features(PlainData):
    dim, name, training_shares = 12, "planted", {"happy": 0.5, "sad": 0.5}

    def __init__(self, utterances=24, frames=30):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        state, out = torch.zeros(utterances, self.dim), []
        mixing = torch.randn(self.dim, self.dim, generator=generator)
        for _ in range(frames):
            state = 0.8 * state + 0.6 * torch.randn(utterances, self.dim, generator=generator)
            out.append(3 * state @ mixing + 2)
        self.features = torch.stack(out, 1)
        self.lengths = torch.randint(10, frames + 1, (utterances,), generator=generator)

    def _loader(self, first, last, shuffle=False):
        def collate(rows):
            nothing = torch.zeros(len(rows), dtype=torch.int64)
            rows = torch.tensor(rows)
            return Batch(self.features[rows], self.lengths[rows], nothing, nothing, nothing, torch.zeros(len(rows), 1))

        return DataLoader(range(first, last), batch_size=6, shuffle=shuffle, collate_fn=collate)

    def dataset(self, split):
        return plain_split(range(18 if split == "train" else 6))

    def train_dataloader(self):
        return self._loader(0, 18, shuffle=True)

    def val_dataloader(self):
        return self._loader(18, 24)


def fit(task, folder, epochs, resume=None, data=None, **settings):
    pl.seed_everything(3)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        default_root_dir=folder,
        callbacks=[ModelCheckpoint(folder, "last", enable_version_counter=False)],
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(task, data or Features(), ckpt_path=resume, weights_only=True if resume else None)
    return trainer


def make_task(smoothing=0, **settings):
    quantizer = GroupedResidualVQ(3, 2, 8, coarse=1, prediction=smoothing > 0, smoothing=smoothing)
    return CodecTask(
        quantizer, LightModel(16, knots=4), codebook_epochs=2, gate_epochs=2, sample_frames=200, **settings
    )


def test_one_run_gives_a_codec_whose_rate_obeys_lambda(tmp_path):
    fit(make_task(learning_rate=0.03), tmp_path, epochs=30)
    data = Features()
    codec = load_codec(tmp_path / "last.ckpt", points=(0, 1, 10, 100, 1e5))
    coded = codec(data.features[18:], data.lengths[18:])
    rate = coded.bits.sum((1, 2)) / data.lengths[18:].sum()
    assert rate[0] > 5
    assert rate[-1] < 0.1
    assert (rate.diff() < 0.2).all()
    mask = (coded.codes[0, ..., :1] >= 0).float()
    error = ((coded.features - data.features[18:]).square() * mask).sum((1, 2, 3))
    constant = ((codec.mean - data.features[18:]).square() * mask).sum()
    assert error[0] < 0.5 * constant
    assert error[-1] < 1.01 * constant


def test_smoothing_is_fitted_at_the_end_and_lies_in_the_checkpoint(tmp_path):
    fit(make_task(smoothing=5), tmp_path, epochs=6)
    data, codec = Features(), load_codec(tmp_path / "last.ckpt", points=(1, 10, 100))
    features, lengths = data.features[:18], data.lengths[:18]
    coded, errors = codec(features, lengths), []
    mask = coded.codes[0, ..., :1] >= 0
    assert torch.allclose(codec.decode(coded.codes[1].long()), coded.features[1], atol=1e-4)
    name = codec.fingerprint()
    data = codec.compress(features[0, : lengths[0]], 10.0)
    assert torch.allclose(codec.decompress(data), coded.features[1, 0, : lengths[0]], atol=1e-4)
    for _ in range(2):
        errors.append(((codec(features, lengths).features - features) * mask).square().sum((1, 2, 3)))
        codec.quantizer.smoother.weights.zero_()
    assert (errors[0] < 0.99 * errors[1]).all()
    assert codec.fingerprint() != name


def test_look_ahead_can_be_trained_for(tmp_path):
    fit(make_task(learning_rate=0.03, survivors=8), tmp_path, epochs=7)
    data = Features()
    codec = load_codec(tmp_path / "last.ckpt", points=(10, 100, 400), survivors=8)
    costs = []
    for codec.survivors in (1, 8):
        coded = codec(data.features[18:], data.lengths[18:])
        error = ((coded.features - data.features[18:]) * (coded.codes[..., :1] >= 0)).square().sum((1, 2, 3))
        costs.append(error + torch.tensor(codec.points) * coded.bits.sum((1, 2)))
    assert (costs[1] <= costs[0] * (1 + 1e-5)).all()
    assert costs[1].sum() < costs[0].sum()


def test_a_beam_can_be_trained_for(tmp_path, monkeypatch):
    beams = []

    class Watched(Search):
        def __init__(self, quantizer, entropy, beam=1, survivors=1, rows=1024):
            super().__init__(quantizer, entropy, beam, survivors, rows)
            beams.append((type(entropy), beam))

    monkeypatch.setattr("emoquant.tasks.training.Search", Watched)
    fit(make_task(beam=3), tmp_path, epochs=5)
    assert set(beams) == {(FactorizedModel, 1), (LightModel, 3)}  # the gate needs none


def test_a_resumed_run_ends_like_an_unbroken_one(tmp_path):
    whole, first, second = make_task(), make_task(), make_task()
    fit(whole, tmp_path / "whole", epochs=7)
    fit(first, tmp_path / "parts", epochs=5)
    trainer = fit(second, tmp_path / "parts", epochs=7, resume=tmp_path / "parts" / "last.ckpt")
    assert trainer.current_epoch == 7
    assert first.global_step < second.global_step == whole.global_step
    for name, value in whole.quantizer.state_dict().items():
        torch.testing.assert_close(second.quantizer.state_dict()[name], value, msg=name)
    assert int(second.quantizer.ready)


def test_gradients_of_pieces_are_those_of_the_whole(tmp_path, monkeypatch):
    whole, pieces = make_task(learning_rate=0.01), make_task(learning_rate=0.01)
    fit(whole, tmp_path / "whole", epochs=3)
    monkeypatch.setattr("emoquant.tasks.training.ROWS_AT_ONCE", 7)
    fit(pieces, tmp_path / "pieces", epochs=3)
    for name, value in whole.entropy.state_dict().items():
        torch.testing.assert_close(pieces.entropy.state_dict()[name], value, msg=name, rtol=1e-4, atol=1e-5)


def test_data_that_tells_little_is_trained_on_with_a_warning(tmp_path):
    class Frames(pl.LightningDataModule):
        dim, name, emotions, origin = 12, "frames", ["happy"], None

        def train_dataloader(self):
            return Features().train_dataloader()

    with pytest.warns(UserWarning, match="Frames tells nothing of its utterances and emotions"):
        fit(make_task(seed=7), tmp_path, epochs=3, data=Frames())
    assert load_codec(tmp_path / "last.ckpt").source.history == History("frames", 0, "gate", 3, 3, {}, 7)


def test_checkpoints_tell_of_the_training_and_another_corpus_is_refused(tmp_path):
    fit(make_task(seed=7), tmp_path, epochs=3)
    shares = {"happy": 0.5, "sad": 0.5}
    assert load_codec(tmp_path / "last.ckpt").source.history == History("planted", 18, "gate", 3, 3, shares, 7)
    other = Features()
    other.name = "others"
    with pytest.raises(ValueError, match=r"was trained on 'planted' \(18 utterances\), the data is 'others'"):
        fit(make_task(), tmp_path, epochs=5, resume=tmp_path / "last.ckpt", data=other)


@pytest.mark.parametrize("make", [make_task, lambda: CodebookTask(GroupedResidualVQ(2, 2, 8), sample_frames=200)])
def test_a_training_that_counts_steps_only_is_refused(tmp_path, make):
    with pytest.raises(ValueError, match=r"max_epochs of the trainer is -1: .* go by epochs"):
        fit(make(), tmp_path, epochs=None, max_steps=4)
    with pytest.raises(ValueError, match=r"max_epochs of the trainer is -1"):
        fit(make(), tmp_path, epochs=-1)


@pytest.mark.parametrize("search", [{"beam": 0}, {"survivors": 0}])
def test_a_search_without_paths_is_refused(search):
    with pytest.raises(ValueError, match="survivors and beam must be at least 1"):
        make_task(**search)


@pytest.mark.parametrize("high", [32.0, 5000.0])
def test_lambdas_are_drawn_up_to_the_last_knot(high):
    scale = torch.tensor(3.0)
    ratio = draw_lambdas(LambdaBasis(4, 1e-4, high), scale, 1000, torch.Generator()) / scale
    assert float(ratio.max()) == pytest.approx(max(high, 600.0), rel=0.02)
    assert float(ratio.min()) == pytest.approx(1e-4, rel=0.02)


def test_two_stages_and_every_entropy_model(tmp_path):
    fit(CodebookTask(GroupedResidualVQ(2, 2, 8, rotation="none"), sample_frames=200), tmp_path / "books", epochs=2)
    with pytest.raises(ValueError, match="without an entropy model"):
        load_codec(tmp_path / "books" / "last.ckpt")
    before = torch.load(tmp_path / "books" / "last.ckpt", weights_only=True)["state_dict"]["quantizer.fine.vectors"]
    for model in (LightModel(8, 0, False, 1), FactorizedModel(1)):
        task = EntropyTask(tmp_path / "books" / "last.ckpt", model, gate_epochs=1)
        fit(task, tmp_path / type(model).__name__, epochs=3)
        codec = load_codec(tmp_path / type(model).__name__ / "last.ckpt")
        assert torch.equal(codec.quantizer.fine.vectors, before)


def test_the_sanity_check_initialises_nothing(tmp_path):
    task = make_task()
    seen = []
    start = task.on_train_start
    task.on_train_start = lambda: (seen.append(bool(task.quantizer.ready)), start())
    fit(task, tmp_path, epochs=1, num_sanity_val_steps=1)
    assert seen == [False]
    assert bool(task.quantizer.ready)


def test_usage_of_every_position_is_counted_while_codebooks_are_fitted(tmp_path):
    task = make_task()
    found = fit(task, tmp_path, epochs=1).callback_metrics
    perplexity, usage = task.position_use()
    assert len(perplexity) == len(usage) == task.quantizer.positions
    assert ((perplexity >= 1) & (perplexity <= 8) & (usage > 0) & (usage <= 1)).all()
    assert "train/codebook_perplexity" in found
    assert not [name for name in found if not name.startswith(("train/", "val/"))], "losses are not buried"
    fit(task, tmp_path, epochs=3)
    assert task.position_use() is None, "the last epoch was not one of the codebooks"


def test_validation_of_a_checkpoint_measures_its_entropy_model(tmp_path):
    fit(make_task(), tmp_path, epochs=6)
    measured = []
    for path in (tmp_path / "last.ckpt", None):
        trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
        task = make_task()
        if path is None:
            task.phase = lambda: "search"
        trainer.validate(task, Features(), ckpt_path=tmp_path / "last.ckpt", weights_only=True, verbose=False)
        measured.append(float(trainer.callback_metrics["val/lagrangian"]))
        assert type(task.codec).__name__ == "ECVQ"
    assert measured[0] == measured[1]
