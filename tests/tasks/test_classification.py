from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from emoquant.callbacks import ConfusionFigures, EncoderExport
from emoquant.data.base import Corpus, Utterance
from emoquant.data.module import AudioDataModule, EmotionDataModule
from emoquant.encoders import Emotion2Vec, ProbeHead, UntrainedEmotion2Vec
from emoquant.encoders.augmentation import FrameMasking, WaveformAugmentation
from emoquant.encoders.pauses import Pauses
from emoquant.tasks import AcousticTask, ClassificationTask, ProbeTask
from emoquant.tasks.recognition import ConfusionCounts, recalls, warmup_cosine

FRONT_END = "[(32, 640, 160)] + [(24, 1, 1)] + [(24, 3, 2)]"
PITCHES = {"angry": 320.0, "neutral": 110.0, "sad": 200.0}


class PitchCorpus(Corpus):
    """Emotions that are nothing but a pitch; speakers differ in level. One test speaker was heard in training."""

    name = "pitches"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def utterances(self):
        random = np.random.default_rng(0)
        found = []
        for emotion, pitch in PITCHES.items():
            for i in range(20):
                path = self.folder / f"{emotion}{i}.wav"
                if not path.exists():
                    time = np.arange(6_400 + 320 * (i % 4)) / 16_000
                    wave = sum(
                        np.sin(2 * np.pi * k * pitch * (1 + 0.03 * random.normal()) * time) / k for k in (1, 2, 3)
                    )
                    soundfile.write(path, 0.05 * (1 + i % 3) * wave, 16_000)
                split, speaker = ("test", "new") if i < 3 else ("test", "a") if i < 6 else ("train", "ab"[i % 2])
                split, speaker = ("validation", "c") if i in (6, 7) else (split, speaker)
                found.append(Utterance(f"{emotion}{i}", path, emotion, speaker, split))
        return found


@pytest.fixture
def corpus(tmp_path):
    return PitchCorpus(tmp_path)


@pytest.fixture
def model(tmp_path):
    seed_everything(0)
    encoder = UntrainedEmotion2Vec(
        dim=48,
        depth=1,
        prenet_depth=1,
        heads=4,
        front_end=FRONT_END,
        positional_width=9,
        positional_depth=1,
        dropout=0.0,
    )
    encoder.export(tmp_path / "model", dtype=torch.float32)
    return str(tmp_path / "model")


def trainer(folder, epochs, *callbacks, **options):
    logger = TensorBoardLogger(folder / "logs")
    settings = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(
        max_epochs=epochs, logger=logger, callbacks=list(callbacks), log_every_n_steps=1, num_sanity_val_steps=0,
        use_distributed_sampler=False, default_root_dir=folder, **settings, **options,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_the_weights_of_the_best_checkpoint_are_exported(tmp_path, corpus, model):
    class Falling(ModelCheckpoint):
        """Takes the first epoch for the best."""

        def _monitor_candidates(self, trainer):
            return super()._monitor_candidates(trainer) | {"val/uar": torch.tensor(1.0 - trainer.current_epoch / 10)}

    keeper = Falling(tmp_path, "best", monitor="val/uar", mode="max")
    task = ClassificationTask(Emotion2Vec(model), learning_rate=3e-3, warmup_steps=1, front_end=0.0)
    data = AudioDataModule(corpus, list(PITCHES), seconds_per_batch=5.0, in_memory=True)
    trainer(tmp_path, 2, keeper, EncoderExport(str(tmp_path / "out"))).fit(task, datamodule=data)
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert best["epoch"] == 0
    name = "encoder.network.proj.weight"
    exported = Emotion2Vec(str(tmp_path / "out")).load().proj.weight
    torch.testing.assert_close(exported.float(), best["state_dict"][name], atol=1e-3, rtol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_an_encoder_learns_is_exported_and_still_knows(tmp_path, corpus, model):
    emotions = list(PITCHES)
    front = AcousticTask(Emotion2Vec(model), learning_rate=3e-3)
    data = AudioDataModule(corpus, emotions, seconds_per_batch=2.0, in_memory=True)
    pretraining = trainer(tmp_path, 15, EncoderExport(str(tmp_path / "front")), limit_val_batches=0)
    pretraining.fit(front, datamodule=data)
    assert pretraining.callback_metrics["train/loss"] < 0.5
    task = ClassificationTask(
        Emotion2Vec(str(tmp_path / "front")), WaveformAugmentation(speed=0.03), FrameMasking(1, 3, 0.1),
        learning_rate=3e-3, warmup_steps=5, front_end=0.0, balanced=True, pauses=Pauses(0.3, 0.05, 0.05),
    )  # fmt: skip
    frozen = {n: w.clone() for n, w in task.encoder.load().state_dict().items() if "local_encoder" in n}
    run = trainer(tmp_path, 12, ConfusionFigures(6), EncoderExport(str(tmp_path / "out"), variance=1000.0))
    run.fit(task, datamodule=AudioDataModule(corpus, emotions, seconds_per_batch=5.0, in_memory=True))
    after = task.encoder.load().state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())
    figures = run.test(task, datamodule=data, verbose=False)[0]
    assert {name for name in figures if "uar/" in name} == {
        "test/uar/pitches_known_speakers", "test/uar/pitches_new_speakers",
    }  # fmt: skip
    assert figures["test/uar"] > 0.8
    shipped = ClassificationTask(Emotion2Vec(str(tmp_path / "out")))
    again = trainer(tmp_path, 1).test(shipped, datamodule=data, verbose=False)[0]
    assert again["test/uar"] == pytest.approx(figures["test/uar"], abs=0.06)
    shipped.encoder.eval()
    frames = []
    for batch in data.reference_dataloader():
        features, counts = shipped.encoder(batch.waveforms, batch.lengths)
        frames += [utterance[:count] for utterance, count in zip(features, counts, strict=True)]
    assert float(torch.cat(frames).var(0).sum()) == pytest.approx(1000, rel=0.01)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hidden", [0, 16])
def test_a_probe_learns_and_is_loaded_as_a_head(tmp_path, corpus, model, hidden):
    emotions = list(PITCHES)
    data = EmotionDataModule(corpus, Emotion2Vec(model), emotions, cache_dir=str(tmp_path / "cache"))
    task = ProbeTask(hidden, learning_rate=2e-2)
    run = trainer(tmp_path, 40)
    run.fit(task, datamodule=data)
    figures = run.test(task, datamodule=data, verbose=False)[0]
    assert figures["test/uar"] > 0.6
    run.save_checkpoint(tmp_path / "probe.ckpt")
    head = ProbeHead(str(tmp_path / "probe.ckpt"))
    assert head.labels == emotions
    vectors = torch.randn(4, data.dim)
    torch.testing.assert_close(head(vectors), task.probe.eval()(vectors))


@pytest.mark.filterwarnings("ignore")
def test_emotions_without_a_class_are_named(tmp_path, corpus, model):
    class Unknown(PitchCorpus):
        def utterances(self):
            return [u._replace(emotion="calm" if u.emotion == "sad" else u.emotion) for u in super().utterances()]

    data = AudioDataModule(Unknown(corpus.folder), ["angry", "calm"])
    with pytest.raises(ValueError, match=r"no class for \['calm'\]"):
        trainer(tmp_path, 1).fit(ClassificationTask(Emotion2Vec(model)), datamodule=data)


def test_confusions_are_sums():
    random = torch.Generator().manual_seed(0)
    preds, target, groups = (torch.randint(0, n, (50,), generator=random) for n in (4, 4, 2))
    whole, parts = ConfusionCounts(2, 4), ConfusionCounts(2, 4)
    whole.update(preds, target, groups)
    for i in range(0, 50, 7):
        parts.update(preds[i : i + 7], target[i : i + 7], groups[i : i + 7])
    table = whole.compute()
    assert torch.equal(table, parts.compute())
    expected = torch.zeros(2, 4, 4, dtype=torch.long)
    for g, t, p in zip(groups, target, preds, strict=True):
        expected[g, t, p] += 1
    assert torch.equal(table, expected)
    own = [float((preds[(target == c) & (groups == 0)] == c).float().mean()) for c in range(4)]
    assert recalls(table[0]).tolist() == pytest.approx(own, nan_ok=True)


def test_the_schedule_rises_and_ends_at_zero():
    factors = [warmup_cosine(step, 10, 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) < 1
    assert np.argmax(factors) in (9, 10)
    assert factors[100] == pytest.approx(0)


def test_a_wrong_number_is_refused(model):
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        ClassificationTask(Emotion2Vec(model), learning_rate=0)
    with pytest.raises(ValueError, match="hidden must not be negative"):
        ProbeTask(hidden=-1)
    with pytest.raises(ValueError, match="variance=0"):
        EncoderExport("x", variance=0)


def test_a_teacher_keeps_features_where_they_are(corpus, model, tmp_path):
    def distances(epochs, **options):
        task = ClassificationTask(
            Emotion2Vec(model), dropout=0.0, warmup_steps=1, teacher=Emotion2Vec(model), **options
        )
        run, found = trainer(tmp_path, epochs, limit_val_batches=0), []
        task.on_train_epoch_end = lambda: found.append(float(run.callback_metrics["train/distance"]))
        run.fit(task, datamodule=AudioDataModule(corpus, list(PITCHES), seconds_per_batch=5.0, in_memory=True))
        assert not any("teacher" in name for name in task.state_dict()), "it is not what a checkpoint holds"
        return found

    assert max(distances(1, learning_rate=1e-9)) < 1e-6
    paused = distances(5, learning_rate=3e-3, fidelity=10.0, pauses=Pauses(1.0, 0.3, 0.0, digital=1.0))
    assert paused[-1] < 0.9 * paused[0], "without the teacher it grows"
