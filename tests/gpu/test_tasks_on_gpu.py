"""Every task's training, validation, test and prediction steps on the pretended GPU, forward and backward."""

import logging

import lightning.pytorch as pl
import pytest
import torch
from pretended_trainer import trainer
from tiny_world import CentroidHead, TinyData
from torch.utils.data import DataLoader
from voice_batches import TINY
from voice_data import VoiceData

from emoquant.codecs import ECVQ
from emoquant.entropy import FactorizedModel, LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import CodebookTask, CodecTask, EntropyTask, ProbeTask, TransformTask
from emoquant.tasks.evaluation import CodecEvaluationTask
from emoquant.types import AudioBatch
from emoquant.voice.tasks import EmotionTTS, Schedule
from emoquant.voice.tasks.vocoder import VocoderTask
from emoquant.voice.tts.architecture import Architecture
from emoquant.voice.tts.vocos import VocosGenerator

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*smaller than the logging.*")
BF16, FP16 = "bf16-mixed", pytest.param("16-mixed", marks=pytest.mark.slow)


def codec_task(**options):
    pl.seed_everything(1, verbose=False)
    return CodecTask(GroupedResidualVQ(2, 2, 4, coarse=1, prediction=True), LightModel(8, knots=2), 1, 1, splits=2,
                     sample_frames=60, **options)  # fmt: skip


@pytest.mark.parametrize("precision", ["32-true", BF16, FP16])
def test_a_codec_is_trained_and_measured(gpu, precision, tmp_path):
    task = codec_task(survivors=2)
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            seen.append((module.device.type, batch.features.device.type, module.quantizer.fine.vectors.device.type))

    run = trainer(tmp_path, precision, max_epochs=3, num_sanity_val_steps=1, callbacks=[Watch()])
    run.fit(task, TinyData(count=12))
    assert set(seen) == {("cuda", "cuda", "cuda")}
    before = codec_task(survivors=2)
    before.entropy.build(task.entropy.layout)
    assert not torch.equal(task.entropy.blocks[1].output.cpu(), before.entropy.blocks[1].output), "gradients came back"
    if precision != "16-mixed":  # of which an evaluation knows nothing that bf16 does not show
        codec = ECVQ(task.quantizer, task.entropy, [0.0, 4.0])
        evaluation = CodecEvaluationTask([codec], CentroidHead(), by_speaker=True, replicates=5)
        trainer(tmp_path, precision).test(evaluation, TinyData(count=12), verbose=False)
        assert len(evaluation.rows) > 100


def test_a_step_of_codebooks_waits_seldom(gpu, tmp_path):
    counted = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            gpu.clear()

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            counted.append((module.phase(), dict(gpu.waits), sum(gpu.uploads.values())))

    trainer(tmp_path, max_epochs=3, limit_val_batches=0, callbacks=[Watch()]).fit(codec_task(), TinyData(count=12))
    for phase, waits, uploads in counted[1:]:
        assert sum(waits.values()) <= (12 if phase == "codebooks" else 40), (phase, waits)
        assert uploads <= 12, phase


def test_an_entropy_model_without_context_is_trained(gpu, tmp_path):
    task = CodecTask(GroupedResidualVQ(2, 1, 4), FactorizedModel(), 1, 1, sample_frames=60, joint_epochs=1)
    trainer(tmp_path, max_epochs=3, deterministic=True, limit_val_batches=0).fit(task, TinyData(count=12))


def test_codebooks_and_an_entropy_model_are_trained_one_after_the_other(gpu, tmp_path):
    pl.seed_everything(1, verbose=False)
    books = CodebookTask(GroupedResidualVQ(2, 2, 4, coarse=1), sample_frames=60)
    run = trainer(tmp_path)
    run.fit(books, TinyData(count=12))
    run.save_checkpoint(tmp_path / "books.ckpt")
    task = EntropyTask(tmp_path / "books.ckpt", LightModel(8, knots=2), gate_epochs=1, splits=2, any_encoder=True)
    trained = trainer(tmp_path, max_epochs=2)
    trained.fit(task, TinyData(count=12))
    assert torch.equal(task.quantizer.fine.vectors, books.quantizer.fine.vectors)
    assert 0 < float(trained.callback_metrics["val/lagrangian"]) < 2


@pytest.mark.parametrize("precision", ["32-true", pytest.param(BF16, marks=pytest.mark.slow), FP16])
def test_a_transform_codec_is_trained_and_measured(gpu, precision, tmp_path):
    pl.seed_everything(1, verbose=False)
    task = TransformTask(splits=2)
    run = trainer(tmp_path, precision, num_sanity_val_steps=1, deterministic=precision == "32-true")
    run.fit(task, TinyData(count=8))
    assert 0 < float(run.callback_metrics["val/lagrangian"]) < 2
    if precision == "32-true":
        task.codec.points = (0.0, 4.0)
        evaluation = CodecEvaluationTask([task.codec], CentroidHead(), replicates=5)
        trainer(tmp_path).test(evaluation, TinyData(count=8), verbose=False)
        assert len(evaluation.rows) > 100


@pytest.mark.parametrize("precision", ["32-true", BF16, FP16])
def test_a_probe_is_trained(gpu, precision, tmp_path):
    task = ProbeTask(hidden=4, measured=("angry", "happy", "neutral", "sad"))
    run = trainer(tmp_path, precision, deterministic=precision == "32-true")
    run.fit(task, TinyData(count=24))
    run.test(task, TinyData(count=24), verbose=False)


@pytest.mark.parametrize("precision", ["32-true", pytest.param(BF16, marks=pytest.mark.slow), FP16])
def test_a_voice_is_trained(gpu, precision, tmp_path):
    pl.seed_everything(0, verbose=False)
    task = EmotionTTS(Architecture(**TINY), schedule=Schedule(0, 0, 0, 0), warmup_steps=1)
    waits, uploads = [], []

    class Watch(pl.Callback):
        def on_fit_start(self, trainer, module):
            for level in module.model.local.values():
                level.codebook.codebook._codebook.threshold_ema_dead_code = 1e9  # every codeword is replaced

        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            gpu.clear()

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            waits.append(dict(gpu.waits))
            uploads.append(dict(gpu.uploads))

    run = trainer(tmp_path, precision, gradient_clip_val=1.0, callbacks=[Watch()], limit_val_batches=1,
                  deterministic=precision == "32-true")  # fmt: skip
    run.fit(task, VoiceData(batches=3))
    assert sum(waits[-1].values()) <= 5, waits[-1]
    assert sum(uploads[-1].values()) <= 30, uploads[-1]


def audio(seed=0):
    waveforms = 0.1 * torch.randn(2, 4096, generator=torch.Generator().manual_seed(seed))
    zeros = torch.zeros(2, dtype=torch.int64)
    return AudioBatch(waveforms, torch.tensor([4096, 3000]), zeros, zeros, zeros)


def test_a_vocoder_says_that_it_is_not_deterministic(gpu, tmp_path):
    task = VocoderTask(VocosGenerator(dim=16, layers=1), periods=(2,), resolutions=(512,), channels=2)
    with pytest.raises(ValueError, match=r"reflection padding.*--trainer.deterministic warn"):
        trainer(tmp_path, deterministic=True).fit(task, DataLoader([audio()], batch_size=None))


@pytest.mark.parametrize("precision", ["32-true", BF16, FP16])
def test_a_vocoder_is_trained(gpu, precision, tmp_path):
    judges = {"periods": (2,), "resolutions": (512,), "channels": 2}
    task = VocoderTask(VocosGenerator(dim=16, layers=1), **judges, spectrum_weight=1.0)
    uploads = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            gpu.clear()

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            uploads.append(dict(gpu.uploads))

    run = trainer(tmp_path, precision, callbacks=[Watch()])
    run.fit(task, *(DataLoader([audio(0), audio(1)], batch_size=None) for _ in range(2)))
    assert not any("mel.py" in place for place in uploads[-1]), "filterbanks stay on the device"
