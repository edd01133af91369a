"""What runs in float32 under mixed precision, to the last bit, and how far the rest may go."""

import logging

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from tiny_world import DIM, EMOTIONS, CentroidHead, TinyData
from voice_batches import TINY, voice_batch
from voice_data import VoiceData

from emoquant.audio.mel import MelSettings
from emoquant.codecs import ECVQ, Greedy, Mixture, Nearest
from emoquant.codecs.search import layout_of
from emoquant.entropy import FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step
from emoquant.tasks import CodecTask
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.voice.tasks import EmotionTTS, Schedule
from emoquant.voice.tasks.voice_losses import LossWeights, voice_losses
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.bottleneck import StyleCodebook
from emoquant.voice.tts.couplings import ActNorm
from emoquant.voice.tts.masking import masked_mean
from emoquant.voice.tts.model import GenerSpeech

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*smaller than the logging.*")
HALVES = [torch.bfloat16, torch.float16]
WRAPS = [lambda c: c, lambda c: Greedy(c, [0.9]), lambda c: Mixture(c), lambda c: Nearest(c.quantizer)]


def codec(model=None):
    torch.manual_seed(0)
    quantizer = GroupedResidualVQ(2, 2, 6, coarse=1, prediction=True, dim=DIM)
    features = torch.randn(6, 12, DIM).cumsum(1)
    initialise(quantizer, features, torch.full((6,), 12), rounds=2)
    model = model or LightModel(8, knots=2)
    model.build(layout_of(quantizer))
    return ECVQ(quantizer, model, [0.0, 0.5, 4.0])


@pytest.mark.parametrize("kind", HALVES)
@pytest.mark.parametrize("wrap", WRAPS, ids=["ecvq", "greedy", "mixture", "nearest"])
def test_every_codec_codes_in_float32(wrap, kind):
    made = wrap(codec())
    features, lengths = 3 * torch.randn(3, 8, DIM), torch.tensor([8, 4, 6])
    exact = made(features, lengths)
    with torch.autocast("cpu", kind):
        found = made(features, lengths)
    for one, other in zip(exact, found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            assert torch.equal(one, other)


@pytest.mark.parametrize("kind", HALVES)
def test_statistics_of_codebooks_are_float32(kind):
    features, lengths = torch.randn(6, 12, DIM).cumsum(1), torch.tensor([12, 3, 7, 12, 12, 9])
    states = []
    for enabled in (False, True):
        quantizer = codec().quantizer
        with torch.autocast("cpu", kind, enabled=enabled):
            for step in range(3):
                seen = train_step(quantizer, features, lengths, torch.Generator().manual_seed(step))
        states.append({**quantizer.state_dict(), "perplexity": seen.perplexity})
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


@pytest.mark.parametrize("model", [lambda: LightModel(8, knots=2), FactorizedModel], ids=["light", "factorized"])
def test_training_of_a_codec_is_the_same_in_bf16_mixed(model, tmp_path):
    states = []
    for precision in ("32-true", "bf16-mixed"):
        pl.seed_everything(1, verbose=False)
        task = CodecTask(GroupedResidualVQ(2, 1, 4), model(), 1, 1, sample_frames=50)
        pl.Trainer(
            max_epochs=3, accelerator="cpu", precision=precision, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        ).fit(task, TinyData(count=24))  # fmt: skip
        states.append(task.state_dict())
    for name, value in states[0].items():
        assert value.dtype == states[1][name].dtype
        assert torch.equal(value, states[1][name]), name


def scaled(init_scale=2.0**16):
    """Loss scaling in fp16 as on a GPU; the trainer's flag alone would turn it into bf16 on a CPU."""
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=init_scale))


def fit(task, data, folder, epochs=3, **settings):
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, default_root_dir=folder, **settings,
    )  # fmt: skip
    trainer.fit(task, data)
    return trainer


def codec_task(epochs=1):
    pl.seed_everything(1, verbose=False)
    return CodecTask(GroupedResidualVQ(2, 1, 4), LightModel(8, knots=2), epochs, 1, splits=1, sample_frames=50)


def test_training_of_a_codec_is_the_same_under_loss_scaling(tmp_path):
    states, counts = [], []
    for plugins in ([], [scaled()]):
        task = codec_task()
        trainer = fit(task, TinyData(count=24), tmp_path, plugins=plugins)
        states.append(task.state_dict())
        counts.append(trainer.global_step)
    assert counts[0] == counts[1] > 0
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


class Steps(pl.Callback):
    """Notes weights and loss scale after every batch."""

    def __init__(self, of):
        self.of, self.states, self.scales = of, [], []

    def on_train_batch_end(self, trainer, module, *_):
        self.states.append({name: value.clone() for name, value in module.state_dict().items() if self.of in name})
        self.scales.append(trainer.precision_plugin.scaler.get_scale())


class Overflow(pl.Callback):
    """Makes the first gradients infinite."""

    def __init__(self, parameter, times):
        self.left = times
        parameter.register_hook(self.spoil)

    def spoil(self, gradient):
        self.left -= 1
        return gradient if self.left < 0 else gradient * float("inf")


def test_steps_that_overflow_are_left_out_and_codebooks_stay(tmp_path):
    whole, task, times = codec_task(), codec_task(), 3
    fit(whole, TinyData(count=24), tmp_path)
    task.entropy.build(layout_of(whole.quantizer))
    steps = Steps("entropy")
    spoiled = Overflow(task.entropy.blocks[0].embedding, times)
    fit(task, TinyData(count=24), tmp_path, plugins=[scaled()], callbacks=[steps, spoiled])
    batches = len(steps.scales) // 3  # an epoch of codebooks, in which nothing is scaled
    assert steps.scales[batches - 1] == 2.0**16
    assert steps.scales[batches + times] == 2.0 ** (16 - times)
    before, during, after = (steps.states[batches + index] for index in (-1, times - 1, times))
    assert all(torch.equal(value, during[name]) for name, value in before.items())
    assert any(not torch.equal(value, after[name]) for name, value in before.items())
    assert all(value.isfinite().all() for value in task.state_dict().values())
    for name, value in whole.quantizer.state_dict().items():
        assert torch.equal(task.quantizer.state_dict()[name], value), name


def test_gradients_are_bounded_after_the_scale_is_undone(tmp_path, monkeypatch):
    norms = []
    module = codec_task(epochs=0)

    def watch(optimizer):
        norms.append(max(float(p.grad.abs().max()) for p in module.entropy.parameters() if p.grad is not None))

    monkeypatch.setattr(module, "on_before_optimizer_step", watch)
    fit(module, TinyData(count=24), tmp_path, epochs=1, plugins=[scaled(2.0**20)])
    assert 0 < max(norms) < 1000


def test_features_that_are_not_finite_leave_codebooks_as_they_were():
    quantizer = codec().quantizer
    features, lengths = torch.randn(6, 12, DIM), torch.full((6,), 12)
    features[3, 5, 2] = float("inf")
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    with pytest.raises(ValueError, match="NaN or infinite; the codebooks are left as they were"):
        train_step(quantizer, features, lengths, torch.Generator())
    for name, value in quantizer.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("norm", [False, True])
def test_styles_that_overflow_leave_their_codebook_alone(norm):
    torch.manual_seed(0)
    book, mask = StyleCodebook(4, 4, 0.9, norm=norm).train(), torch.ones(2, 9, dtype=torch.bool)
    bad = torch.randn(2, 9, 4)
    bad[0, 3] = float("inf")
    assert not book(bad, mask).styles.isfinite().all(), "the loss has to see it, so that the step is left out"
    assert not book.started, "the k-means does not begin with it"
    book(torch.randn(2, 9, 4), mask)
    before = {name: value.clone() for name, value in book.state_dict().items()}
    seen = book(bad, mask)
    assert (seen.codes == -1).all()
    for name, value in book.state_dict().items():
        assert torch.equal(value, before[name]), name
    norm_of_frames = ActNorm(4).train()
    norm_of_frames(bad, mask)
    assert not norm_of_frames.started
    assert norm_of_frames.shift.isfinite().all()


@pytest.mark.parametrize("scale", [2.0**10, 2.0**40])
def test_a_voice_trains_in_fp16_with_loss_scaling(scale, tmp_path):
    pl.seed_everything(2, verbose=False)
    task = EmotionTTS(Architecture(**TINY), schedule=Schedule(0, 0, 1, 0), warmup_steps=1, learning_rate=0.05)
    steps = Steps("model.")
    fit(task, VoiceData(), tmp_path, epochs=16, plugins=[scaled(scale)], callbacks=[steps], limit_val_batches=0)
    first, last = steps.states[0], steps.states[-1]
    moved = [name for name, value in first.items() if not torch.equal(value, last[name])]
    assert any("codebook" in name for name in moved)
    assert any("decoder" in name for name in moved)
    assert all(value.isfinite().all() for value in last.values())
    assert {value.dtype for value in last.values() if value.is_floating_point()} == {torch.float32}
    if scale > 2.0**20:
        assert steps.scales[-1] < scale, "the first steps overflowed"
        weights = [name for name, _ in task.named_parameters() if "flow" not in name]
        assert all(torch.equal(steps.states[1][name], first[name]) for name in weights if name in first)


def test_rows_of_a_sweep_are_the_same_in_bf16_mixed(tmp_path):
    rows = []
    for precision in ("32-true", "bf16-mixed"):
        task = CodecEvaluationTask([codec()], CentroidHead(), replicates=20)
        pl.Trainer(
            accelerator="cpu", precision=precision, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=tmp_path,
        ).test(task, TinyData(count=24), verbose=False)  # fmt: skip
        rows.append([str(row) for row in task.rows])
    assert len(rows[0]) > 50 * len(EMOTIONS)
    assert rows[0] == rows[1]


@pytest.mark.parametrize("kind", HALVES)
def test_losses_of_a_voice_stay_within_two_percent(kind):
    torch.manual_seed(0)
    model = GenerSpeech(Architecture(**TINY), 10, 8, 6, 5, 150.0, 30.0).eval()
    batch = voice_batch()

    def terms():
        output = model(batch, masked_mean(batch.emotion_frames, batch.emotion_lengths), None, 0.0, True)
        return voice_losses(output, batch, model, MelSettings.generspeech())

    with torch.no_grad():
        exact = terms()
        with torch.autocast("cpu", kind):
            found = terms()
    for name, value in exact.items():
        assert found[name].dtype == torch.float32, f"{name} is summed in float32"
        assert float(found[name]) == pytest.approx(float(value), rel=0.02, abs=5e-3), name


def test_a_voice_trains_in_bf16_and_keeps_float32_weights_and_codebooks():
    batch, weights, totals = voice_batch(), vars(LossWeights()), {}
    for half in (True, False):
        torch.manual_seed(0)
        model = GenerSpeech(Architecture(**TINY), 10, 8, 6, 5, 150.0, 30.0).train()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
        totals[half] = []
        for _ in range(4):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                output = model(batch, masked_mean(batch.emotion_frames, batch.emotion_lengths), None, 0.0, True)
                terms = voice_losses(output, batch, model, MelSettings.generspeech())
                total = torch.stack([weights[name] * term for name, term in terms.items() if name in weights]).sum()
            optimizer.zero_grad()
            total.backward()
            assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
            optimizer.step()
            totals[half].append(total.item())
        assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    assert totals[True] == pytest.approx(totals[False], rel=0.02), "a training in halves follows that in float32"
