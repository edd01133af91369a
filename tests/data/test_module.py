import warnings

import numpy as np
import pytest
import torch
from fake.corpora import fake_cremad, fake_manifest, write_tone
from fake.encoder import FakeEncoder
from lightning.pytorch import LightningModule, Trainer

from emoquant.audio.loading import AudioError
from emoquant.data.base import Corpus
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import AudioDataModule, EmotionDataModule


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    fake_manifest(folder / "corpus")
    return folder


def corpus(folder, **settings) -> Corpus:
    return ManifestCorpus(str(folder / "corpus" / "manifest.csv"), **settings)


def ready(module):
    module.prepare_data()
    module.setup()
    return module


@pytest.fixture(scope="module")
def module(folder):
    return ready(
        EmotionDataModule(corpus(folder), FakeEncoder(), cache_dir=str(folder / "cache"), frames_per_batch=200)
    )


def test_attributes(module):
    assert module.name == "corpus"
    assert module.dim == 8
    assert module.emotions == ["angry", "happy", "neutral", "sad", "surprise"]
    assert module.speakers == ["s0", "s1", "s2", "s3", "s4"]
    assert sum(len(module.dataset(split)) for split in ("train", "validation", "test")) == 100


class Watch(LightningModule):
    """Notes the rows of every batch."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = torch.nn.Parameter(torch.zeros(1)), {"train": [], "val": []}

    def training_step(self, batch, batch_idx):
        self.seen["train"].append((self.current_epoch, batch.utterances.tolist()))
        return self.weight.square().sum()

    def validation_step(self, batch, batch_idx):
        self.seen["val"].append((self.current_epoch, batch.utterances.tolist()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_overfitting_has_the_same_batches_in_every_epoch(folder):
    data = EmotionDataModule(corpus(folder), FakeEncoder(), cache_dir=str(folder / "cache"), frames_per_batch=200)
    task = Watch()
    trainer = Trainer(
        accelerator="cpu", max_epochs=3, overfit_batches=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=0,
        default_root_dir=folder,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="You requested to overfit")
        trainer.fit(task, datamodule=data)
    for split, seen in task.seen.items():
        epochs = [[rows for epoch, rows in seen if epoch == number] for number in range(3)]
        assert len(epochs[0]) == 2 if split == "train" else epochs[0]
        assert epochs[0] == epochs[1] == epochs[2], split


@pytest.mark.parametrize("name", ["val_dataloader", "test_dataloader", "predict_dataloader", "reference_dataloader"])
def test_loaders_give_every_utterance_once_with_its_labels(module, name):
    split = {"val": "validation", "ref": "train"}.get(name[:3], "test")
    dataset = module.dataset(split)
    rows = []
    for batch in getattr(module, name)():
        assert batch.features.dtype == torch.float32
        assert batch.features.shape == (len(batch.lengths), int(batch.lengths.max()), 8)
        assert len(batch.lengths) * int(batch.lengths.max()) <= 200
        for index, row in enumerate(batch.utterances.tolist()):
            utterance, length = dataset.utterances[row], int(batch.lengths[index])
            assert length == dataset.lengths[row]
            assert module.emotions[batch.emotions[index]] == utterance.emotion
            assert module.speakers[batch.speakers[index]] == utterance.speaker
            assert not batch.features[index, length:].any()
            assert batch.features[index, :length].any(dim=1).all()
            rows.append(row)
    assert sorted(rows) == list(range(len(dataset)))


def test_votes_are_shares_of_all_votes(module):
    batch = next(iter(module.test_dataloader()))
    for index, row in enumerate(batch.utterances.tolist()):
        sad = module.dataset("test").utterances[row].emotion == "sad"
        expected = [0.75, 0, 0, 0.25, 0] if sad else [1.0, 0, 0, 0, 0]
        assert batch.votes[index].tolist() == expected


def test_votes_for_emotions_that_are_left_out_still_count(tmp_path):
    root = fake_cremad(tmp_path / "c", actors=4)
    from emoquant.data.cremad import CREMAD

    module = ready(EmotionDataModule(CREMAD(str(root)), FakeEncoder(), ["angry", "sad"], cache_dir=str(tmp_path)))
    batch = next(iter(module.reference_dataloader()))
    assert torch.allclose(batch.votes.sum(1), torch.full((len(batch.votes),), 0.6))


def test_training_batches_cover_the_split_and_change_with_the_epoch(module):
    loader = module.train_dataloader()

    def epoch(number):
        loader.sampler.set_epoch(number)
        return [row for batch in loader for row in batch.utterances.tolist()]

    first, second = epoch(0), epoch(1)
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second
    assert epoch(0) == first


def test_workers_give_the_same_batches(folder, module):
    other = EmotionDataModule(
        corpus(folder), FakeEncoder(), cache_dir=str(folder / "cache"), frames_per_batch=200, num_workers=2
    )
    for one, two in zip(module.test_dataloader(), ready(other).test_dataloader(), strict=True):
        assert torch.equal(one.features, two.features)
        assert torch.equal(one.utterances, two.utterances)


def test_the_encoder_is_not_called_when_the_store_is_full(folder, module):
    encoder = FakeEncoder()
    ready(EmotionDataModule(corpus(folder), encoder, cache_dir=str(folder / "cache")))
    assert encoder.calls == 0


def test_setup_twice_reads_once(module):
    before = module.dataset("train")
    module.setup("test")
    assert module.dataset("train") is before


def test_other_emotions_are_left_out_and_counted_once(folder, monkeypatch):
    messages = []
    monkeypatch.setattr("emoquant.data.speech.rank_zero_info", messages.append)
    module = EmotionDataModule(corpus(folder), FakeEncoder(), ["sad", "happiness"], cache_dir=str(folder / "cache"))
    ready(module)
    module.setup("test")
    assert module.emotions == ["sad", "happy"]
    assert len(messages) == 1
    assert "20 angry, 20 neutral, 20 surprise" in messages[0]
    assert {u.emotion for u in module.dataset("train").utterances} == {"sad", "happy"}


def test_several_corpora_are_joined_under_their_names(folder):
    corpora = [corpus(folder, name="a"), corpus(folder, name="b", split="text")]
    module = ready(EmotionDataModule(corpora, FakeEncoder(), cache_dir=str(folder / "cache")))
    assert module.name == "a+b"
    assert module.speakers == [f"{name}/s{number}" for name in "ab" for number in range(5)]
    assert sum(len(module.dataset(split)) for split in ("train", "validation", "test")) == 200
    with pytest.raises(ValueError, match="corpora of different names"):
        EmotionDataModule([corpus(folder), corpus(folder)], FakeEncoder())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f: EmotionDataModule([], FakeEncoder()), ValueError, "corpora of different names"),
        (
            lambda f: EmotionDataModule(corpus(f), FakeEncoder(), ["sad", "sadness"]),
            ValueError,
            "emotions of different",
        ),
        (lambda f: EmotionDataModule(corpus(f), FakeEncoder(), ["wrath"]), ValueError, "unknown emotion 'wrath'"),
        (lambda f: EmotionDataModule(corpus(f), FakeEncoder(), frames_per_batch=0), ValueError, "more than 0"),
        (lambda f: EmotionDataModule(corpus(f), FakeEncoder()).dataset("train"), RuntimeError, r"setup\(\) of"),
        (lambda f: EmotionDataModule(corpus(f), FakeEncoder()).dataset("dev"), ValueError, "split 'dev'"),
        (
            lambda f: ready(EmotionDataModule(corpus(f), FakeEncoder(), ["fear"])),
            ValueError,
            "no utterance with one of",
        ),
        (lambda f: AudioDataModule(corpus(f), seconds_per_batch=0.0), ValueError, "at least"),
        (lambda f: AudioDataModule(corpus(f), crop_seconds=0.0), ValueError, "at least"),
    ],
)
def test_wrong_settings(folder, call, error, message):
    with pytest.raises(error, match=message):
        call(folder)


def test_an_empty_split_is_an_error_when_it_is_asked_for(tmp_path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "m.csv").write_text("path,emotion,split\na.wav,sad,test\n")
    module = ready(EmotionDataModule(ManifestCorpus(str(tmp_path / "m.csv")), FakeEncoder(), cache_dir=str(tmp_path)))
    assert len(list(module.test_dataloader())) == 1
    with pytest.raises(ValueError, match="no utterance in its split 'train'"):
        module.train_dataloader()


def test_audio_batches(folder):
    module = ready(AudioDataModule(corpus(folder), seconds_per_batch=3.0))
    dataset, rows = module.dataset("test"), []
    for batch in module.test_dataloader():
        assert batch.waveforms.shape[1] == int(batch.lengths.max())
        assert batch.waveforms.numel() <= 3 * 16_000
        for index, row in enumerate(batch.utterances.tolist()):
            assert int(batch.lengths[index]) == dataset.lengths[row]
            assert not batch.waveforms[index, int(batch.lengths[index]) :].any()
        rows += batch.utterances.tolist()
    assert sorted(rows) == list(range(len(dataset)))


def test_crops_are_seeded_and_change_with_the_epoch(folder):
    module = ready(AudioDataModule(corpus(folder), crop_seconds=0.25, seed=3))
    loader = module.train_dataloader()

    def epoch(number):
        loader.sampler.set_epoch(number)
        batches = list(loader)
        rows = torch.cat([batch.utterances for batch in batches])
        waveforms = torch.cat([batch.waveforms for batch in batches])
        assert waveforms.shape == (60, 4000)
        return waveforms[rows.argsort()]

    assert torch.equal(epoch(0), epoch(0))
    assert not torch.equal(epoch(0), epoch(1))
    assert max(batch.waveforms.shape[1] for batch in module.test_dataloader()) > 4000


def test_waveforms_kept_in_memory_are_the_same(folder):
    modules = [ready(AudioDataModule(corpus(folder), in_memory=kept)) for kept in (False, True)]
    kept = list(modules[1].test_dataloader())
    for one, two, three in zip(modules[0].test_dataloader(), kept, modules[1].test_dataloader(), strict=True):
        assert torch.equal(one.waveforms, two.waveforms)
        assert torch.equal(one.waveforms, three.waveforms)


def test_too_short_audio_is_named_at_the_start(tmp_path):
    write_tone(tmp_path / "a.wav", seconds=0.01)
    (tmp_path / "m.csv").write_text("path,emotion,split\na.wav,sad,test\n")
    with pytest.raises(AudioError, match=r"a\.wav: too short: utterance 'a'"):
        ready(AudioDataModule(ManifestCorpus(str(tmp_path / "m.csv"))))


def test_lengths_are_compact(module):
    dataset = module.dataset("train")
    assert dataset.lengths.dtype == np.int64
    assert len(dataset.utterances) == len(dataset.lengths) == len(dataset.emotions) == len(dataset.speakers)
