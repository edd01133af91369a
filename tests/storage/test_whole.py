"""Files and folders are there whole or not at all, and what killed processes leave is cleaned up."""

import os
import signal
import subprocess
import sys
import time

import pytest

from emoquant.storage import folders
from emoquant.storage.files import clean, is_left_over, partial_name, whole_file
from emoquant.storage.folders import whole_folder

LOOP = """
import sys
from pathlib import Path
from emoquant.storage.folders import whole_folder
for number in range(100_000):
    with whole_folder(Path(sys.argv[1])) as partial:
        for file in range(30):
            (partial / f"{file}.txt").write_text(str(number))
    print(number, flush=True)
"""


def interrupted(path, text):
    with whole_folder(path) as partial:
        (partial / "a").write_text(text)
        raise RuntimeError(text)


def whole(path):
    return len(list(path.iterdir())) == 30 and len({file.read_text() for file in path.iterdir()}) == 1


@pytest.mark.parametrize("exchange", [True, False])
def test_an_older_folder_is_replaced_and_an_error_changes_nothing(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    for text in ("old", "new"):
        with whole_folder(tmp_path / "site") as partial:
            (partial / "a").write_text(text)
    assert (tmp_path / "site" / "a").read_text() == "new"
    with pytest.raises(RuntimeError, match="half"):
        interrupted(tmp_path / "site", "half")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert (tmp_path / "site" / "a").read_text() == "new"


def test_kills_at_any_moment_leave_a_whole_folder(tmp_path):
    path = tmp_path / "site"
    for number in range(6):
        process = subprocess.Popen([sys.executable, "-c", LOOP, str(path)], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(0.013 * (number + 1))
        process.kill()
        process.wait()
        assert whole(path)
    with whole_folder(path) as partial:
        (partial / "a").write_text("x")
    assert [each.name for each in tmp_path.iterdir()] == ["site"], "half-filled folders are cleaned by the next build"


def test_a_folder_that_was_renamed_aside_comes_back(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    own = partial_name("site", "00000000").replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    old = tmp_path / own.replace(".tmp", ".old.tmp")
    old.mkdir()
    (old / "a").write_text("old")
    with pytest.raises(RuntimeError, match="again"):
        interrupted(tmp_path / "site", "again")
    assert (tmp_path / "site" / "a").read_text() == "old"


def test_two_builds_at_once(tmp_path):
    path = tmp_path / "site"
    processes = [
        subprocess.Popen([sys.executable, "-c", LOOP, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for process in processes:
            for _ in range(20):
                assert process.stdout.readline().strip().isdecimal()
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert whole(path)


def test_half_written_files_of_killed_processes_are_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    mine = partial_name("a.csv", "0123abcd")
    names = {
        mine: True,
        mine.replace(f"-{os.getpid()}-", f"-{dead.pid}-"): False,
        ".a.csv.ffffff-1-0123abcd.tmp": True,  # of another machine, written just now
        ".other.tmp": True,
        "a.csv": True,
    }
    for name in names:
        (tmp_path / name).write_text("x")
    os.utime(tmp_path / ".other.tmp", (1, 1))
    clean.cache_clear()
    with whole_file(tmp_path / "b.csv") as partial:
        partial.write_text("y")
    assert {name: (tmp_path / name).exists() for name in names} == names
    assert is_left_over(".a.csv.ffffff-1-0123abcd.tmp", time.time() - 10 * 24 * 3600)
    assert not is_left_over(".hidden.tmp", 0)
