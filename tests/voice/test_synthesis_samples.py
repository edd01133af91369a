import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from voice_batches import TINY, voice_batch
from voice_data import VoiceData

from emoquant.voice.callbacks.synthesis import SynthesisSamples, first_items
from emoquant.voice.tasks.schedules import Schedule
from emoquant.voice.tasks.synthesis import EmotionTTS
from emoquant.voice.tts.architecture import Architecture

SETTINGS = {
    "accelerator": "cpu", "devices": 1, "enable_progress_bar": False, "enable_model_summary": False,
    "enable_checkpointing": False, "use_distributed_sampler": False, "log_every_n_steps": 1,
}  # fmt: skip


def test_first_items_keep_the_shape_of_a_batch():
    batch = voice_batch()
    few = first_items(batch, 2)
    assert [len(value) for value in few[:8]] == [2] * 8
    assert len(few.style.mels) == 2
    assert first_items(batch, 9).phones.shape == batch.phones.shape


@pytest.mark.parametrize("postnet", [False, True])
def test_sounds_and_pictures_reach_tensorboard(tmp_path, postnet):
    torch.manual_seed(0)
    task = EmotionTTS(Architecture(**TINY), schedule=Schedule(1, 0, 1, 0), postnet=postnet)
    logger = TensorBoardLogger(tmp_path, name="voice")
    samples = SynthesisSamples(items=2, every_n_validations=2)
    pl.Trainer(max_epochs=3, logger=logger, callbacks=[samples], **SETTINGS).fit(task, datamodule=VoiceData(batches=2))
    found = EventAccumulator(logger.log_dir, size_guidance={"audio": 0, "images": 0}).Reload()
    sounds, pictures = found.Tags()["audio"], found.Tags()["images"]
    names = ("true mel", "true durations and melody", "predicted")
    assert {f"voice_{item}/{name}" for item in range(2) for name in names} == set(sounds)
    kinds = ("mel", "attention", "melody", "durations")
    assert {f"voice_{item}/{kind}" for item in range(2) for kind in kinds} == set(pictures)
    steps = [event.step for event in found.Audio("voice_0/predicted")]
    assert steps == [2, 6], "first and third validation"
    assert found.Audio("voice_0/true mel")[0].sample_rate == 22_050
    assert "val/loss_mel" in found.Tags()["scalars"]


def test_settings_and_wrong_batches_are_named(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        SynthesisSamples(items=0)
    trainer = pl.Trainer(logger=TensorBoardLogger(tmp_path), **SETTINGS)
    with pytest.raises(TypeError, match="TTSDataModule"):
        SynthesisSamples().on_validation_batch_end(trainer, EmotionTTS(), None, torch.zeros(1), 0)
