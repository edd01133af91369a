"""The shipped experiments with their shipped trainings, on a small rendered corpus and with small codecs."""

import math
import sys

import pytest
from small_runs import EMOTIONS, ROOT, SMALL_CODEC, SMALL_CORPUS

from emoquant.cli import run
from emoquant.storage.results import read_results
from emoquant.storage.runs import Begun
from emoquant.storage.shipped import CONFIGS
from emoquant.study.corpus import look_at, open_data
from emoquant.study.plan import make_plan, read_experiment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A working folder in which every codec of the experiments was trained."""
    folder = tmp_path_factory.mktemp("experiments")
    (folder / "checkpoints").symlink_to(ROOT / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train.py"])
        experiments = [read_experiment(path) for path in sorted((CONFIGS / "eval").glob("*.yaml"))]
        for step in make_plan(experiments, look_at(open_data(Begun())), ()).steps:
            if step.trains:
                run([*step.args, *SMALL_CORPUS, *SMALL_CODEC, "--trainer.check_val_every_n_epoch=4"])
        yield folder


def measured(world, name):
    """Return the rows of an experiment and the stems of its reports."""
    few = "--model.init_args.replicates=50"
    run(["test", name, few, *SMALL_CORPUS])
    folder = world / "runs" / name / "version_0"
    rows = [row for row in read_results(folder / "results.csv") if row.stratum == "all"]
    return rows, {path.stem for path in (folder / "reports").glob("*.svg")}


def points(rows, codec):
    return sorted({row.lmbda for row in rows if row.codec == codec})


def value(rows, codec, lmbda, metric, emotion="all"):
    (found,) = [r.value for r in rows if (r.codec, r.lmbda, r.metric, r.emotion) == (codec, lmbda, metric, emotion)]
    return found


def test_biased_codebooks(world):
    rows, reports = measured(world, "biased_codebooks")
    assert {row.codec for row in rows} == {"none", *EMOTIONS}
    for emotion in EMOTIONS:
        assert points(rows, emotion) == [0, 10, 50, 100, 200, 500]
        assert {r.emotion for r in rows if r.codec == emotion and r.metric == f"attraction/{emotion}"} == {
            "all",
            *EMOTIONS,
        }
        at_all_skip = value(rows, emotion, 500.0, f"attraction/{emotion}")
        assert at_all_skip < 0, "at rate 0 everything becomes the mean of the codebook's own emotion"
    assert {
        "similarity_panel",
        "cross_utterance_similarity",
        "cross_attraction",
        "cross_recall",
        "flow_areas",
    } <= reports


def test_greedy_vs_lambda(world):
    rows, reports = measured(world, "greedy_vs_lambda")
    reached = [value(rows, "greedy", target, "utterance_similarity") for target in points(rows, "greedy")]
    assert reached == sorted(reached)
    assert value(rows, "greedy", 0.5, "utterance_similarity") == pytest.approx(0.5, abs=0.1)
    assert {"greedy_recall_over_similarity", "greedy_recall_over_rate"} <= reports


def test_codebook_choice(world):
    rows, reports = measured(world, "codebook_choice")
    for choice in ("choice", "choice_relative", "choice_similarity", "choice_relative_lagrangian"):
        assert points(rows, choice) == [0, 1, 5, 20, 50]
        assert 0 <= value(rows, choice, 0.0, "uar") <= 1
    assert all(value(rows, "happy", 0.0, "codebook_perplexity", emotion) > 1 for emotion in EMOTIONS)
    assert {"cross_codebook_perplexity", "cross_distortion"} <= reports


def test_neutral_first(world):
    rows, reports = measured(world, "neutral_first")
    targets = [emotion for emotion in EMOTIONS if emotion != "neutral"]
    assert {row.codec for row in rows} == {"none", *targets, *(f"neutral_{emotion}" for emotion in targets)}
    bits = [value(rows, "neutral_sad", lmbda, "bits_per_frame") for lmbda in points(rows, "neutral_sad")]
    assert bits[0] > bits[-1]
    assert {"similarity_panel", "cross_attraction", "flow_areas"} <= reports


def test_multi_reference(world):
    rows, reports = measured(world, "multi_reference")
    assert {row.codec for row in rows} == {"none", "average", "interpolate", "distance", "vote"}
    before = [r for r in rows if r.codec == "none" and r.metric == "similarity_to/sad" and r.emotion == "happy"]
    assert len(before) == 1
    assert not math.isnan(before[0].value)
    assert value(rows, "average", 0.0, "utterance_similarity") > 0.8
    assert "similarity_to_over_lambda" in reports


def test_look_ahead(world):
    rows, reports = measured(world, "look_ahead")
    assert {row.codec for row in rows} == {"none", "frame_by_frame", "look_ahead"}
    for lmbda in points(rows, "look_ahead"):
        plain, ahead = (
            value(rows, codec, lmbda, "distortion") + lmbda * value(rows, codec, lmbda, "bits_per_frame")
            for codec in ("frame_by_frame", "look_ahead")
        )
        assert ahead <= plain * (1 + 1e-5)
    assert {"recall_over_rate", "rd_distortion"} <= reports


def test_mixed_codebooks(world):
    rows, reports = measured(world, "mixed_codebooks")
    own = {codec: value(rows, codec, 100.0, "similarity_to/happy") for codec in ("happy", "happy_sad", "sad")}
    assert own["happy"] > own["happy_sad"] > own["sad"], "at rate 0 the mixed codebook lies between the two"
    assert {"cross_similarity_to_happy", "cross_recall"} <= reports
