"""The words of the command line, and what a folder of runs remembers of them."""

import json

import pytest
import yaml

from emoquant.console.encoder_words import encoder_spec
from emoquant.console.words import data_argument, parse_line, settle
from emoquant.storage.runs import Begun, begin, begun_in
from emoquant.storage.shipped import CONFIGS


def settled(*words):
    return settle(parse_line(words[0], words[1:]))


def value(args, word):
    return args[args.index(word) + 1] if word in args else None


def test_a_name_stands_for_a_shipped_configuration_and_words_for_options(tmp_path):
    folder = str(tmp_path / "runs")
    found = settled("fit", "codec", "--data", "esd", "--encoder", "iic/x", "--folder", folder, "--seed", "1",
                    "--devices", "4", "--trainer.max_epochs", "2")  # fmt: skip
    assert value(found.args, "--config") == str(CONFIGS / "train/codec.yaml")
    assert value(found.args, "--data") == str(CONFIGS / "data/esd.yaml")
    assert found.args.index("--config") < found.args.index("--data"), "what the user says comes after the YAML"
    assert value(found.args, "--seed_everything") == "1"
    assert value(found.args, "--trainer.devices") == "4"
    assert found.args[-2:] == ["--trainer.max_epochs", "2"]
    assert (found.name, found.folder) == ("codec", folder)
    assert found.begins == Begun("esd", "iic/x", None)


def test_old_spellings_go_on_working(tmp_path):
    config = str(CONFIGS / "train" / "codec.yaml")
    for words in (["--config", config], [f"--config={config}"], ["-c", config], [config]):
        found = settled("fit", *words, "--data.init_args.seed", "3", f"--folder={tmp_path}")
        assert value(found.args, "--config") == config
        assert value(found.args, "--data") == str(CONFIGS / "data/rendered.yaml"), "data where neither says any"
        assert found.args[-2:] == ["--data.init_args.seed", "3"]


def test_data_of_the_configuration_stay_where_no_word_says_others(tmp_path):
    found = settled("fit", "tts_toy", "--folder", str(tmp_path))
    assert "--data" not in found.args
    assert found.begins is None, "a folder remembers the data of codecs"


def test_options_of_a_second_configuration_win_over_the_data(tmp_path):
    options = str(CONFIGS / "gpu.yaml")
    for words, data in ([], "rendered"), (["--data", "esd"], "esd"):
        args = settled("fit", "codec", options, *words, "--folder", str(tmp_path)).args
        assert value(args, "--data") == str(CONFIGS / "data" / f"{data}.yaml")
        assert args.index("--data") < args.index(options), "its data are but options of these"


@pytest.mark.parametrize(
    "words",
    [
        ["--emotions", "angry", "sad"],
        ["--emotions", "angry,sad"],
        ["--emotions=angry, sad"],
        ["--emotions", "[angry, sad]"],
    ],
)
def test_emotions_are_listed_in_any_way(words, tmp_path):
    found = settled("fit", "codec", *words, "--folder", str(tmp_path))
    assert json.loads(value(found.args, "--emotions")) == ["angry", "sad"]
    assert value(found.args, "--folder") == str(tmp_path)


def test_a_table_is_data(tmp_path):
    table = tmp_path / "utterances.csv"
    table.write_text("path,emotion\n")
    found = json.loads(data_argument(str(table)))
    assert found["init_args"]["corpora"]["init_args"] == {"manifest": str(table)}
    assert found["init_args"]["emotions"] is None
    with pytest.raises(FileNotFoundError, match="emoquant manifest FOLDER"):
        data_argument(str(tmp_path / "nothing.csv"))


def test_an_encoder_is_a_name_a_folder_or_a_yaml(tmp_path):
    assert encoder_spec("iic/base") == {
        "class_path": "emoquant.encoders.Emotion2Vec",
        "init_args": {"model": "iic/base"},
    }
    assert encoder_spec("my.Encoder") == {"class_path": "my.Encoder"}
    path = tmp_path / "mine.yaml"
    path.write_text("class_path: my.Encoder\ninit_args: {layer: 3}\n")
    assert encoder_spec(str(path))["init_args"] == {"layer": 3}
    assert encoder_spec(None) is None


class TestFolder:
    def test_it_remembers_what_it_was_begun_with(self, tmp_path):
        begin(tmp_path, Begun("esd", "iic/x", ["angry", "sad"]))
        for words in (["fit", "codec"], ["test", "lambda_sweep"]):
            args = settled(*words, "--folder", str(tmp_path)).args
            assert value(args, "--data") == str(CONFIGS / "data/esd.yaml")
            assert value(args, "--encoder") == "iic/x"
            assert json.loads(value(args, "--emotions")) == ["angry", "sad"]

    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (["--data", "nemo.yaml"], "--data esd, not nemo.yaml"),
            (["--encoder", "iic/y"], "--encoder iic/x, not iic/y"),
            (["--emotions", "sad"], "--emotions the default, not sad"),
        ],
    )
    def test_a_training_with_other_words_is_refused_and_both_are_named(self, tmp_path, words, named):
        (tmp_path / "nemo.yaml").write_text("{}")
        begin(tmp_path, Begun("esd", "iic/x"))
        with pytest.raises(ValueError, match=f"was begun with {named}.*--folder runs/NAME"):
            settled("fit", "codec", *words, "--folder", str(tmp_path))

    def test_the_same_words_are_no_other_ones(self, tmp_path):
        begin(tmp_path, Begun("esd"))
        for word in ("esd", str(CONFIGS / "data/esd.yaml")):
            assert settled("fit", "codec", "--data", word, "--folder", str(tmp_path)).begins is None

    def test_an_evaluation_on_other_data_has_a_result_folder_of_its_own(self, tmp_path):
        begin(tmp_path, Begun("esd"))
        assert (
            settled("test", "lambda_sweep", "--data", "ravdess", "--folder", str(tmp_path)).name
            == "lambda_sweep@ravdess"
        )
        assert settled("test", "lambda_sweep", "--data", "esd", "--folder", str(tmp_path)).name == "lambda_sweep"

    def test_a_default_is_remembered_too(self, tmp_path):
        begin(tmp_path, Begun())
        with pytest.raises(ValueError, match="begun with --data rendered, not esd"):
            settled("fit", "codec", "--data", "esd", "--folder", str(tmp_path))

    def test_its_note_is_a_file_people_read(self, tmp_path):
        begin(tmp_path, Begun("esd", None, ["sad"]))
        assert yaml.safe_load((tmp_path / "folder.yaml").read_text()) == {
            "data": "esd",
            "encoder": None,
            "emotions": ["sad"],
        }
        assert begun_in(tmp_path) == Begun("esd", None, ["sad"])
        (tmp_path / "folder.yaml").write_text("data: [\n")
        with pytest.raises(ValueError, match=r"folder\.yaml is damaged"):
            begun_in(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "codek"], "no configuration 'codek'.*did you mean codec"),
        (["fit", "codec", "--data", "esdd"], "no configuration 'esdd'.*did you mean esd"),
        (["fit", "codec", "--data"], "--data lacks its value"),
        (["fit", "codec", "--emotions", "--seed", "1"], "--emotions lacks its value"),
        (["fit", "--emotions", "-c", "codec"], "--emotions lacks its value"),
    ],
)
def test_misspelt_names_are_answered_with_the_nearest(words, message, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        settled(*words[:2], "--folder", str(tmp_path), *words[2:])
