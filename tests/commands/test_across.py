"""Codecs of one corpus on another: what is run, and which operating points the tables show."""

import math

import pytest

from emoquant.commands import across as command
from emoquant.reports.across import cells
from emoquant.storage.results import Row, write_results
from emoquant.storage.runs import Begun, begin
from emoquant.study import across as runs


def row(codec, point, metric, value, corpus="c"):
    return Row(corpus, codec, point, "all", metric, value, value - 0.1, value + 0.1, 20)


def sweep(first, second, target):
    """Rows of a codec whose rate of 10 bits was placed at a lambda, and of the features."""
    points = {1.0: first, target: second}
    rows = [row("codec", point, "uar", value) for point, value in points.items()]
    return [*rows, row("none", math.nan, "uar", 0.9), row("codec", target, "target_bits_per_frame", 10.0)]


def test_points_are_those_of_the_corpus_of_the_training():
    found = {("a", "a"): sweep(0.8, 0.6, 4.0), ("a", "b"): sweep(0.5, 0.4, 90.0), ("b", "b"): sweep(0.7, 0.3, 80.0)}
    made = {(c.trained, c.tested, c.where): c.row for c in cells(found, ["uar"], [10.0])}
    assert made["a", "a", "10 bits a frame"].value == 0.6
    assert made["a", "b", "10 bits a frame"].value == 0.5, "lambda 1 is nearer to 4, which the own corpus says, than 90"
    assert made["b", "b", "10 bits a frame"].value == 0.3
    assert made["a", "b", "before coding"].value == 0.9


def test_what_validation_chose_at_home_is_read_abroad():
    layers = [row("emo_q", point, "f1", value) for point, value in ((1.0, 0.3), (32.0, 0.7))]
    home, away = [*layers, row("emo_q", 1.0, "chosen_f1", 0.3)], [*layers, row("emo_q", 32.0, "chosen_f1", 0.7)]
    (cell,) = [c for c in cells({("a", "a"): home, ("a", "b"): away}, ["f1"], []) if c.tested == "b"]
    assert (cell.row.lmbda, cell.where) == (1.0, "chosen")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Two folders of runs, one with a probe, and a command that leaves results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text("model: {init_args: {codecs: [{run: codec}]}}\n")
    for name in ("one", "two"):
        begin(tmp_path / "runs" / name, Begun(name, None, None))
    (tmp_path / "runs/two/probe/version_0/checkpoints").mkdir(parents=True)
    (tmp_path / "runs/two/probe/version_0/checkpoints/last.ckpt").write_text("weights")
    called = []

    def fake(words):
        called.append(words)
        place = tmp_path / words[words.index("--folder") + 1] / words[words.index("--name") + 1] / "version_0"
        place.mkdir(parents=True)
        write_results(place / "results.csv", sweep(0.8, 0.6, 4.0))

    monkeypatch.setattr(runs, "run", fake)
    return called


def test_every_corpus_is_heard_by_its_own_classifier_and_measured_once(world, tmp_path):
    folders = [tmp_path / "runs/one", tmp_path / "runs/two"]
    page = command.across(folders, "sweep.yaml", tmp_path / "out", rates=[10.0])
    names = [words[words.index("--name") + 1] for words in world]
    assert names == ["sweep", "sweep@two", "sweep@one", "sweep"]
    with_probe = [words[words.index("--data") + 1] for words in world if "--model.classifier" in words]
    assert with_probe == ["two", "two"]
    text = page.read_text()
    assert "| codec of | one | two |" in text
    assert "| one | 60.0 [50.0, 70.0] | 60.0 [50.0, 70.0] |".replace("[", r"\[").replace("]", r"\]") in text
    command.across(folders, "sweep.yaml", tmp_path / "out", rates=[10.0])
    assert len(world) == 4


def test_what_cannot_be_compared_is_refused(world, tmp_path):
    with pytest.raises(ValueError, match="expected folders of two or more corpora and one encoder"):
        command.across([tmp_path / "runs/one"], "sweep.yaml")
    begin(tmp_path / "runs/three", Begun("three", "other", None))
    with pytest.raises(ValueError, match="two or more corpora and one encoder"):
        command.across([tmp_path / "runs/one", tmp_path / "runs/three"], "sweep.yaml")
    with pytest.raises(FileNotFoundError, match="no folder of runs that was begun"):
        command.across([tmp_path / "runs/one", tmp_path / "nowhere"], "sweep.yaml")
    with pytest.raises(ValueError, match="no figure is there"):
        command.across([tmp_path / "runs/one", tmp_path / "runs/two"], "sweep.yaml", tmp_path / "o", [3.0], ["ccc"])
