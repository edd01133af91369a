import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.utils.data import DataLoader

from emoquant.speech.mel import MelSettings
from emoquant.tasks.vocoder import VocoderTask
from emoquant.tts.vocoder_checkpoint import load_vocoder
from emoquant.tts.vocos import VocosGenerator
from emoquant.types import AudioBatch

SMALL = {"periods": (2, 3), "resolutions": (512,), "channels": 2}


def task(**options):
    torch.manual_seed(0)
    return VocoderTask(VocosGenerator(dim=16, layers=1), **{**SMALL, **options})


def batch(seed=0, samples=4096, lengths=(4096, 3000)):
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16_000
    waveforms = 0.2 * torch.sin(6.283 * (200 + 300 * torch.rand(2, 1, generator=generator)) * time)
    lengths = torch.tensor(lengths)
    waveforms = waveforms * (torch.arange(samples) < lengths.unsqueeze(1))
    zeros = torch.zeros(2, dtype=torch.int64)
    return AudioBatch(waveforms, lengths, zeros, zeros, zeros)


def fit(module, steps, folder, **options):
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=2 * steps, max_epochs=-1, logger=False, enable_checkpointing=False,
        default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip
    data = [DataLoader([batch(seed) for seed in range(*span)], batch_size=None) for span in ((0, 4), (9, 10))]
    trainer.fit(module, *data)
    return trainer


def test_training_brings_the_mel_nearer_and_trains_both_sides(tmp_path):
    module = task(learning_rate=5e-3, steps=40)
    judges = {name: value.clone() for name, value in module.by_period.named_parameters()}
    with torch.no_grad():
        module.eval()
        before = (module.mel(module(batch(9))[1])[:, :16] - module(batch(9))[2]).abs().mean()
    trainer = fit(module, 20, tmp_path)
    assert trainer.callback_metrics["val/loss_mel"] < 0.95 * before
    assert any(not torch.equal(value, judges[name]) for name, value in module.by_period.named_parameters())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(2.5e-3, rel=1e-6), "half of the cosine"
    trainer.save_checkpoint(tmp_path / "vocoder.ckpt")
    section = torch.load(tmp_path / "vocoder.ckpt", weights_only=True)["emoquant_vocoder"]
    assert section["generator"] == "VocosGenerator"
    assert section["mel"] == MelSettings().to_dict()
    mels = module(batch())[2]
    with torch.no_grad():
        torch.testing.assert_close(load_vocoder(tmp_path / "vocoder.ckpt").generator(mels), module.generator(mels))


def test_gradients_are_bounded_after_fp16_undid_its_scale(tmp_path, monkeypatch):
    module, norms = task(gradient_clip=0.5), []
    bound = module.on_before_optimizer_step

    def watch(optimizer):
        bound(optimizer)
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    monkeypatch.setattr(module, "on_before_optimizer_step", watch)
    precision = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0**8))
    fit(module, 2, tmp_path, plugins=[precision])
    assert len(norms) == 4
    assert 0.01 < min(norms) <= max(norms) < 0.501
    assert all(value.isfinite().all() for value in module.state_dict().values())


def test_every_weight_has_one_gradient_and_judges_learn_from_their_own_loss_only():
    module = task()
    real, fake, _ = module(batch())
    judged, fooled, matched = module._judge(real, fake)
    (fooled + matched).backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in module.by_period.parameters())
    assert all(parameter.grad is not None for parameter in module.generator.parameters())
    judged.backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_generated_speech_ends_with_the_utterance():
    _, fake, mels = task()(batch())
    assert fake.shape == (2, 4096)
    assert mels.shape == (2, 16, 80)
    assert not fake[1, 3000:].any()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="give both the same"):
        task(mel=MelSettings(hop=200))
    with pytest.raises(ValueError, match="above 0"):
        task(learning_rate=0.0)


def test_judges_wait_for_their_step(tmp_path):
    module = task(judges_from=3, spectrum_weight=1.0, learning_rate=1e-3)
    judges = module.by_period.judges[0].convs[0].bias.detach().clone()
    trainer = fit(module, 3, tmp_path / "before")
    torch.testing.assert_close(module.by_period.judges[0].convs[0].bias, judges, rtol=1e-4, atol=0)
    assert all(weight.grad is not None for weight in module.parameters()), "plain DDP wants a gradient of every weight"
    assert "train/loss_fooling" not in trainer.callback_metrics
    assert float(trainer.callback_metrics["train/loss_spectrum"]) > 0
    module = task(judges_from=3, spectrum_weight=1.0, learning_rate=1e-3)
    trainer = fit(module, 4, tmp_path / "after")
    assert "train/loss_fooling" in trainer.callback_metrics
