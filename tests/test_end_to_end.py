"""The main job with the shipped YAMLs on a small rendered corpus, in one process and in two."""

import math
import os
import subprocess
import sys

import pytest
import torch
from small_runs import EMOTIONS, ROOT, SMALL_CODEC, SMALL_CORPUS, SMALL_EPOCHS, config

from emoquant import load_codec
from emoquant.cli import run
from emoquant.commands.reports import reports as redraw
from emoquant.storage.results import read_results


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A working folder with a rendered corpus, a small codec trained by the real command and its sweep."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "checkpoints").symlink_to(ROOT / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trained = run(["fit", config("train/codec"), *SMALL_CORPUS, *SMALL_CODEC])
        torch.save(trained.model.state_dict(), folder / "trained.pt")
        run(["test", config("eval/lambda_sweep"), *SMALL_CORPUS])
        yield folder


@pytest.fixture(scope="module")
def rows(world):
    return read_results(world / "runs/lambda_sweep/version_0/results.csv")


def test_the_checkpoint_has_the_weights_of_the_last_epoch_though_it_was_not_validated(world):
    trained = torch.load(world / "trained.pt", weights_only=True)
    stored = torch.load(world / "runs/codec/version_0/checkpoints/last.ckpt", weights_only=True)
    assert stored["epoch"] == SMALL_EPOCHS - 1
    assert SMALL_EPOCHS % 2, "the shipped training validates every other epoch: the last one here must not be one"
    assert stored["state_dict"].keys() == trained.keys()
    assert all(torch.equal(value, trained[name]) for name, value in stored["state_dict"].items())


def figures(rows, codec: str, metric: str, emotion: str = "all") -> dict[float, float]:
    chosen = [r for r in rows if (r.codec, r.metric, r.emotion, r.stratum) == (codec, metric, emotion, "all")]
    return {r.lmbda: r.value for r in chosen}


def test_every_measure_has_a_row_for_every_lambda_and_emotion(rows):
    lambdas = set(figures(rows, "codec", "uar"))
    assert len(lambdas - {r.lmbda for r in rows if r.metric == "target_bits_per_frame"}) == 14
    per_emotion = ["recall", "f1", "utterance_similarity", "frame_similarity", "bits_per_frame", "skip_rate"]
    per_emotion += ["distortion", "drift_to_neutral", "drift_to_mean", "drift_to_skip", "predicted/neutral"]
    per_emotion += [f"similarity_to/{emotion}" for emotion in EMOTIONS]
    for metric in per_emotion:
        for emotion in EMOTIONS:
            assert set(figures(rows, "codec", metric, emotion)) == lambdas, (metric, emotion)
    for metric in ("uar", "accuracy", "codebook_perplexity", "codebook_usage", "distinct_outputs"):
        assert set(figures(rows, "codec", metric)) == lambdas, metric


def test_every_test_utterance_is_counted_once(world, rows):
    manifest = next((world / ".cache/emoquant/rendered").glob("*/manifest.csv")).read_text().splitlines()
    column = manifest[0].split(",").index("split")
    expected = sum(line.split(",")[column] == "test" for line in manifest[1:])
    assert expected > 0
    assert {r.n for r in rows if r.metric == "accuracy"} == {expected}
    uncounted = ("precision", "trained_on", "target_bits_per_frame", "relative_lambda", "heard_corpus")
    assert all(r.n > 0 for r in rows if r.metric.partition("/")[0] not in uncounted)  # precision: taken for an emotion


def test_the_results_say_what_the_codec_was_trained_on(rows):
    shares = {r.emotion: r.value for r in rows if r.metric == "trained_on"}
    assert {r.codec for r in rows if r.metric == "trained_on"} == {"codec"}
    assert set(shares) == set(EMOTIONS)
    assert sum(shares.values()) == pytest.approx(1)


def test_unquantized_features_stand_beside_the_codec(rows):
    asked = ("none", "utterance_similarity", "all", "all")
    similarity = [r for r in rows if (r.codec, r.metric, r.emotion, r.stratum) == asked]
    assert len(similarity) == 1
    assert math.isnan(similarity[0].lmbda)
    assert similarity[0].value == pytest.approx(1.0)


def test_rate_falls_and_distortion_rises_over_the_sweep(rows):
    bits, distortion = figures(rows, "codec", "bits_per_frame"), figures(rows, "codec", "distortion")
    assert bits[0.0] > bits[10.0] > bits[500.0]
    assert distortion[0.0] < distortion[10.0] < distortion[500.0]
    assert bits[500.0] < 0.5
    skips = figures(rows, "codec", "skip_rate")
    assert skips[500.0] > skips[0.0]


def test_run_folder_is_complete_and_redraws_to_the_same_bytes(world):
    version = world / "runs/lambda_sweep/version_0"
    assert (version / "config.yaml").is_file()
    reports = {path.name: path.read_bytes() for path in (version / "reports").iterdir()}
    assert {"recall_table.png", "recall_table.svg", "recall_table.md", "recall_table.tex"} <= set(reports)
    redraw([version])
    assert {path.name: path.read_bytes() for path in (version / "reports").iterdir()} == reports


def test_trained_codec_compresses_and_decompresses(world):
    import torch

    codec = load_codec(world / "runs/codec")
    assert codec.name == "codec"
    features = torch.randn(40, codec.dim)
    back = codec.decompress(codec.compress(features, lmbda=1.0))
    assert back.shape == features.shape
    torch.testing.assert_close(back, codec.encode(features, lmbda=1.0).features)


def test_two_processes_measure_the_same(world, rows):
    command = [sys.executable, str(ROOT / "eval.py"), "test", config("eval/lambda_sweep"), *SMALL_CORPUS]
    command += ["--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.logger.init_args.name=two_processes"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=world, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    again = read_results(world / "runs/two_processes/version_0/results.csv")
    assert [(*r[:5], r.n, r.stratum) for r in again if not math.isnan(r.lmbda)] == [
        (*r[:5], r.n, r.stratum) for r in rows if not math.isnan(r.lmbda)
    ]
    for one, two in zip(rows, again, strict=True):
        for name in ("value", "low", "high"):
            assert getattr(two, name) == pytest.approx(getattr(one, name), abs=1e-5, rel=1e-5, nan_ok=True), one
