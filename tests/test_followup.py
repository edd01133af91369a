"""The follow-up study and blends from one command each, with the shipped trainings made short, on a small corpus."""

import pytest
from small_runs import ROOT

from emoquant.commands.study import study
from emoquant.storage.results import read_results

pytestmark = pytest.mark.slow
SMALL = "--data.corpora.sentences 10 --trainer.enable_progress_bar false"
FIT = "--trainer.max_epochs 2 --trainer.check_val_every_n_epoch 2 --model.codebook_epochs 1 --model.gate_epochs 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("followup")
    (place / "checkpoints").symlink_to(ROOT / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        wanted = ["followup_methods", "blends", "blend_codebooks"]
        options = {"fit": f"{SMALL} {FIT}", "test": f"{SMALL} --model.replicates 20"}
        study(wanted, emotions=["happy", "neutral", "sad"], folder=place / "runs", **options)
    return place / "runs"


def rows_of(folder, name):
    return read_results(folder / name / "version_0" / "results.csv")


def test_methods_are_held_against_each_other_at_chosen_layers(folder):
    rows = rows_of(folder, "followup_methods")
    chosen = {row.codec: row for row in rows if row.metric == "chosen_f1"}
    choices = {"matched", "argmax_cosine", "gain", "emo_q_features", "emo_q_balanced", "gain_calibrated"}
    assert {*chosen} == {"none", "balanced", "happy", "neutral", "sad", *choices}
    assert {row.lmbda for row in rows if row.codec == "gain" and row.metric == "f1"} == {1, 2, 4, 8, 16, 32}
    shares = {(row.codec, row.emotion): row.value for row in rows if row.metric == "trained_on"}
    assert shares["happy", "happy"] == 1.0
    assert [shares["balanced", emotion] for emotion in ("happy", "neutral", "sad")] == pytest.approx([1 / 3] * 3)
    held = {(r.codec, r.lmbda): r.value for r in rows if r.metric == "validation_f1"}
    for codec, row in chosen.items():
        best = max(value for (name, _), value in held.items() if name == codec)
        assert codec == "none" or held[codec, row.lmbda] == best
    assert (folder / "followup_methods/version_0/reports/methods.md").is_file()


def test_bits_are_those_of_the_layers(folder):
    rows = {(r.lmbda, r.metric): r.value for r in rows_of(folder, "followup_methods")
            if (r.codec, r.emotion) == ("balanced", "all")}  # fmt: skip
    assert [rows[layers, "bits_per_frame"] for layers in (1.0, 8.0, 32.0)] == pytest.approx([1, 8, 32])
    assert rows[32.0, "entropy_coded_bits_per_second"] > 0


def test_blends_of_references_and_of_codebooks(folder):
    rows = rows_of(folder, "blends")
    found = {row.codec for row in rows if row.metric == "salience_accuracy"}
    assert found == {"none", *(f"{rule}_{parts}" for rule in ("average", "interpolate", "vote")
                               for parts in ("50_50", "70_30", "30_70"))}  # fmt: skip
    assert {row.codec for row in rows if row.metric == "presence_accuracy"} == found | {"single"}
    rows = rows_of(folder, "blend_codebooks")
    assert {row.codec for row in rows if row.metric == "salience_accuracy"} == {
        "happy50_sad50", "happy70_sad30", "happy30_sad70",
    }  # fmt: skip
    shares = {(r.codec, r.emotion): r.value for r in rows if r.metric == "trained_on"}
    assert shares["happy70_sad30", "happy"] == pytest.approx(0.7, abs=0.1)
