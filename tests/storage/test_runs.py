"""Runs on the disk: versions, the newest, what a name stands for."""

import pytest

from emoquant.storage.runs import (
    LAST,
    RESULTS,
    Run,
    find_checkpoint,
    newest,
    place_of,
    read_state,
    versions,
    write_state,
)


@pytest.fixture
def place(tmp_path):
    """A run with versions 2, 9 and 10, and folders that are none."""
    for name in ("version_2", "version_9", "version_10", "version_x", "reports"):
        (tmp_path / "codec" / name / "checkpoints").mkdir(parents=True)
    for name in ("version_2", "version_9"):
        (tmp_path / "codec" / name / LAST).write_text(name)
    return tmp_path / "codec"


def test_versions_are_in_the_order_of_their_numbers(place):
    assert [run.version for run in versions(place)] == [2, 9, 10]
    assert versions(place.parent / "nothing") == []
    assert Run(place / "version_x").version == -1


def test_the_newest_run_that_holds_a_file_counts(place):
    assert newest(place).version == 10
    assert newest(place, LAST).version == 9
    assert newest(place, RESULTS) is None
    run = newest(place, LAST)
    assert (run.name, run.checkpoint.read_text()) == ("codec", "version_9")


def test_a_version_is_a_run_as_well(place):
    assert newest(place / "version_2", LAST) == Run(place / "version_2")
    assert find_checkpoint(place / "version_2").read_text() == "version_2"


def test_a_root_of_the_trainer_is_the_run_or_one_of_its_versions(place):
    assert place_of(place) == place_of(place / "version_9") == place


@pytest.mark.parametrize("name", ["codec", "{place}", "{place}/version_9", "{place}/version_9/checkpoints/last.ckpt"])
def test_a_checkpoint_is_found_by_name_folder_and_file(place, name):
    assert find_checkpoint(name.format(place=place), place.parent).read_text() == "version_9"


def test_the_best_checkpoint_counts_where_there_is_one(place):
    assert find_checkpoint(place, best=True).name == "last.ckpt"
    (place / "version_9/checkpoints/best.ckpt").write_text("best")
    assert find_checkpoint(place, best=True).read_text() == "best"
    assert find_checkpoint(place).read_text() == "version_9"


def test_a_run_that_is_not_there_is_named_with_the_command_that_trains_it(place):
    with pytest.raises(FileNotFoundError, match=r"no run 'codek'.*emoquant fit codek --folder .*did you mean codec\?"):
        find_checkpoint("codek", place.parent)
    with pytest.raises(FileNotFoundError, match=r"no version_\*/checkpoints/last\.ckpt in"):
        find_checkpoint(place / "version_10")


def test_a_state_is_noted_whole_or_not_at_all(place):
    assert read_state(place) == {}
    write_state(place, {"state": "started"})
    assert versions(place)[0].state == {"state": "started"}
    (place / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run\.json is damaged"):
        read_state(place)
