"""What runs in float32 under mixed precision, to the last bit, and how far the rest may go."""

import logging

import lightning.pytorch as pl
import pytest
import torch
from tiny_world import DIM, EMOTIONS, CentroidHead, TinyData
from voice_batches import TINY, voice_batch

from emoquant.codecs import ECVQ, Greedy, Mixture, Nearest
from emoquant.codecs.search import layout_of
from emoquant.entropy import FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step
from emoquant.tasks import CodecTask
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.tasks.voice_losses import LossWeights, voice_losses
from emoquant.tts.architecture import Architecture
from emoquant.tts.masking import masked_mean
from emoquant.tts.model import GenerSpeech

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
        return voice_losses(output, batch, model)

    with torch.no_grad():
        exact = terms()
        with torch.autocast("cpu", kind):
            found = terms()
    for name, value in exact.items():
        assert found[name].dtype == torch.float32, f"{name} is summed in float32"
        assert float(found[name]) == pytest.approx(float(value), rel=0.02, abs=5e-3), name


def test_a_voice_trains_in_bf16_and_keeps_float32_weights_and_codebooks():
    torch.manual_seed(0)
    model = GenerSpeech(Architecture(**TINY), 10, 8, 6, 5, 150.0, 30.0).train()
    batch, weights = voice_batch(), vars(LossWeights())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    totals = []
    for _ in range(4):
        with torch.autocast("cpu", torch.bfloat16):
            output = model(batch, masked_mean(batch.emotion_frames, batch.emotion_lengths), None, 0.0, True)
            terms = voice_losses(output, batch, model)
            total = torch.stack([weights[name] * term for name, term in terms.items() if name in weights]).sum()
        optimizer.zero_grad()
        total.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
        optimizer.step()
        totals.append(float(total))
    assert totals[-1] < totals[0]
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
