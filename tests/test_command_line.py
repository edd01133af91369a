"""The lines that the README promises, typed as they stand, and the mistakes that people make with them."""

import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from fake.corpora import fake_esd, write_tone
from small_models import write_small_model

import emoquant
from emoquant.__main__ import COMMANDS, main
from emoquant.cli import run
from emoquant.codecs import load_codec
from emoquant.storage.results import read_results
from emoquant.storage.runs import begun_in

SMALL = ["--model.codebook_epochs=1", "--model.gate_epochs=1", "--trainer.max_epochs=3", "--model.splits=1",
         "--model.quantizer.codewords=8", "--model.quantizer.layers=1", "--model.sample_frames=400",
         "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A working folder with ESD where its YAML looks for it, and a public encoder on a hub that is a local folder."""
    folder = tmp_path_factory.mktemp("typed")
    fake_esd(folder / "data" / "ESD", speakers=("0011", "0012"), sentences=range(1, 60, 7))
    encoder = write_small_model(folder / "hub" / "emotion2vec_plus_base", dim=48)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("emoquant.encoders.hub.download_model", lambda model, hub: folder / "hub" / model.split("/")[1])
        line = "fit codec --data esd --encoder iic/emotion2vec_plus_base --folder runs/esd --seed 1"
        main([*line.split(), *SMALL, "--data.num_workers=0"])
        main([*["test", "lambda_sweep", "--folder", "runs/esd"], "--model.replicates=20", "--data.num_workers=0"])
        yield folder, encoder


def test_a_codec_is_trained_on_a_named_corpus_with_a_public_encoder(world):
    folder, encoder = world
    codec = load_codec(folder / "runs/esd/codec")
    assert codec.dim == 48
    assert codec.origin.agrees(encoder.identify())
    history = codec.source.history
    assert (history.corpus, history.seed) == ("esd", 1)
    assert set(history.emotions) == {"angry", "happy", "neutral", "sad", "surprise"}
    assert sum(history.emotions.values()) == pytest.approx(1)


def test_its_groups_follow_the_dimension_of_the_features(world):
    codec = load_codec(world[0] / "runs/esd/codec")
    assert codec.quantizer.groups * 16 >= 48 / 2
    assert 48 % codec.quantizer.groups == 0


def test_the_evaluation_needs_no_word_again(world):
    folder, _ = world
    rows = read_results(folder / "runs/esd/lambda_sweep/version_0/results.csv")
    assert {row.corpus for row in rows} == {"esd"}
    assert {row.codec for row in rows} == {"none", "codec"}
    chosen = {row.lmbda for row in rows if row.metric == "target_bits_per_frame"}
    assert len({row.lmbda for row in rows if row.codec == "codec" and row.metric == "uar"} - chosen) == 14
    assert begun_in(folder / "runs/esd") == ("esd", "iic/emotion2vec_plus_base", None)


def test_a_folder_that_was_begun_refuses_another_corpus(world, monkeypatch, capsys):
    monkeypatch.chdir(world[0])
    with pytest.raises(SystemExit) as stop:
        main(["fit", "codec", "--data", "ravdess", "--folder", "runs/esd"])
    assert stop.value.code == 1
    assert "runs/esd was begun with --data esd, not ravdess" in " ".join(capsys.readouterr().err.split())


def test_from_a_folder_of_recordings_to_the_plan_of_a_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for speaker in ("anna", "ben", "cleo"):
        for emotion in ("angry", "sad"):
            for take in range(3):
                number = hash((speaker, emotion, take)) % 1000
                write_tone(tmp_path / f"data/own/{speaker}/{emotion}_{take}.wav", emotion, number=number)
    main(["manifest", "data/own", "--pattern", "{speaker}/{emotion}_*.wav"])
    assert "18" in capsys.readouterr().out
    main(["study", "--data", "data/own/utterances.csv", "--seeds", "0", "1", "2", "--dry_run"])
    plan = capsys.readouterr().out
    assert plan.startswith("own: ")
    assert "codec_sad" in plan
    assert "codec_happy" not in plan
    assert "left out: own has no votes" in plan


def failed(*words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    return stop.value.code


MISTAKES = [
    (["studdy"], "did you mean study"),
    (["fit", "codek"], "did you mean codec"),
    (["fit", "codec", "--modle", "x"], "unrecognized arguments: --modle"),
    (["fit", "codec", "--trainer.max_epoch", "3"], "did you mean --trainer.max_epochs"),
    (["fit", "codec", "--data", "esdd"], "did you mean esd"),
    (["fit", "codec", "--data", "lost.csv"], "emoquant manifest FOLDER writes one"),
    (["fit", "codec", "--data", "esd"], "data/ESD"),
    (["fit", "codec", "--emotions", "hapy"], "unknown emotion 'hapy'"),
    (
        ["fit", "codec", "--data.emotion", "[sad]"],
        "Option 'emotion' is not accepted; did you mean --emotions or --train_emotions?",
    ),
    (["fit", "codec", "--model.codebook_epochs", "many"], "Expected a <class 'int'>. Got value: many"),
    (["fit", "codec", "--model.entropy", "lost.Model"], "No module named 'lost'"),
    (["fit", "codec_biased"], "--train_emotions happy"),
    (["fit", "codec_biased", "--train_emotions", "happy=much"], "expected EMOTION=SHARE"),
    (["test", "lambda_sweep", "--folder", "nowhere"], "no run 'codec' with a checkpoint in nowhere"),
    (["compress", "nowhere", "out", "lost.ckpt"], "nowhere"),
    (["reports", "nowhere"], "no results.csv in nowhere"),
    (["site", "--folder", "nowhere"], "a site needs a listening run or a study"),
    (["study", "lambda_sweeep"], "did you mean lambda_sweep"),
    (["extract", "--dta", "esd"], "did you mean --data"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_answered_in_at_most_six_lines_without_a_traceback(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert failed(*words) in (1, 2)
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert "Traceback" not in error
    block = error[error.rindex("emoquant") :] if words[0] == "studdy" else error[error.index(f"emoquant {words[0]}") :]
    assert 1 <= len(block.strip().splitlines()) <= 6


@pytest.mark.parametrize("option", ["trim", "name"])
def test_nothing_is_a_value_of_an_inner_class_too(option, capsys):
    words = ["--data", "development_ravdess", f"--data.corpora.{option}", "null", "--print_config"]
    with pytest.raises(SystemExit) as stop:
        main(["fit", "codec", *words])
    assert stop.value.code == 0
    corpus = yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]["corpora"]
    assert corpus["init_args"][option] is None


def test_a_traceback_is_shown_where_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOQUANT_DEBUG", "1")
    with pytest.raises(FileNotFoundError, match="no configuration"):
        main(["fit", "codek"])


class TestHelp:
    def test_the_commands_are_listed_at_once(self, capsys):
        with pytest.raises(SystemExit) as stop:
            main(["--help"])
        out = capsys.readouterr().out
        assert stop.value.code == 0
        assert all(f"  {name} " in out for name in COMMANDS)
        assert all(word in out for word in ("--data", "--encoder", "--emotions", "--folder", "--seed", "--devices"))

    def test_the_version_is_said(self, capsys):
        with pytest.raises(SystemExit):
            main(["--version"])
        assert capsys.readouterr().out == f"emoquant {emoquant.__version__}\n"

    @pytest.mark.parametrize("line", ["fit codec", "fit tts_toy", "test lambda_sweep", "predict lambda"])
    def test_it_shows_the_options_of_the_classes_that_a_yaml_names(self, line, capsys):
        with pytest.raises(SystemExit):
            main([*line.split(), "--help"])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= 150
        assert max(map(len, lines)) <= 120
        assert any(line.startswith("  --model.") for line in lines)
        assert any(line.startswith("  --data.corpora ") for line in lines)

    def test_options_of_nested_classes_have_the_values_of_the_yaml(self, capsys):
        with pytest.raises(SystemExit):
            main(["fit", "codec", "--help"])
        out = capsys.readouterr().out
        assert "--model.quantizer.codewords int (128)" in out
        assert "--model.codebook_epochs int (2)" in out
        assert "Epochs of the codebooks." in out

    def test_a_command_alone_lists_its_configurations(self, capsys):
        with pytest.raises(SystemExit):
            main(["test", "--help"])
        assert "lambda_sweep  " in capsys.readouterr().out

    def test_study_names_the_experiments_and_what_they_need(self, capsys):
        with pytest.raises(SystemExit):
            main(["study", "--help"])
        out = " ".join(capsys.readouterr().out.split())
        assert "ambiguity (needs votes)" in out
        assert "multi_reference (needs pairs)" in out


def test_files_of_a_run_without_a_logger_lie_under_its_folder_and_are_found_again(world, monkeypatch):
    folder, _ = world
    monkeypatch.chdir(folder)
    words = [
        "fit",
        "codec",
        "--folder",
        "runs/plain",
        "--data",
        "esd",
        "--encoder",
        "iic/emotion2vec_plus_base",
        *SMALL,
    ]
    words += ["--data.num_workers=0", "--trainer.logger=false", "--trainer.limit_val_batches=0"]
    run([*words, "--trainer.max_epochs=1"])
    assert (folder / "runs/plain/codec/version_0/checkpoints/last.ckpt").is_file()
    assert (folder / "runs/plain/codec/version_0/config.yaml").is_file()
    again = run([*words, "--ckpt_path=last"])
    assert again.trainer.current_epoch == 3
    assert (folder / "runs/plain/codec/version_1/checkpoints/last.ckpt").is_file()
    assert not (folder / "checkpoints").exists()
    assert not [path for path in folder.iterdir() if path.name not in ("data", "hub", "runs", ".cache")]


def test_scripts_take_the_same_words():
    root = Path(__file__).parent.parent
    for name in ("train.py", "eval.py"):
        text = (root / name).read_text()
        assert len(text.strip().splitlines()) <= 7
        assert "from emoquant.__main__ import main" in text


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("emoquant s", {"say", "share", "site", "study"}),
        ("emoquant fit codec_b", {"codec_biased"}),
        ("emoquant test lambda_sweep --data rav", {"ravdess"}),
        ("emoquant fit codec --fol", {"--folder"}),
    ],
)
def test_a_shell_completes_words(typed, offered, capsys):
    main(["completion"])
    words = typed.split(" ")
    script = f"{capsys.readouterr().out}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _emoquant"
    script += '; printf "%s\\n" "${COMPREPLY[@]}"'
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == offered


def test_every_command_is_completed(capsys):
    main(["completion"])
    assert f'found="{" ".join(COMMANDS)}"' in capsys.readouterr().out


def test_the_installed_command_ends_with_status_zero_whatever_its_function_returns(monkeypatch):
    monkeypatch.setattr("emoquant.__main__.main", object)
    (command,) = entry_points(group="console_scripts", name="emoquant")
    assert command.load()() is None
