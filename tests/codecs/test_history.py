"""What a codec's checkpoint tells of its training, and what becomes of it when the codec is loaded."""

import hashlib

import pytest
import torch
from test_checkpoint import make_codec

from emoquant.codecs import load_codec, save_codec
from emoquant.codecs.checkpoint import SECTION, describe
from emoquant.codecs.history import History, read_history, sources_of
from emoquant.entropy import LightModel
from emoquant.storage.origin import UNKNOWN, Origin

DONE = History("esd", 90, "search", 8, 8, {"happy": 0.25, "sad": 0.75}, 3)


def write(path, history, origin=None):
    codec = make_codec(LightModel(8))
    save_codec(codec, path)
    content = torch.load(path, weights_only=True)
    content[SECTION] = describe(codec.quantizer, codec.entropy, origin, history)
    torch.save(content, path)


def test_a_loaded_codec_knows_its_file_and_its_training(tmp_path):
    path = tmp_path / "a.ckpt"
    encoder = Origin("iic/plus", "00ff")
    write(path, DONE, encoder)
    codec = load_codec(path, any_encoder=True)
    assert codec.source == (str(path), hashlib.sha256(path.read_bytes()).hexdigest(), DONE, encoder)
    save_codec(codec, tmp_path / "again.ckpt")
    again = load_codec(tmp_path / "again.ckpt", any_encoder=True)
    assert again.source.history == DONE
    both = torch.nn.ModuleList([codec, torch.nn.Sequential(again), codec])
    assert sources_of(both) == [("a", codec.source), ("again", again.source)]


def test_a_codec_that_was_never_a_file_has_no_source():
    assert sources_of(make_codec(LightModel(8))) == []


def test_a_half_trained_codec_is_loaded_with_a_warning(tmp_path):
    write(tmp_path / "a.ckpt", DONE._replace(epoch=5))
    with pytest.warns(UserWarning, match="is of epoch 5 of 8 of a training on 'esd' that runs, was interrupted"):
        load_codec(tmp_path / "a.ckpt", any_encoder=True)


def test_a_codec_whose_entropy_model_was_not_trained_is_refused(tmp_path):
    write(tmp_path / "a.ckpt", DONE._replace(phase="codebooks", epoch=2))
    with pytest.raises(ValueError, match="entropy model is not trained yet; let it go on: --ckpt_path "):
        load_codec(tmp_path / "a.ckpt", any_encoder=True)


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_training_that_ended_before_the_entropy_model_is_refused_too(tmp_path, epochs):
    write(tmp_path / "a.ckpt", DONE._replace(phase="codebooks", epoch=2, epochs=epochs))
    with pytest.raises(ValueError, match=r"not trained yet; let it go on with more --trainer\.max_epochs: "):
        load_codec(tmp_path / "a.ckpt", any_encoder=True)


def test_codebooks_in_training_are_told_from_a_codec_in_training(tmp_path):
    write(tmp_path / "a.ckpt", DONE._replace(phase="codebooks", epoch=2))
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    content[SECTION]["entropy"] = None
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="without an entropy model: train one on it"):
        load_codec(tmp_path / "a.ckpt", any_encoder=True)


def test_a_run_is_called_what_its_folder_is_called(tmp_path):
    for run in ("sad_0.5", "sad_0.7"):
        (tmp_path / run / "version_0" / "checkpoints").mkdir(parents=True)
        write(tmp_path / run / "version_0" / "checkpoints" / "last.ckpt", DONE)
        assert load_codec(tmp_path / run, any_encoder=True).name == run


def test_checkpoints_without_emotions_seed_and_encoder_are_read(tmp_path):
    write(tmp_path / "a.ckpt", DONE)
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    for field in ("emotions", "seed"):
        del content[SECTION]["history"][field]
    del content[SECTION]["encoder"]
    torch.save(content, tmp_path / "a.ckpt")
    source = load_codec(tmp_path / "a.ckpt").source
    assert (source.history, source.encoder) == (DONE._replace(emotions={}, seed=None), UNKNOWN)


@pytest.mark.parametrize(
    "stored",
    [
        *(None, {}, {"corpus": "esd"}, 3),
        *({**DONE.stored(), **wrong} for wrong in ({"epoch": "8"}, {"emotions": 3}, {"emotions": {"happy": "all"}})),
        {**DONE.stored(), "seed": "x"},
    ],
)
def test_what_tells_nothing_is_taken_for_nothing(stored):
    assert read_history(stored) is None
    assert read_history(DONE.stored()) == DONE


def test_another_corpus_is_not_the_same_training():
    DONE.require_same(None)
    DONE.require_same(DONE._replace(epoch=3, phase="gate"))
    DONE.require_same(DONE._replace(emotions={}, seed=None))
    with pytest.raises(ValueError, match=r"trained on happy=1, the data is happy=0.25;sad=0.75: train on the emotions"):
        DONE.require_same(DONE._replace(emotions={"happy": 1.0}))
    for change in ({"corpus": "rendered"}, {"utterances": 91}):
        with pytest.raises(ValueError, match="the data is 'esd' \\(90\\): name the corpus of that run, or begin"):
            DONE.require_same(DONE._replace(**change))
