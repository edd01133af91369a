import sys

import pytest

from emoquant.console.progress import progress, tracked


def test_a_file_gets_a_line_every_tenth(capsys):
    with progress(200, "extracting features") as bar:
        for _ in range(200):
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "extracting features: 20 of 200 utt (10 %)"
    assert lines[-1] == "extracting features: 200 of 200 utt (100 %)"


@pytest.mark.parametrize(("total", "step", "lines"), [(3, 1, 3), (1000, 250, 4), (1, 1, 1), (0, 1, 0)])
def test_short_work_and_large_steps_get_fewer(capsys, total, step, lines):
    with progress(total, "work") as bar:
        for _ in range(0, total, step):
            bar.update(step)
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(tracked(["a", "b"], 2, "work")) == ["a", "b"]
    assert "work: 100%" in capsys.readouterr().err


def test_nothing_is_shown_where_nothing_shall_be(capsys):
    assert list(tracked("ab", 2, "work", shown=False)) == ["a", "b"]
    assert capsys.readouterr().err == ""
