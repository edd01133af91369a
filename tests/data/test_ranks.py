"""What a data module does on several processes: batches are shared, what cannot run is refused before it begins."""

from types import SimpleNamespace

import pytest
from fake.corpora import fake_manifest, write_tone
from fake.encoder import FakeEncoder

from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule


class DDPStrategy:
    """Named like Lightning's."""


class FSDPStrategy:
    """Named like Lightning's."""


def trainer(world, strategy=DDPStrategy, rank=0):
    made = strategy()
    made.root_device = "cpu"
    return SimpleNamespace(strategy=made, world_size=world, global_rank=rank, current_epoch=0, callbacks=[])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    fake_manifest(folder / "corpus")
    return folder


def module(folder, world, stage="fit", strategy=DDPStrategy, **settings):
    corpus = ManifestCorpus(str(folder / "corpus" / "manifest.csv"))
    made = EmotionDataModule(corpus, FakeEncoder(), cache_dir=str(folder / "cache"), frames_per_batch=200, **settings)
    made.trainer = trainer(world, strategy)
    made.setup(stage)
    return made


def sizes(loader):
    return [batch.features.shape[0] * batch.features.shape[1] for batch in loader]


def test_a_step_of_several_processes_sees_what_one_of_one_process_does(folder):
    one, shared, whole = module(folder, 1), module(folder, 4), module(folder, 4, batch_per_process=True)
    assert max(sizes(one.train_dataloader())) > 100
    assert max(sizes(shared.train_dataloader())) <= 50
    assert max(sizes(whole.train_dataloader())) > 100
    assert max(sizes(shared.val_dataloader())) > 50, "evaluation fills the memory of every device"
    steps = [len(each.train_dataloader()) for each in (one, shared, whole)]
    assert abs(steps[1] - steps[0]) <= 2
    assert steps[2] < steps[0] / 2


def test_a_split_of_fewer_utterances_than_processes_is_refused(tmp_path):
    (tmp_path / "corpus").mkdir()
    rows = ["path,emotion,split"]
    for number, split in enumerate(["train"] * 6 + ["validation"] + ["test"] * 3):
        write_tone(tmp_path / "corpus" / f"{number}.wav")
        rows.append(f"{number}.wav,sad,{split}")
    (tmp_path / "corpus" / "manifest.csv").write_text("\n".join(rows) + "\n")
    module(tmp_path, 1)
    with pytest.raises(ValueError, match=r"'validation' has 1 utterances for 2 processes.*--devices 1"):
        module(tmp_path, 2)
    module(tmp_path, 2, "test")
    with pytest.raises(ValueError, match="'test' has 3 utterances for 4 processes"):
        module(tmp_path, 4, "test")


def test_a_strategy_that_divides_the_model_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="FSDPStrategy divides a model"):
        module(tmp_path, 2, strategy=FSDPStrategy)  # there is no corpus in the folder


def test_processes_are_watched_from_the_start(folder):
    made = EmotionDataModule(
        ManifestCorpus(str(folder / "corpus" / "manifest.csv")), FakeEncoder(), cache_dir=str(folder)
    )
    watched = []
    made.trainer = trainer(1)
    made.trainer.callbacks.append(SimpleNamespace(watch_ranks=lambda: watched.append(made._datasets)))
    made.setup("fit")
    assert watched == [None]
