from pathlib import Path

import pytest

from emoquant.commands.parsing import call


def several(folders: list[Path] | None = None, rates: list[float] | None = None, words: list[str] | None = None):
    """Return what it is given."""
    return folders, rates, words


def needy(place: Path, rates: list[float] | None = None):
    """Return what it is given."""
    return place, rates


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
