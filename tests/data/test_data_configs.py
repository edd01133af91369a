from pathlib import Path

import pytest
import yaml
from fake.corpora import fake_world
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule

from emoquant.data.module import EmotionDataModule
from emoquant.encoders.architecture import EMOTION2VEC_LABELS
from emoquant.labels import STUDY_EMOTIONS, canonical_emotion
from emoquant.metrics.recognition import class_columns

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "data").glob("*.yaml"))
FAKED = {"esd", "iemocap", "ravdess", "cremad", "emodb", "manifest", "msp_podcast", "meld", "emobox"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return fake_world(tmp_path_factory.mktemp("world"))


def build(path: Path) -> EmotionDataModule:
    parser = ArgumentParser()
    parser.add_subclass_arguments(LightningDataModule, "data")
    return parser.instantiate(parser.parse_args(["--data", str(path)])).data


@pytest.mark.parametrize("path", [path for path in CONFIGS if path.stem in FAKED], ids=lambda path: path.stem)
def test_configurations_find_their_corpus_in_its_place(world, monkeypatch, path):
    monkeypatch.chdir(world)
    module = build(path)
    assert module.emotions == [canonical_emotion(emotion) for emotion in module.emotions]
    utterances = [utterance for corpus in module.corpora for utterance in corpus.utterances()]
    assert {u.emotion for u in utterances if u.split == "train"} & set(module.emotions)
    assert {u.emotion for u in utterances if u.split == "test"} & set(module.emotions)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_heads_of_the_public_models_know_the_emotions(path):
    emotions = yaml.safe_load(path.read_text(encoding="utf-8"))["init_args"].get("emotions", STUDY_EMOTIONS)
    if path.stem == "iemocap_six":
        with pytest.raises(ValueError, match="no class for excited, frustrated"):
            class_columns(emotions, EMOTION2VEC_LABELS)
    else:
        class_columns(emotions, EMOTION2VEC_LABELS)


def test_every_corpus_has_a_configuration():
    assert {"rendered", "development", *FAKED} <= {path.stem for path in CONFIGS}


def test_development_data_where_it_is_there(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    if not Path("../shared/data/metadata.csv").is_file():
        pytest.skip("no development data beside the repository")
    module = build(Path("configs/data/development.yaml"))
    assert module.name == "emodb+ravdess+nemo+kemo"
    for corpus in module.corpora:
        utterances = corpus.utterances()
        assert all(u.end is not None and u.end > u.start for u in utterances)
        assert {u.split for u in utterances} == {"train", "validation", "test"}
