import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from spoken_world import random_voice, speech_data
from torch.utils.data import DataLoader

from emoquant.audio.mel import MelSettings
from emoquant.types import AudioBatch
from emoquant.voice.tasks.vocoder import VocoderTask
from emoquant.voice.tasks.vocoder_pairs import PredictedMels, recorded_pairs
from emoquant.voice.tts.vocoder_checkpoint import load_vocoder, save_vocoder
from emoquant.voice.tts.vocos import VocosGenerator
from emoquant.voice.tts.voice import load_voice, save_voice

SMALL = {"periods": (2, 3), "resolutions": (512,), "channels": 2}


def task(**options):
    torch.manual_seed(0)
    generator = None if "init_from" in options else VocosGenerator(dim=16, layers=1, center=False)
    return VocoderTask(generator, **{**SMALL, **options})


def batch(seed=0, samples=4096, lengths=(4096, 3000)):
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16_000
    waveforms = 0.2 * torch.sin(6.283 * (200 + 300 * torch.rand(2, 1, generator=generator)) * time)
    lengths = torch.tensor(lengths)
    waveforms = waveforms * (torch.arange(samples) < lengths.unsqueeze(1))
    zeros = torch.zeros(2, dtype=torch.int64)
    return AudioBatch(waveforms, lengths, zeros, zeros, zeros)


def fit(module, steps, folder, resume=None, **options):
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=2 * steps, max_epochs=-1, logger=False, enable_checkpointing=False,
        default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip
    data = [DataLoader([batch(seed) for seed in range(*span)], batch_size=None) for span in ((0, 4), (9, 10))]
    trainer.fit(module, *data, ckpt_path=resume, weights_only=True if resume else None)
    return trainer


def test_training_brings_the_mel_nearer_and_trains_both_sides(tmp_path):
    module = task(learning_rate=5e-3, steps=40)
    judges = {name: value.clone() for name, value in module.by_period.named_parameters()}
    with torch.no_grad():
        module.eval()
        pairs = module.pairs(batch(9))
        before = (module.mel(module(pairs)) - module.mel(pairs.real)).abs().mean()
    trainer = fit(module, 20, tmp_path)
    assert trainer.callback_metrics["val/loss_mel"] < 0.95 * before
    assert any(not torch.equal(value, judges[name]) for name, value in module.by_period.named_parameters())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(2.5e-3, rel=1e-6), "half of the cosine"
    trainer.save_checkpoint(tmp_path / "vocoder.ckpt")
    section = torch.load(tmp_path / "vocoder.ckpt", weights_only=True)["emoquant_vocoder"]
    assert section["generator"] == "VocosGenerator"
    assert section["mel"] == MelSettings().to_dict()
    mels = module.pairs(batch()).mels
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
    pairs = module.pairs(batch())
    real, fake = pairs.real, module(pairs)
    judged, fooled, matched = module._judge(real, fake)
    (fooled + matched).backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in module.by_period.parameters())
    assert all(parameter.grad is not None for parameter in module.generator.parameters())
    judged.backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_generated_speech_ends_with_the_utterance():
    module = task().eval()
    pairs = module.pairs(batch())
    fake = module(pairs)
    assert fake.shape == pairs.real.shape == (2, 4096)
    assert pairs.mels.shape == (2, 16, 80)
    assert not fake[1, 3000:].any()


@pytest.mark.parametrize("mel", [MelSettings(), MelSettings.generspeech()], ids=["between", "centred"])
def test_excerpts_have_the_mels_that_they_have_within_their_recording(mel):
    whole = batch(samples=40 * 256, lengths=(40 * 256, 40 * 256)).waveforms
    zeros = torch.zeros(2, dtype=torch.int64)
    begin, size = 10 * 256, 12 * 256
    excerpt = AudioBatch(whole[:, begin : begin + size], torch.tensor([size, 5 * 256]), zeros, zeros, zeros)
    pairs = recorded_pairs(excerpt, mel, excerpts=True)
    torch.testing.assert_close(pairs.mels, mel(whole)[:, 12:20], atol=2e-3, rtol=0)
    torch.testing.assert_close(pairs.real, whole[:, 12 * 256 : 20 * 256])
    assert pairs.lengths.tolist() == [8 * 256, 3 * 256]
    assert (recorded_pairs(excerpt, mel, excerpts=False).mels[:, 0] - mel(whole)[:, 10]).abs().max() > 0.1


def test_the_mel_distance_is_that_of_natural_logarithms(tmp_path):
    found = []
    for log in ("ln", "log10"):
        module = task(mel=MelSettings(log=log), judges_from=9, learning_rate=1e-9)
        module.generator.start.weight.data *= 0  # the generator makes the same of every mel
        found.append(fit(module, 4, tmp_path / log).callback_metrics)
    for name in ("train/loss_mel", "train/loss_generator", "val/loss_mel"):
        torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="give both the same"):
        task(mel=MelSettings(hop=200))
    with pytest.raises(ValueError, match="above 0"):
        task(learning_rate=0.0)
    with pytest.raises(ValueError, match="crop_frames must be at least 4"):
        task(crop_frames=1)


def test_training_begins_with_given_weights_and_goes_on_only_with_the_same_settings(tmp_path):
    given = VocosGenerator(dim=16, layers=1, center=False)
    save_vocoder(tmp_path / "given", given, MelSettings(), half=False)
    module = task(init_from=str(tmp_path / "given"))
    assert module.mel == MelSettings()
    assert all(weight.requires_grad for weight in module.generator.parameters())
    assert torch.equal(module.generator.output.weight, given.output.weight)
    trainer = fit(module, 1, tmp_path)
    assert not torch.equal(module.generator.output.weight, given.output.weight)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    with pytest.raises(ValueError, match=r"mel has other mel settings than the vocoder .*given: fmax 7000\.0 instead"):
        task(init_from=str(tmp_path / "given"), mel=MelSettings(fmax=7000.0))
    for other, message in (
        (task(mel=MelSettings(fmin=50.0)), r"this run has other mel settings than the checkpoint: fmin 50\.0 instead"),
        (VocoderTask(VocosGenerator(dim=16, layers=1), **SMALL), "the checkpoint has a VocosGenerator of .*'center'"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(other, 2, tmp_path, resume=tmp_path / "one.ckpt")


def test_a_vocoder_learns_from_the_mels_that_a_voice_predicts(tmp_path):
    pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
    data = speech_data(tmp_path, frames_per_batch=500)
    data.prepare_data()
    data.setup()
    save_voice(tmp_path / "voice", random_voice(data))
    module = task(mels_from=str(tmp_path / "voice"), crop_frames=20, judges_from=9)
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=2, logger=False, enable_checkpointing=False, default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    (found,) = trainer.validate(module, datamodule=data, verbose=False)
    assert 0 < found["val/loss_mel"] < 20
    batch = next(iter(data.val_dataloader()))
    pairs = module.eval().pairs(batch)
    recorded = module.mel(pairs.real)[0, : batch.mel_lengths[0]]
    inner = slice(2, int(batch.mel_lengths[0]) - 4)
    torch.testing.assert_close(recorded[inner], batch.mels[0, inner], atol=0.3, rtol=0)
    assert (pairs.mels[0, inner] - recorded[inner]).abs().mean() > 0.5, "these are not the recording's"
    torch.manual_seed(0)
    excerpts = module.train().pairs(next(iter(data.train_dataloader())))
    assert excerpts.mels.shape[1:] == (20, 80)
    assert excerpts.real.shape[1] == 20 * 256
    other = speech_data(tmp_path, mel=MelSettings(fmax=7000.0))
    with pytest.raises(ValueError, match="the data has other mel settings than the voice"):
        PredictedMels(load_voice(tmp_path / "voice"), other)


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
