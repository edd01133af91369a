"""Batch synthesis on the pretended GPU: what it renders and measures is what a CPU does."""

import logging

import pytest
import torch
from lightning.pytorch import Trainer
from pretend import moved
from pretended_trainer import trainer
from spoken_world import BandEncoder, LoudestHead, corpus, pull_codec, random_voice, speech_data

from emoquant.audio.mel import MelSettings
from emoquant.voice.tasks import ListeningTask
from emoquant.voice.tts.vocoders import GriffinLim
from emoquant.voice.tts.voice import save_voice

pytest.importorskip("pyworld", reason="the extra `speech` is not installed")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a corpus, its caches and a voice."""
    folder = tmp_path_factory.mktemp("spoken")
    data = speech_data(folder)
    data.prepare_data()
    data.setup()
    save_voice(folder / "voice", random_voice(data))
    return folder


def rendered(world, run, emotions=("sad",), **settings):
    task = ListeningTask(
        str(world / "voice"), [pull_codec((0.0, 9.0))], classifier=LoudestHead(), distances=True,
        speaker_encoder=BandEncoder(), **settings,
    )  # fmt: skip
    data = speech_data(world, corpora=corpus(world), emotions=list(emotions))
    return [clip for batch in run.predict(task, datamodule=data) for clip in batch]


def cpu(folder):
    return Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                   enable_model_summary=False, default_root_dir=folder)  # fmt: skip


def assert_close(there, here):
    assert there.device.type == "cpu"
    assert there.shape == here.shape
    assert float((there - here).norm()) < 1e-2 * float(here.norm())  # pulses move where a phase is at its end


SETTINGS = [{}, {"emotions": ["neutral", "sad"], "postnet": True, "partners": {"sad": "neutral"}, "style": "neutral",
                 "conditions": ["B"], "calibration": False}]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=["default", "pairs"])
def test_clips_are_those_of_a_cpu(gpu, world, tmp_path, settings):
    here = rendered(world, cpu(tmp_path), **settings)
    gpu.clear()
    there = rendered(world, trainer(tmp_path), **settings)
    assert sum(gpu.operations.values()) > 1000, "it ran on the device"
    assert len(here) == len(there) >= 3
    for one, other in zip(here, there, strict=True):
        assert one.clip.file == other.clip.file
        assert_close(other.waveform, one.waveform)
        assert other.clip.predicted == one.clip.predicted
        assert other.clip.speaker_similarity == pytest.approx(one.clip.speaker_similarity, abs=1e-2, nan_ok=True)


def test_griffin_and_lim_on_the_device(gpu):
    vocoder = GriffinLim(MelSettings(mels=20), iterations=2)
    mels = torch.randn(2, 12, 20, generator=torch.Generator().manual_seed(0)) - 3
    given = mels, torch.tensor([12, 9]), torch.full((2, 12), 150.0), torch.ones(2, 12, dtype=torch.bool)
    assert_close(moved(vocoder)(*moved(given)).cpu(), vocoder(*given))
