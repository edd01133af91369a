"""Many runs from one command: what is finished is skipped, what was interrupted goes on, what changed runs again."""

import json
import sys
from pathlib import Path

import pytest
from emoquant.commands.runs import DEFAULTS, Run, built_on, run_all

from emoquant.__main__ import main
from emoquant.commands.study import EXPERIMENTS, trainings_of
from emoquant.results import Row, write_results

FAKE = """
import pathlib, sys
script, command, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
config = pathlib.Path(arguments[arguments.index("--config") + 1])
with open("calls.txt", "a") as calls:
    calls.write(" ".join([pathlib.Path(script).name, command, config.stem, *arguments[2:]]) + "\\n")
flag = "--trainer.logger.init_args.save_dir"
folder = pathlib.Path(arguments[arguments.index(flag) + 1] if flag in arguments else "runs", config.stem)
version = folder / f"version_{len(list(folder.glob('version_*')))}"
if command == "fit":
    (version / "checkpoints").mkdir(parents=True)
    (version / "checkpoints/last.ckpt").write_text("weights")
else:
    version.mkdir(parents=True)
    (version / "results.csv").write_text(pathlib.Path("rows.csv").read_text())
    (version / "config.yaml").write_text("seed: 0")
    from emoquant.reports import EmotionTable
    from emoquant.results import read_results
    EmotionTable("recall").write(read_results(version / "results.csv"), version / "reports")
if pathlib.Path("fail").exists() and pathlib.Path("fail").read_text() == config.stem:
    sys.exit("planted failure")
"""


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fake.py").write_text(FAKE)
    for folder in ("train", "eval"):
        (tmp_path / "configs" / folder).mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / f"configs/train/{name}.yaml").write_text(f"model: ../model.yaml # {name}\n")
    (tmp_path / "configs/model.yaml").write_text("size: 1\n")
    (tmp_path / "configs/eval/sweep.yaml").write_text("save_dir: runs\ncodecs: [runs/one, {checkpoint: runs/two}]\n")
    rows = [Row("c", "x", lmbda, "sad", "recall", 0.5, 0.4, 0.6, 9) for lmbda in (0.0, 1.0)]
    write_results(tmp_path / "rows.csv", rows)
    return tmp_path


def calls(world):
    path = world / "calls.txt"
    found = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def launcher():
    return ["--launch", f"{sys.executable} fake.py"]


CONFIGS = ["configs/train/one.yaml", "configs/train/two.yaml"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_finished_trainings_are_skipped_until_something_changes(world, jobs):
    command = ["train-all", *CONFIGS, "--jobs", jobs, *launcher()]
    main([*command, "--", "--trainer.max_epochs", "2"])
    assert calls(world) == [f"train.py fit {name} --trainer.max_epochs 2" for name in ("one", "two")]
    main([*command, "--", "--trainer.max_epochs", "2"])
    assert calls(world) == []
    (world / "configs/train/two.yaml").write_text("model: ../model.yaml # another\n")
    main([*command, "--", "--trainer.max_epochs", "2"])
    assert calls(world) == ["train.py fit two --trainer.max_epochs 2"]
    (world / "configs/model.yaml").write_text("size: 2\n")
    main([*command, "--", "--trainer.max_epochs", "2"])
    assert len(calls(world)) == 2
    main([*command, "--again", "--", "--trainer.max_epochs", "2"])
    assert len(calls(world)) == 2


def test_an_interrupted_training_goes_on_and_the_others_wait(world):
    (world / "fail").write_text("one")
    with pytest.raises(SystemExit, match="one failed with status 1"):
        main(["train-all", *CONFIGS, *launcher()])
    assert calls(world) == ["train.py fit one"]
    (world / "fail").unlink()
    main(["train-all", *CONFIGS, *launcher()])
    assert calls(world) == ["train.py fit one --ckpt_path runs/one/version_0/checkpoints/last.ckpt", "train.py fit two"]
    assert json.loads((world / "runs/one/run.json").read_text())["state"] == "finished"


def test_a_checkpoint_that_the_user_names_is_no_interrupted_training(world):
    main(["train-all", CONFIGS[0], *launcher(), "--", "--ckpt_path", "mine.ckpt"])
    assert calls(world) == ["train.py fit one --ckpt_path mine.ckpt"]
    assert json.loads((world / "runs/one/run.json").read_text())["state"] == "finished"


def test_the_defaults_of_every_run_decide_too(world, monkeypatch):
    defaults = world / "configs/trainer.yaml"
    defaults.write_text("trainer: {precision: 32-true}\n")
    monkeypatch.setattr("emoquant.commands.runs.DEFAULTS", defaults)
    for precision, due in (("32-true", 1), ("32-true", 0), ("bf16-mixed", 1)):
        defaults.write_text(f"trainer: {{precision: {precision}}}\n")
        main(["train-all", CONFIGS[0], *launcher()])
        assert len(calls(world)) == due


def test_the_defaults_are_those_that_the_scripts_read():
    from emoquant.cli import TRAINER_DEFAULTS

    assert Path(TRAINER_DEFAULTS) == DEFAULTS
    assert DEFAULTS.is_file()


def test_other_settings_do_not_go_on_from_a_checkpoint(world):
    (world / "fail").write_text("one")
    with pytest.raises(SystemExit):
        main(["train-all", CONFIGS[0], *launcher()])
    (world / "fail").unlink()
    main(["train-all", CONFIGS[0], *launcher(), "--", "--seed", "3"])
    assert calls(world)[-1] == "train.py fit one --seed 3"


def test_output_of_a_failure_is_shown_when_several_run(world):
    (world / "fail").write_text("two")
    with pytest.raises(SystemExit, match="planted failure"):
        main(["train-all", *CONFIGS, "--jobs", "2", *launcher()])


def test_a_study_trains_evaluates_and_writes_one_page(world):
    command = ["study", "configs/eval/sweep.yaml", "--fit", "--a 1", "--test", "--b 2", *launcher()]
    main([*command, "--", "--data", "x.yaml"])
    expected = ["train.py fit one --a 1 --data x.yaml", "train.py fit two --a 1 --data x.yaml"]
    assert calls(world) == [*expected, "eval.py test sweep --b 2 --data x.yaml"]
    page = (world / "runs/study.html").read_text()
    assert "sweep" in page
    assert "seed: 0" in page
    main([*command, "--", "--data", "x.yaml"])
    assert calls(world) == []
    (world / "configs/train/two.yaml").write_text("other: 1\n")
    main([*command, "--", "--data", "x.yaml"])
    assert calls(world) == ["train.py fit two --a 1 --data x.yaml", "eval.py test sweep --b 2 --data x.yaml"]


def test_a_run_that_leaves_nothing_is_no_finished_run(world):
    (world / "fake.py").write_text("")
    with pytest.raises(SystemExit, match=r"one left no results in runs/one"):
        main(["train-all", CONFIGS[0], *launcher()])


def test_studies_of_several_corpora_lie_side_by_side(world):
    for corpus in ("esd", "nemo"):
        main(["study", "configs/eval/sweep.yaml", "--folder", f"runs/{corpus}", *launcher(), "--", "--data", corpus])
        assert len(calls(world)) == 3
        assert (world / f"runs/{corpus}/study.html").is_file()
        assert (world / f"runs/{corpus}/two/version_0/checkpoints/last.ckpt").is_file()
    moved = (world / "runs/esd/configs/eval/sweep.yaml").read_text()
    assert moved == "save_dir: runs/esd\ncodecs: [runs/esd/one, {checkpoint: runs/esd/two}]\n"
    assert f"model: {world}/configs/model.yaml" in (world / "runs/esd/configs/train/one.yaml").read_text()
    main(["study", "configs/eval/sweep.yaml", "--folder", "runs/esd", *launcher(), "--", "--data", "esd"])
    assert calls(world) == []


def test_what_is_missing_is_named(world):
    (world / "configs/eval/lost.yaml").write_text("checkpoint: runs/nothing\n")
    with pytest.raises(SystemExit, match=r"loads runs/nothing, but there is no configs/train/nothing\.yaml"):
        main(["study", "configs/eval/lost.yaml"])
    with pytest.raises(SystemExit, match=r"no configuration at none\.yaml"):
        main(["train-all", "none.yaml"])
    with pytest.raises(ValueError, match="different names"):
        run_all([Run("fit", world / "a.yaml"), Run("test", world / "a.yaml")])


def test_shipped_experiments_find_their_trainings():
    from emoquant.commands.study import CONFIGS as SHIPPED

    found = {path.stem for path in trainings_of([SHIPPED / "eval" / f"{name}.yaml" for name in EXPERIMENTS])}
    emotions = ("angry", "happy", "neutral", "sad", "surprise", "happy_sad")
    assert found == {"codec", "codec_study", *(f"codec_{emotion}" for emotion in emotions)}


def test_comments_name_no_runs():
    assert built_on("a: runs/x # runs/y\n# runs/z\nsave_dir: runs") == ["x"]
