"""The page of results: what is run, what holds under all, under some, and what was never tested."""

import math
import re
from pathlib import Path

import pytest

from emoquant.commands import results as command
from emoquant.reports.findings_table import HEAD
from emoquant.reports.results_page import Part, results_page
from emoquant.storage.results import Row, write_results
from emoquant.storage.runs import Begun
from emoquant.study.corpus import Offer


def row(codec, point, metric, value, emotion="all", classifier="probe", **more):
    return Row("c", codec, point, emotion, metric, value, value - 0.1, value + 0.1, 20, classifier=classifier, **more)


ROWS = [
    *(row("none", math.nan, "recall", 0.8, emotion) for emotion in ("happy", "sad")),
    row("none", math.nan, "uar", 0.8, speaker_low=0.7, speaker_high=0.85, speakers=4),
    row("codec", 3.0, "uar", 0.6),
    row("codec", 3.0, "agreement", 0.65),
    row("codec", 3.0, "target_bits_per_frame", 10.0, classifier=""),
    row("none", math.nan, "heard_corpus/labels", 1.0, classifier=""),
    row("none", math.nan, "heard_speakers", 0.25, classifier=""),
]


def finding(statement, verdict, classifier="probe"):
    cells = [statement, verdict, "figures", "rule", "c", "codec", "lambda_sweep", classifier, ""]
    return dict(zip(HEAD, cells, strict=True))


def page(*found):
    parts = [Part(corpus, encoder, "experiments", lines, {"lambda_sweep": ROWS}) for corpus, encoder, lines in found]
    return results_page(parts, ["a", "b"], ["x", "y"], "emoquant results", [10.0])


def test_the_page_says_what_holds_under_all_under_some_and_what_was_not_run():
    text = page(
        ("a", "x", [finding("It drifts.", "holds (4 of 4)"), finding("It is kept.", "does not hold (0 of 4)")]),
        ("a", "y", [finding("It drifts.", "holds (4 of 4)"), finding("It is kept.", "in part (1 of 4)")]),
        ("b", "x", [finding("It drifts.", "withheld"), finding("Nothing is told.", "open (0 of 4)")]),
    )
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("|")}
    assert "| holds under all | holds 2, withheld 1 | 3 of 4 |" in lines["It drifts."]
    assert "| in part under 1 of 2 |" in lines["It is kept."]
    assert "| not told by any |" in lines["Nothing is told."]
    assert "| x | probe | codec | experiments | holds (4 of 4) | withheld |" in text
    assert "| y | probe | codec | experiments | holds (4 of 4) | not run |" in text
    assert "| y | experiments | lambda_sweep | not run |" in text
    assert "| x | sweeps | not run | not run |" in text
    assert r"80.0 \[70.0, 85.0\] | 50 | 20 | 4 | the corpus (labels); 25% of the test speakers |" in text
    assert r"| probe | 10 | 60.0 \[50.0, 70.0\] | 65.0 \[55.0, 75.0\] |" in text


def test_nothing_at_all_is_a_page_too():
    text = results_page([], ["a"], ["x"], "emoquant results", [10.0])
    assert text.count("not run") >= 5


def test_blocks_are_one_empty_line_apart():
    assert "\n\n\n" not in page(("a", "x", [finding("It drifts.", "holds (4 of 4)")]))


def test_the_page_of_the_docs_is_of_the_form_that_the_command_writes():
    names = [command.Cell(corpus, encoder, "").names for corpus in command.CORPORA for encoder in command.ENCODERS]
    corpora, encoders = (list(dict.fromkeys(each)) for each in zip(*names, strict=True))
    written = (Path(__file__).parents[2] / "docs/results.md").read_text(encoding="utf-8")
    blocks = written.split("\n\n")
    empty = results_page([], corpora, encoders, "emoquant results", command.RATES).split("\n\n")
    assert [blocks[0], blocks[2]] == [empty[0], empty[2]]
    assert re.sub("[0-9]+ of 12", "0 of 12", blocks[1]) == empty[1]
    headings = [block for block in blocks if block.startswith("## ")]
    assert headings == [block for block in empty if block.startswith("## ")]
    assert written == "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def test_methods_stand_beside_what_they_are_held_against():
    rows = [
        row("none", math.nan, "chosen_f1", 0.5, classifier=""),
        row("gain", 8.0, "validation_f1", 0.7, classifier=""),
        row("gain", 8.0, "chosen_f1", 0.45, classifier="", speaker_low=0.35, speaker_high=0.55, speakers=4),
        row("gain", 8.0, "chosen_f1_gain/none", -0.05, classifier=""),
    ]
    parts = [Part("a", "x", "experiments", [], {"lambda_sweep": ROWS, "followup_methods": rows})]
    text = results_page(parts, ["a"], ["x"], "emoquant results", [10.0])
    assert "| a | x | experiments | followup_methods | none | none |  | 0.500 |  |  |" in text
    assert r"| a | x | experiments | followup_methods | gain | 8 | 0.700 | 0.450 \[0.350, 0.550\] | -0.050 |  |" in text
    methods = text.partition("## Emotion by codebook")[2]
    assert "| corpus | encoder | runs | evaluation | method |" in methods
    assert "lambda_sweep" not in methods


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A study that leaves results and notes how it was called, or fails for one corpus."""
    monkeypatch.chdir(tmp_path)
    offer = Offer("c", ["happy", "sad"], [], {"train": 60, "validation": 9, "test": 30}, False, True, 2, 2.0, "no head")
    monkeypatch.setattr(command, "open_data", lambda begun: Begun(*begun))
    monkeypatch.setattr(command, "look_at", lambda data: offer)
    called = []

    def study(experiments, data, encoder, **options):
        called.append((experiments, data, encoder, options))
        if data == "bad":
            raise ValueError("planted failure")
        write_results(options["folder"] / "lambda_sweep" / "version_0" / "results.csv", ROWS)

    monkeypatch.setattr(command, "study", study)
    return called


def test_every_pair_is_run_and_a_failure_is_left_out(world, tmp_path, capsys):
    place = {"folder": tmp_path / "runs", "page": tmp_path / "results.md"}
    command.results(["bad", "good"], ["log_mel"], seeds=[0, 1], folds=3, **place)
    out = capsys.readouterr().out
    assert "about" in out
    assert "bad x log_mel, sweeps: planted failure" in out
    assert [(call[1], call[3]["seeds"], call[3]["folds"]) for call in world] == [
        ("bad", None, 0), ("good", None, 0), ("bad", [0, 1], 3), ("good", [0, 1], 3),
    ]  # fmt: skip
    assert world[2][0] == ["lambda_sweep", "plain_mode", "transform_sweep"]
    assert {tuple(call[3]["classifiers"]) for call in world} == {("probe", "probe_lda")}
    assert world[1][3]["folder"] == tmp_path / "runs/good-log_mel/experiments"
    text = place["page"].read_text()
    assert "| log_mel | experiments | not run | lambda_sweep |" in text
    assert "emoquant results --corpora bad,good --encoders log_mel" in text


def test_a_dry_run_does_nothing_and_hours_grow_with_seeds_and_folds(world, tmp_path, capsys):
    def hours(**options):
        assert (
            command.results(["good"], ["log_mel"], dry_run=True, folder=tmp_path, page=tmp_path / "p", **options)
            is None
        )
        return float(capsys.readouterr().out.rpartition("about ")[2].partition(" hours")[0])

    assert hours(kinds=["sweeps"], seeds=[0], folds=0) < hours(kinds=["sweeps"], seeds=[0, 1, 2], folds=5)
    assert world == []
    assert not (tmp_path / "p").exists()
    with pytest.raises(ValueError, match="expected 'experiments', 'sweeps', or both"):
        command.results(kinds=["folds"])


def test_results_of_the_follow_up_study_are_on_the_page(world, tmp_path):
    place = tmp_path / "good-log_mel/experiments/followup_methods/version_0/results.csv"
    write_results(place, [row("balanced", 8.0, "chosen_f1", 0.45, classifier="")])
    page = command.results(["good"], ["log_mel"], write_only=True, folder=tmp_path, page=tmp_path / "p.md")
    text = page.read_text()
    assert "| log_mel | experiments | followup_methods |" in text
    assert "| good | log_mel | experiments | followup_methods | balanced | 8 |  | 0.450 |  |  |" in text


def test_writing_only_runs_nothing(world, tmp_path):
    page = command.results(["good"], ["log_mel"], write_only=True, folder=tmp_path, page=tmp_path / "p.md")
    assert world == []
    assert "not run" in page.read_text()
