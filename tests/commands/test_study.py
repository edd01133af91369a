"""A study: what the data allow, in order; what is finished is skipped, what failed stops what needs it."""

import json
import sys

import pytest
import torch

from emoquant.__main__ import main
from emoquant.commands.study import study
from emoquant.storage.results import Row, read_results, write_results
from emoquant.storage.runs import Begun, begin, begun_in
from emoquant.study.corpus import Offer
from emoquant.study.estimate import minutes
from emoquant.study.plan import Step, make_plan, read_experiment, shipped_experiments
from emoquant.study.running import Runner, _in_worker

#: A stand-in for `python -m emoquant`: it leaves what a run leaves, and notes how it was called.
FAKE = """
import pathlib, sys
words = sys.argv[3:]
with open("calls.txt", "a") as calls:
    calls.write(" ".join(words) + "\\n")
value = lambda word: words[words.index(word) + 1] if word in words else None
name = pathlib.Path(words[1]).stem
if value("--train_emotions"):
    name = "codec_" + "_".join(part.partition("=")[0] for part in value("--train_emotions").split(","))
place = pathlib.Path(value("--folder")) / name
version = place / f"version_{len(list(place.glob('version_*')))}"
if words[0] == "fit":
    (version / "checkpoints").mkdir(parents=True)
    (version / "checkpoints/last.ckpt").write_text("weights")
else:
    version.mkdir(parents=True)
    (version / "results.csv").write_text(pathlib.Path("rows.csv").read_text())
    if value("--model.pool") and value("--data.fold") == "2/3":
        together = pathlib.Path(value("--model.pool")) / "results.csv"
        together.parent.mkdir(parents=True)
        together.write_text((version / "results.csv").read_text().replace("0.5", "0.55"))
    (version / "config.yaml").write_text("seed: 0")
    from emoquant.reports import EmotionTable
    from emoquant.storage.results import read_results
    EmotionTable("recall").write(read_results(version / "results.csv"), version / "reports")
if pathlib.Path("fail").exists() and name in pathlib.Path("fail").read_text().split():
    sys.exit("planted failure")
"""

OFFER = Offer(
    "mine", ["angry", "happy", "sad"], [], {"train": 60, "validation": 9, "test": 30}, False, True, 2, 2.0, ""
)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A working folder with two experiments, the trainings that they need, and a fake command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fake.py").write_text(FAKE)
    files = {
        "train/one": "model: ../model.yaml\n", "train/two": "model: {size: 2}\n", "model": "size: 1\n",
        "eval/sweep": "# A sweep.\nmodel: {init_args: {codecs: [{run: one}]}}\n",
        "eval/both": "# Both.\nmodel: {init_args: {codecs: [{run: one}, {run: two}]}}\n",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "configs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    rows = [Row("c", "x", lmbda, "sad", "recall", 0.5, 0.4, 0.6, 9) for lmbda in (0.0, 1.0)]
    write_results(tmp_path / "rows.csv", rows)
    return tmp_path


def steps(world, *words):
    experiments = [read_experiment(world / f"configs/eval/{name}.yaml") for name in ("sweep", "both")]
    folder = ("--folder", str(world / "runs"), *words)
    return make_plan(experiments, OFFER, folder).steps


def ran(world, planned, **options):
    """Run steps with the fake command; return their states and the runs that it was called for."""
    (world / "calls.txt").write_text("")
    outcomes = Runner(world / "runs", launch=[sys.executable, "fake.py"], **options).run(planned)
    calls = [line.split() for line in (world / "calls.txt").read_text().splitlines()]
    names = [f"{words[0]} {words[1].rpartition('/')[2].removesuffix('.yaml')}" for words in calls]
    return {outcome.step.name: outcome.state for outcome in outcomes}, names, calls


class TestPlan:
    def test_trainings_come_before_what_needs_them_each_once(self, world):
        planned = steps(world)
        assert [(step.name, step.needs) for step in planned] == [
            ("one", ()), ("two", ()), ("sweep", ("one",)), ("both", ("one", "two")),
        ]  # fmt: skip

    def test_shipped_experiments_say_what_they_need(self):
        found = {experiment.name: experiment.needs for experiment in shipped_experiments()}
        assert next(iter(found)) == "lambda_sweep"
        assert found["ambiguity"] == ("votes",)
        assert found["multi_reference"] == ("pairs",)
        assert found["lambda_sweep"] == ()
        assert all(experiment.about for experiment in shipped_experiments())

    def test_what_the_data_do_not_allow_is_left_out_with_its_reason(self):
        plan = make_plan(shipped_experiments(), OFFER._replace(pairs=False), ())
        assert set(plan.left_out) == {"ambiguity", "ambiguity_iemocap", "blends", "multi_reference", "neutral_first"}
        assert plan.left_out["neutral_first"] == "no neutral in every split of mine"
        assert "no votes of annotators" in plan.left_out["ambiguity"]
        assert "no second emotion" in plan.left_out["multi_reference"]

    def test_a_codebook_is_trained_for_every_emotion_of_the_data_and_no_other(self):
        plan = make_plan([each for each in shipped_experiments() if each.name == "biased_codebooks"], OFFER, ())
        assert [step.name for step in plan.steps] == ["codec_angry", "codec_happy", "codec_sad", "biased_codebooks"]
        assert plan.steps[0].args[2:] == ("--train_emotions", "angry=1")

    def test_a_probe_is_trained_where_the_head_will_not_do(self):
        sweep = [each for each in shipped_experiments() if each.name == "lambda_sweep"]
        plan = make_plan(sweep, OFFER._replace(probe="no head"), ())
        assert [step.name for step in plan.steps] == ["codec", "probe", "lambda_sweep"]
        assert plan.steps[-1].needs == ("codec", "probe")

    def test_a_run_that_nothing_trains_is_named(self, world):
        (world / "configs/eval/lost.yaml").write_text("model: {init_args: {codecs: [{run: nothing}]}}")
        with pytest.raises(FileNotFoundError, match=r"no configuration trains the run 'nothing'"):
            make_plan([read_experiment(world / "configs/eval/lost.yaml")], OFFER, ())

    def test_estimates_grow_with_the_data(self):
        step = next(step for step in make_plan(shipped_experiments(), OFFER, ()).steps if step.name == "codec")
        assert minutes(step, OFFER._replace(seconds=4.0)) > minutes(step, OFFER)


class TestRunner:
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_what_is_finished_is_skipped_until_something_changes(self, world, jobs):
        everything = ["fit one", "fit two", "test both", "test sweep"]
        assert sorted(ran(world, steps(world), jobs=jobs)[1]) == everything
        states, names, _ = ran(world, steps(world), jobs=jobs)
        assert names == []
        assert set(states.values()) == {"finished before"}
        (world / "configs/train/two.yaml").write_text("model: {size: 3}\n")
        assert ran(world, steps(world), jobs=jobs)[1] == ["fit two", "test both"]
        (world / "configs/model.yaml").write_text("size: 2\n")
        assert sorted(ran(world, steps(world), jobs=jobs)[1]) == ["fit one", "test both", "test sweep"]
        assert sorted(ran(world, steps(world), jobs=jobs, again=True)[1]) == everything
        assert len(ran(world, steps(world, "--trainer.max_epochs", "2"), jobs=jobs)[1]) == 4

    def test_a_failure_stops_what_needs_it_and_nothing_else(self, world):
        (world / "fail").write_text("two")
        states, names, _ = ran(world, steps(world))
        assert states == {"one": "finished", "two": "failed", "sweep": "finished", "both": "stopped"}
        assert names == ["fit one", "fit two", "test sweep"]

    def test_an_interrupted_training_goes_on_from_its_own_checkpoint(self, world):
        ran(world, steps(world))
        (world / "configs/train/one.yaml").write_text("model: {size: 9}\n")
        (world / "fail").write_text("one")
        ran(world, steps(world))
        (world / "fail").unlink()
        _, _, calls = ran(world, steps(world))
        assert calls[0][-2:] == ["--ckpt_path", str(world / "runs/one/version_1/checkpoints/last.ckpt")]
        assert json.loads((world / "runs/one/run.json").read_text())["state"] == "finished"

    def test_a_checkpoint_of_another_training_is_not_gone_on_from_whatever_the_clock_says(self, world):
        ran(world, steps(world))
        (world / "configs/train/one.yaml").write_text("model: {size: 9}\n")
        place = world / "runs/one"
        state = json.loads((place / "run.json").read_text())
        ran_once = Runner(world / "runs", launch=["true"]).run(steps(world)[:1])
        assert ran_once[0].state == "finished", "version_0 of the old settings is taken for its result"
        assert "--ckpt_path" not in json.loads((place / "run.json").read_text())["command"]
        assert state["digest"] != json.loads((place / "run.json").read_text())["digest"]

    def test_output_of_a_failure_is_kept_when_several_run(self, world):
        (world / "fail").write_text("two")
        outcomes = Runner(world / "runs", 2, [sys.executable, "fake.py"]).run(steps(world))
        assert "planted failure" in next(outcome.why for outcome in outcomes if outcome.step.name == "two")
        assert "planted failure" in (world / "runs/two/log.txt").read_text()

    def test_a_run_that_leaves_nothing_is_no_finished_run(self, world):
        outcomes = Runner(world / "runs", launch=["true"]).run(
            [Step("one", ("fit", "one"), world / "configs/train/one.yaml")]
        )
        assert (outcomes[0].state, outcomes[0].why) == ("failed", f"it left no results in {world / 'runs/one'}")

    def test_jobs_must_be_at_least_one(self, world):
        with pytest.raises(ValueError, match="at least one job"):
            Runner(world, 0)


class TestCommand:
    @pytest.fixture(autouse=True)
    def _small(self, world, monkeypatch):
        monkeypatch.setattr("emoquant.commands.study.look_at", lambda data: OFFER)
        monkeypatch.setattr("emoquant.commands.study.open_data", lambda begun: None)

    def command(self, *words):
        launch = ["--launch", f"{sys.executable} fake.py"]
        return ["study", "configs/eval/sweep.yaml", "configs/eval/both.yaml", *launch, *words]

    def test_it_trains_evaluates_and_writes_one_page(self, world, capsys):
        main(self.command("--fit", "--a 1", "--test", "--b 2", "--data", "esd"))
        lines = (world / "calls.txt").read_text().splitlines()
        assert [line.split()[0] for line in lines] == ["fit", "fit", "test", "test"]
        assert all("--data esd --folder runs" in line for line in lines)
        assert lines[0].endswith("--a 1")
        assert lines[-1].endswith("--b 2")
        assert "seed: 0" in (world / "runs/study.html").read_text()
        assert begun_in(world / "runs") == Begun("esd")
        main(self.command("--fit", "--a 1", "--test", "--b 2"))
        assert len((world / "calls.txt").read_text().splitlines()) == 4, "the folder remembers the data"

    def test_the_shortest_training_is_the_first_then_the_longest(self, world, capsys):
        for name, epochs in {"one": 5, "three": 9}.items():
            (world / f"configs/train/{name}.yaml").write_text(f"trainer: {{max_epochs: {epochs}}}\n")
        (world / "configs/eval/all.yaml").write_text(
            "# All.\nmodel: {init_args: {codecs: [{run: one}, {run: two}, {run: three}]}}\n"
        )
        main(["study", "configs/eval/all.yaml", "--dry_run"])
        shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]
        assert [name for name in shown if name in ("one", "two", "three")] == ["two", "three", "one"]

    def test_a_dry_run_prints_the_plan_and_does_nothing(self, world, capsys):
        main(self.command("--dry_run"))
        out = capsys.readouterr().out
        assert "A sweep." in out
        assert "minutes" in out
        assert not (world / "runs").exists()

    def test_seeds_repeat_everything_and_are_merged(self, world):
        main(self.command("--seeds", "3", "5"))
        lines = (world / "calls.txt").read_text().splitlines()
        assert len(lines) == 8
        assert sum("--folder runs/seed_5 --seed 5" in line for line in lines) == 4
        assert {row.seeds for row in read_results(world / "runs/seeds/sweep/results.csv")} == {2}
        assert (world / "runs/study.html").is_file()

    def test_folds_repeat_everything_and_results_are_of_all_together(self, world):
        main(self.command("--folds", "3"))
        lines = (world / "calls.txt").read_text().splitlines()
        assert len(lines) == 12
        assert sum("--folder runs/fold_1 --data.fold 1/3" in line for line in lines) == 4
        assert sum("--model.pool runs/folds/both" in line for line in lines) == 3
        assert {row.value for row in read_results(world / "runs/folds/sweep/results.csv")} == {0.55}
        page = (world / "runs/study.html").read_text()
        assert "55.0" in page
        with pytest.raises(ValueError, match="2 folds leave nothing to train on"):
            study(["configs/eval/sweep.yaml"], folder=world / "runs", folds=2)

    def test_a_failure_is_named_at_the_end_and_the_page_has_the_rest(self, world, capsys):
        (world / "fail").write_text("two")
        with pytest.raises(SystemExit):
            main(self.command())
        assert "two failed" in capsys.readouterr().err
        assert "sweep" in (world / "runs/study.html").read_text()

    def test_a_folder_of_other_data_is_refused(self, world):
        begin(world / "runs", Begun("esd"))
        with pytest.raises(ValueError, match="was begun with --data esd, not ravdess"):
            study(["configs/eval/sweep.yaml"], data="ravdess", folder=world / "runs")


def test_steps_that_run_together_share_the_cores(world, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("emoquant.study.running._own_threads", lambda: 12)
    monkeypatch.setattr("emoquant.cli.run", lambda args: None)
    before = torch.get_num_threads()
    try:
        _in_worker(["fit", "x.yaml"], None, together=1)
        assert torch.get_num_threads() == 12
        _in_worker(["fit", "x.yaml"], None, together=3)
        assert torch.get_num_threads() == 4
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        _in_worker(["fit", "x.yaml"], None, together=1)
        assert torch.get_num_threads() == 4, "who names a number of threads is obeyed"
    finally:
        torch.set_num_threads(before)


def test_a_step_that_runs_alone_has_all_cores(world, monkeypatch):
    seen = {}
    start = Runner._start

    def noted(self, step, digest, together):
        seen[step.name] = together
        return start(self, step, digest, together)

    monkeypatch.setattr(Runner, "_start", noted)
    ran(world, steps(world)[:3], jobs=2)
    assert seen == {"one": 1, "two": 2, "sweep": 2}
    ran(world, [each for each in steps(world) if each.name in ("one", "sweep")], jobs=2, again=True)
    assert seen["sweep"] == 1
    ran(world, [each for each in steps(world) if each.name != "sweep"], jobs=2, again=True)
    assert seen == {"one": 1, "two": 1, "both": 1, "sweep": 1}, "what waits for a step does not run beside it"
    (world / "configs/train/two.yaml").write_text("model: {size: 3}\n")
    seen.clear()
    ran(world, steps(world), jobs=2)
    assert seen == {"two": 1, "both": 1}, "one and its sweep were finished before"
