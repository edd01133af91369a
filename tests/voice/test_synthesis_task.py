import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from voice_batches import TINY, voice_batch
from voice_data import VoiceData

from emoquant.codecs.base import Codec
from emoquant.types import Coded
from emoquant.voice.tasks.schedules import ConditionDropout, Schedule
from emoquant.voice.tasks.synthesis import EmotionTTS
from emoquant.voice.tasks.voice_losses import LossWeights
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.voice import load_voice, save_voice

SOON = Schedule(forcing_until=2, guided_from=1, codebooks_from=3, flow_from=0)


def task(**options):
    torch.manual_seed(0)
    return EmotionTTS(Architecture(**TINY), schedule=SOON, **options)


def trainer(folder, **options):
    settings = {"max_epochs": 2, "gradient_clip_val": 1.0, **options}
    return pl.Trainer(
        accelerator="cpu", devices=1, default_root_dir=folder, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, use_distributed_sampler=False, **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voice")
    module, run = task(dropout=ConditionDropout(0.2, 0.2, 0.2)), trainer(folder)
    run.fit(module, datamodule=VoiceData())
    run.save_checkpoint(folder / "voice.ckpt")
    return module, run, folder


def test_a_run_logs_every_loss_and_starts_the_codebooks(trained):
    module, run, _ = trained
    logged = run.callback_metrics
    for name in vars(LossWeights()):
        assert torch.isfinite(logged[f"train/loss_{name}"])
        assert torch.isfinite(logged[f"val/loss_{name}"])
    assert {"val/f0_error_hz", "val/perplexity_frame", "train/gradient_norm"} <= set(logged)
    assert all(bool(style.codebook.started) for style in module.model.local.values())


def test_perplexities_are_no_part_of_the_monitored_loss(trained):
    module, run, _ = trained
    assert "val/loss" not in run.callback_metrics
    assert not any(name.startswith("perplexity") for name in module._weights_now())


def test_losses_wait_for_their_step():
    module = task()
    weights = {}
    for step in range(4):
        module.trainer = pl.Trainer(logger=False, accelerator="cpu")
        module.trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total.completed = step
        weights[step] = module._weights_now()
    assert [weights[step]["guided"] for step in range(4)] == [0, 1, 1, 1]
    assert [weights[step]["commitment"] for step in range(4)] == [0, 0, 0, 1]
    assert weights[0]["mel"] == 0.5
    assert weights[0]["flow"] == 1.0


def test_learning_rate_rises_and_falls_as_published():
    module = EmotionTTS(Architecture(hidden=256), warmup_steps=2000)
    rates = [module._rate(step) for step in (0, 999, 1999, 7999)]
    peak = 2000**-0.5 * 256**-0.5
    assert rates == pytest.approx([peak / 2000, peak / 2, peak, peak / 2])
    assert peak == pytest.approx(1.4e-3, rel=0.01)


def test_a_cool_down_ends_at_the_last_step(tmp_path):
    module = EmotionTTS(Architecture(**TINY), warmup_steps=10, cooldown_steps=20)
    plain = EmotionTTS(Architecture(**TINY), warmup_steps=10)
    module.trainer = trainer(tmp_path, max_steps=100)
    shares = [module._rate(step) / plain._rate(step) for step in (50, 80, 90, 99)]
    assert shares == pytest.approx([1.0, 1.0, 0.5, 0.05])
    module.trainer = trainer(tmp_path)
    with pytest.raises(ValueError, match="needs a max_steps"):
        module.configure_optimizers()


def test_a_checkpoint_makes_a_voice_with_phones_and_mel(trained, tmp_path):
    module, _, folder = trained
    voice = load_voice(folder / "voice.ckpt")
    assert voice.facts == module.facts
    assert voice.facts.phones[3] == "p3"
    assert voice.facts.mel.mels == 8
    assert torch.equal(voice.speaker("two"), module.speaker_centroids[1])
    batch = voice_batch()
    ask = (batch.phones, batch.phone_lengths, batch.emotion_frames.mean(1), batch.speaker_vectors, batch.style)
    expected = module.model.eval().infer(*ask, postnet=False).mels
    assert torch.equal(voice.model.infer(*ask, postnet=False).mels, expected)
    save_voice(tmp_path / "full", voice, half=False)
    assert torch.equal(load_voice(tmp_path / "full").model.infer(*ask, postnet=False).mels, expected)
    save_voice(tmp_path / "half", voice)
    half = load_voice(tmp_path / "half", postnet=False)
    assert half.facts.postnet is False
    assert next(half.model.parameters()).dtype == torch.float32
    again = half.model.infer(*ask, durations=batch.durations, postnet=False).mels
    exact = voice.model.infer(*ask, durations=batch.durations, postnet=False).mels
    torch.testing.assert_close(again, exact, atol=0.05, rtol=0.05)
    with pytest.raises(ValueError, match="knows one, two"):
        voice.speaker("three")


def test_wrong_files_are_named(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="no voice at"):
        load_voice(tmp_path / "nowhere")
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    with pytest.raises(ValueError, match="cannot be read"):
        load_voice(tmp_path / "junk.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="of another kind"):
        load_voice(tmp_path / "other.ckpt")
    save_voice(tmp_path / "voice", load_voice(trained[2] / "voice.ckpt"))
    weights = tmp_path / "voice" / "voice.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ValueError, match="damaged"):
        load_voice(tmp_path / "voice")


def test_a_training_begins_with_another_voice(trained, tmp_path):
    source = trained[2] / "voice.ckpt"
    seen = []

    class Watch(pl.Callback):
        def on_train_start(self, trainer, pl_module):
            seen.append({name: value.clone() for name, value in pl_module.model.state_dict().items()})

    module, run = task(init_from=str(source)), trainer(tmp_path, max_epochs=1, callbacks=[Watch()])
    run.fit(module, VoiceData())
    expected = load_voice(source).model.state_dict()
    for name, value in expected.items():
        assert torch.equal(seen[0][name], value), name
    assert run.global_step > 0
    run.save_checkpoint(tmp_path / "begun.ckpt")
    resumed, again = task(init_from="nowhere"), trainer(tmp_path, max_epochs=2)  # its own weights are in the checkpoint
    again.fit(resumed, VoiceData(), ckpt_path=str(tmp_path / "begun.ckpt"))
    assert again.global_step == 2 * run.global_step
    wider = task(init_from=str(source))
    wider.architecture = replace(wider.architecture, hidden=2 * wider.architecture.hidden)
    with pytest.raises(ValueError, match="trained with architecture"):
        trainer(tmp_path, max_epochs=1).fit(wider, VoiceData())


def test_statistics_are_of_the_data_whatever_a_training_begins_with(trained, tmp_path):
    begun, data = load_voice(trained[2] / "voice.ckpt"), VoiceData()
    data.f0_mean, data.f0_std, data.emotion_mean, data.emotion_std = 210.0, 33.0, torch.ones(6), torch.full((6,), 2.0)
    data.speaker_log_f0, data.log_f0_std = torch.tensor([5.0, 5.8]), 0.4
    module = task(init_from=str(trained[2] / "voice.ckpt"))
    trainer(tmp_path, max_epochs=1).fit(module, data)
    assert torch.equal(module.model.emotion.mean, data.emotion_mean)
    assert torch.equal(module.model.emotion.deviation, data.emotion_std)
    wanted = (module.facts.f0_mean, module.facts.f0_deviation)
    assert wanted == (begun.facts.f0_mean, begun.facts.f0_deviation), "the unit in which its predictor was trained"


def test_training_resumes_with_step_optimizer_and_codebooks(trained):
    folder = trained[2]
    resumed, run = task(dropout=ConditionDropout(0.2, 0.2, 0.2)), trainer(folder, max_epochs=3)
    seen = []

    class Watch(pl.Callback):
        def on_train_start(self, trainer, pl_module):
            codebooks = pl_module.model.local["word"].codebook.codebook.codebook
            saved = torch.load(folder / "voice.ckpt", weights_only=True)["state_dict"]
            seen.append((trainer.global_step, trainer.optimizers[0].state_dict()["state"] != {}))
            seen.append(torch.equal(codebooks, saved["model.local.word.codebook.codebook._codebook.embed"][0]))

    run.callbacks.append(Watch())
    run.fit(resumed, datamodule=VoiceData(), ckpt_path=folder / "voice.ckpt")
    assert seen == [(6, True), True]
    assert run.global_step == 9


def test_resuming_on_other_phones_is_refused(trained):
    with pytest.raises(ValueError, match="other phones"):
        trainer(trained[2], max_epochs=3).fit(
            task(), datamodule=VoiceData(phones=12), ckpt_path=trained[2] / "voice.ckpt"
        )


@pytest.mark.parametrize(
    ("name", "other", "says"),
    [
        ("encoder_name", "another", "encoder 'random', the data or the configuration say 'another'"),
        ("speakers", ["one", "three"], r"speakers \('one', 'two'\), .* say \('one', 'three'\)"),
        ("emotions", ["angry", "happy", "neutral", "surprise", "sad"], "emotions"),
    ],
)
def test_resuming_on_another_encoder_other_speakers_or_emotions_is_refused(trained, name, other, says):
    data = VoiceData()
    setattr(data, name, other)
    with pytest.raises(ValueError, match=f"the voice was trained with {says}"):
        trainer(trained[2], max_epochs=3).fit(task(), datamodule=data, ckpt_path=trained[2] / "voice.ckpt")


class HalfCodec(Codec):
    """Halves every frame at point 1 and keeps it at point 0."""

    def __init__(self):
        super().__init__()
        self.name, self.dim, self.positions, self.codewords, self.points = "half", 6, 0, 0, (0.0, 1.0)

    def forward(self, features, lengths, points=None):
        factors = torch.tensor([1 - 0.5 * point for point in points]).view(-1, 1, 1, 1)
        shape = (len(points), *features.shape[:2])
        return Coded(torch.zeros(*shape, 0), factors * features, torch.zeros(shape))


def test_quantized_vectors_in_training_only():
    module, batch = task(codec=HalfCodec(), lmbdas=[1.0], quantized=1.0), voice_batch()
    plain = task().emotion_vectors(batch)
    torch.testing.assert_close(module.train().emotion_vectors(batch), 0.5 * plain)
    torch.testing.assert_close(module.eval().emotion_vectors(batch), plain)
    some = task(codec=HalfCodec(), lmbdas=[0.0, 1.0], quantized=0.5).train()
    ratios = torch.cat([some.emotion_vectors(batch)[:, 0] / plain[:, 0] for _ in range(20)])
    assert set(ratios.round(decimals=3).tolist()) == {0.5, 1.0}


def test_settings_out_of_range_are_named():
    with pytest.raises(ValueError, match="together with a codec"):
        EmotionTTS(quantized=0.5)
    with pytest.raises(ValueError, match="learning_rate"):
        EmotionTTS(learning_rate=0.0)
    with pytest.raises(ValueError, match="shares"):
        ConditionDropout(emotion=1.0)
    with pytest.raises(TypeError, match="no data module: give it a TTSDataModule"):
        trainer(".").fit(task(), train_dataloaders=VoiceData().train_dataloader())


def test_bfloat16_training_stays_finite(tmp_path):
    module = task()
    trainer(tmp_path, max_epochs=1, precision="bf16-mixed").fit(module, datamodule=VoiceData())
    assert all(torch.isfinite(parameter).all() for parameter in module.parameters())


PROGRAM = """
import sys, torch
sys.path[:0] = [{tests!r}]
import lightning.pytorch as pl
from voice_batches import TINY
from voice_data import VoiceData
from emoquant.voice.tasks.schedules import Schedule
from emoquant.voice.tasks.synthesis import EmotionTTS
from emoquant.voice.tts.architecture import Architecture

class Compare(pl.Callback):
    def on_train_end(self, trainer, module):
        for name, value in {{**dict(module.named_parameters()), **dict(module.named_buffers())}}.items():
            if value.is_floating_point():
                both = module.all_gather(value.detach())
                assert torch.equal(both[0], both[1]), name
        used = module.model.local["frame"].codebook.codebook._codebook.cluster_size
        assert float(used.sum()) > 0
        print("rank", trainer.global_rank, "equal at step", trainer.global_step, flush=True)

torch.manual_seed(0)
torch.set_num_threads(1)
task = EmotionTTS(Architecture(**{{**TINY, "style_norm": True}}), schedule=Schedule(1, 0, 1, 0))
run = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False, enable_checkpointing=False,
                 enable_progress_bar=False, use_distributed_sampler=False, callbacks=[Compare()])
run.fit(task, datamodule=VoiceData())
"""


@pytest.mark.slow
def test_two_processes_keep_equal_weights_and_codebooks_without_unused_parameters(tmp_path):
    tests = Path(__file__).parent.parent
    program = tmp_path / "run.py"
    program.write_text(PROGRAM.format(tests=str(tests)))
    settings = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tests.parent)}
    command = [sys.executable, str(program)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("equal at step 6") == 2
