"""Options of the data that change splits: a training split of some emotions, test references in pairs."""

import logging

import pytest
import torch
from fake.corpora import fake_manifest
from fake.encoder import FakeEncoder

from emoquant.data import EmotionDataModule, ManifestCorpus
from emoquant.data.pairing import partner_rows
from emoquant.labels import opposite_emotions

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return a function that opens one corpus with other options of the data."""
    folder = tmp_path_factory.mktemp("arrangement")
    fake_manifest(folder / "corpus")

    def module(**options):
        corpus = ManifestCorpus(str(folder / "corpus" / "manifest.csv"))
        data = EmotionDataModule(
            corpus, FakeEncoder(), cache_dir=str(folder / "cache"), frames_per_batch=200, **options
        )
        data.prepare_data()
        data.setup()
        return data

    return module


def frames_of(loader, dataset):
    """Return the features of every utterance by its id."""
    found = {}
    for batch in loader:
        for row, utterance in enumerate(batch.utterances.tolist()):
            assert dataset.utterances[utterance].id not in found
            found[dataset.utterances[utterance].id] = batch.features[row, : batch.lengths[row]]
    return found


class TestTrainEmotions:
    def test_by_default_all_are_kept(self, opened):
        whole = opened()
        assert list(whole.training_shares) == whole.emotions
        assert sum(whole.training_shares.values()) == pytest.approx(1)
        assert whole.train_dataloader().dataset is whole.dataset("train")

    def test_a_share_is_a_ratio_and_utterances_are_bounded(self, opened):
        for shares in ({"sad": 1, "angry": 1}, {"sad": 0.25, "anger": 0.25}):
            data = opened(train_emotions=shares, train_utterances=2)
            assert data.training_shares == {"angry": 0.5, "sad": 0.5}
            assert len(data.train_dataloader().dataset) == 2

    def test_only_training_is_restricted(self, opened):
        whole, data = opened(), opened(train_emotions={"sad": 1})
        assert data.training_shares == {"sad": 1.0}
        data.setup()
        loader = data.train_dataloader()
        loader.sampler.set_epoch(2)
        chosen = frames_of(loader, loader.dataset)
        train = whole.dataset("train").utterances
        assert set(chosen) == {utterance.id for utterance in train if utterance.emotion == "sad"}
        for kind in ("reference", "val", "test"):
            loaders = [getattr(each, f"{kind}_dataloader")() for each in (whole, data)]
            one, other = (frames_of(loader, loader.dataset) for loader in loaders)
            assert list(one) == list(other)
            assert {e for batch in loaders[1] for e in batch.emotions.tolist()} == set(range(5))
            if kind == "reference":
                assert len(other) == len(train)
                for name, frames in chosen.items():
                    assert frames.equal(other[name])

    def test_the_choice_comes_from_the_seed(self, opened):
        def chosen(seed):
            data = opened(train_emotions={"happy": 1, "sad": 1}, train_utterances=4, seed=seed)
            return [utterance.id for utterance in data.train_dataloader().dataset.utterances]

        assert chosen(0) == chosen(0)
        assert any(chosen(seed) != chosen(0) for seed in range(1, 5))

    def test_what_is_trained_on_is_said(self, opened, monkeypatch):
        said = []
        monkeypatch.setattr("emoquant.data.module.rank_zero_info", said.append)
        data = opened(train_emotions={"happy": 2, "sad": 1}, train_utterances=3)
        data.setup()
        assert said == ["training on 3 utterances of happy, sad"]

    def test_what_is_wrong_is_named(self, opened):
        with pytest.raises(ValueError, match="no utterance of fear; its emotions are angry, happy"):
            opened(train_emotions={"fear": 1})
        with pytest.raises(ValueError, match="shares above 0"):
            opened(train_emotions={})


class TestPartners:
    @pytest.mark.parametrize("partners", [{"happy": "sad"}, "opposite"])
    def test_pairs_hold_both_references(self, opened, partners):
        whole, data = opened(), opened(partners=partners)
        data.setup()
        split, loader = whole.dataset("test"), whole.test_dataloader()
        alone = frames_of(loader, split)
        wanted = opposite_emotions(whole.emotions) if partners == "opposite" else partners
        rows, others = partner_rows(split.emotions, split.speakers, whole.emotions, wanted)
        seen = 0
        for batch in data.test_dataloader():
            assert {data.emotions[emotion] for emotion in batch.emotions.tolist()} <= set(wanted)
            for row, pair in enumerate(batch.utterances.tolist()):
                first, second = (alone[split.utterances[int(each[pair])].id] for each in (rows, others))
                size = min(len(first), len(second))
                assert int(batch.lengths[row]) == 2 * size
                assert batch.features[row, : 2 * size].equal(torch.cat([first[:size], second[:size]]))
                seen += 1
        assert seen == len(rows) == len(data.dataset("test")) > 0
        assert len(data.dataset("validation")) == len(whole.dataset("validation"))

    def test_opposite_pairs_every_emotion_with_another(self, opened):
        data = opened(partners="opposite")
        assert set(data.dataset("test").emotions.tolist()) == set(range(len(data.emotions)))


def test_emotions_that_are_left_open_are_all_that_occur(opened):
    data, named = opened(emotions=None), opened(emotions=["sad", "angry"])
    occur = {each.emotion for corpus in data.corpora for each in corpus.utterances()}
    assert set(data.emotions) == occur
    assert data.emotions[:5] == ["angry", "happy", "neutral", "sad", "surprise"]
    assert named.emotions == ["sad", "angry"]
    assert sum(len(data.dataset(split)) for split in ("train", "validation", "test")) == len(
        [each for corpus in data.corpora for each in corpus.utterances()]
    )
