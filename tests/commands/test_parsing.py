from pathlib import Path

import pytest

from emoquant.commands.parsing import UsageError, call


def several(folders: list[Path] | None = None, rates: list[float] | None = None, words: list[str] | None = None):
    """Return what it is given."""
    return folders, rates, words


def needy(place: Path, rates: list[float] | None = None):
    """Return what it is given."""
    return place, rates


def switched(words: list[str] | None = None, emotions: list[str] | None = None, dry_run: bool = False):
    """Return what it is given."""
    return words, emotions, dry_run


@pytest.mark.parametrize("said", ["10,1", "[10, 1]", "10, 1"])
def test_lists_are_said_with_commas_or_brackets(said):
    assert call(several, "several", ["a", "b", "--rates", said]) == ([Path("a"), Path("b")], [10.0, 1.0], None)


def test_a_list_of_one_needs_no_brackets():
    assert call(several, "several", ["--folders", "a", "--words", "f1,f1_gain/none"]) == (
        [Path("a")], None, ["f1", "f1_gain/none"],
    )  # fmt: skip
    assert call(several, "several", ["--words", "x", "--rates", "2"]) == (None, [2.0], ["x"])


def test_a_word_after_a_list_has_its_own_place():
    assert call(needy, "needy", ["--rates", "1,2", "here"]) == (Path("here"), [1.0, 2.0])


def test_a_list_may_stand_behind_an_equals_sign():
    assert call(several, "several", ["--rates=10,1", "--words=a"]) == (None, [10.0, 1.0], ["a"])
    assert call(needy, "needy", ["--rates=1,2", "here"]) == (Path("here"), [1.0, 2.0])


def test_lists_of_paths_are_known_whatever_python_calls_a_path(monkeypatch):
    monkeypatch.setattr(Path, "__module__", "pathlib._local")  # its name in Python 3.13
    assert call(several, "several", ["--folders", "a,b"]) == ([Path("a"), Path("b")], None, None)


@pytest.mark.parametrize("word", ["--words", "--emotions"])
def test_an_option_is_no_value_of_the_list_before_it(word):
    with pytest.raises(UsageError, match=rf"argument {word}\b.*: expected one argument"):
        call(switched, "switched", [word, "--dry_run"])
