"""Training of encoders, and extraction by them, on the pretended GPU: forward and backward."""

import logging

import lightning.pytorch as pl
import pytest
import torch
from fake.corpora import write_tone
from fake.encoder import FakeEncoder
from pretended_trainer import trainer
from tone_data import ToneData

from emoquant.data.base import Utterance
from emoquant.data.extraction import ExtractionSettings, extract, find_entries, open_store
from emoquant.encoders import LSTMEncoder, UntrainedEmotion2Vec
from emoquant.encoders.augmentation import FrameMasking, WaveformAugmentation
from emoquant.encoders.pauses import Pauses
from emoquant.tasks import AcousticTask, ClassificationTask, GE2ETask

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*smaller than the logging.*")
SIZES = {"dim": 48, "depth": 1, "prenet_depth": 1, "heads": 4, "positional_width": 9, "positional_depth": 1,
         "front_end": "[(32, 640, 160)] + [(24, 1, 1)] + [(24, 3, 2)]"}  # fmt: skip
PRECISIONS = ["32-true", "bf16-mixed", pytest.param("16-mixed", marks=pytest.mark.slow)]


class Watch(pl.Callback):
    """Notes the devices of weights and batches, and the weights that training moves."""

    def __init__(self):
        self.devices, self.moved, self._before = set(), [], {}

    def on_train_start(self, trainer, module):
        self._before = {name: each.detach().cpu() for name, each in module.named_parameters() if each.requires_grad}

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.devices |= {batch.waveforms.device.type, *(each.device.type for each in module.parameters())}

    def on_train_end(self, trainer, module):
        now = dict(module.named_parameters())
        self.moved = [name for name, each in self._before.items() if not torch.equal(now[name].detach().cpu(), each)]


def fitted(task, folder, precision="32-true", **options):
    """Train a task with a validation before and after; return its trainer."""
    watch = Watch()
    run = trainer(folder, precision, callbacks=[watch], num_sanity_val_steps=1, **options)
    run.fit(task, ToneData(samples=17_600 if isinstance(task, GE2ETask) else 6400))
    assert watch.devices == {"cuda"}
    assert sorted(set(watch._before) - set(watch.moved)) == [], "gradients reach every weight"
    return run


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_lstm_encoder_is_trained(gpu, precision, tmp_path):
    pl.seed_everything(0, verbose=False)
    task = GE2ETask(LSTMEncoder(hidden=8, layers=1), learning_rate=1e-2)
    run = fitted(task, tmp_path, precision, gradient_clip_val=3.0, deterministic=precision == "32-true")
    assert float(run.callback_metrics["val/loss"]) > 0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_encoder_and_its_head_are_trained_and_tested(gpu, precision, tmp_path):
    pl.seed_everything(0, verbose=False)
    task = ClassificationTask(
        UntrainedEmotion2Vec(**SIZES), WaveformAugmentation(speed=0.03), FrameMasking(1, 3, 0.1), warmup_steps=1,
        balanced=True, pauses=Pauses(0.3, 0.05, 0.05), teacher=UntrainedEmotion2Vec(**SIZES), learning_rate=1e-2,
    )  # fmt: skip
    run = fitted(task, tmp_path, precision, deterministic=precision == "32-true")
    figures = run.test(task, ToneData(), verbose=False)[0]
    assert 0 <= figures["test/uar"] <= 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_front_end_learns_acoustic_targets(gpu, precision, tmp_path):
    pl.seed_everything(0, verbose=False)
    task = AcousticTask(UntrainedEmotion2Vec(**SIZES), learning_rate=1e-2)
    run = fitted(task, tmp_path, precision, deterministic=precision == "32-true")
    assert float(run.callback_metrics["val/loss"]) > 0


@pytest.mark.parametrize("kind", ["emotion2vec", "windows of it", "LSTM"])
def test_an_encoder_gives_the_features_of_a_cpu(gpu, kind):
    torch.manual_seed(0)
    encoder = UntrainedEmotion2Vec(dim=16, depth=1, prenet_depth=1, heads=2)
    if kind == "windows of it":
        encoder.window, encoder.overlap = 0.4, 0.1
    encoder = (LSTMEncoder(hidden=8, layers=2) if kind == "LSTM" else encoder).eval()
    waveforms, lengths = 0.1 * torch.randn(2, 9000), torch.tensor([9000, 6000])
    with torch.no_grad():
        here, frames = encoder(waveforms, lengths)
        there, counts = encoder.to("cuda")(waveforms.to("cuda"), lengths.to("cuda"))
    assert there.device.type == "cuda"
    assert torch.equal(frames, counts.cpu())
    torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)


def test_features_are_extracted_in_batches(gpu, tmp_path):
    found = {}
    for device in ("cpu", "cuda"):
        paths = [tmp_path / f"{number}.wav" for number in range(5)]
        for number, path in enumerate(paths):
            write_tone(path, number=number)
        utterances = [Utterance(path.stem, path, "sad", "one", "train") for path in paths]
        encoder = FakeEncoder()
        store = open_store(encoder, tmp_path / device)
        extract(utterances, encoder, store, settings=ExtractionSettings(device, progress=False))
        store.merge()
        store.refresh()
        found[device] = [store.read(row) for row in find_entries(store, utterances)]
        assert encoder.calls == (5 if device == "cpu" else 1)
    for here, there in zip(found["cpu"], found["cuda"], strict=True):
        torch.testing.assert_close(there, here)
