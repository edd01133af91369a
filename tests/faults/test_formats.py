"""Every format that is read, with everything that can be wrong with a file: one error that names it, or a result."""

import pickle
import time
import warnings
import zipfile

import numpy as np
import pytest
import torch
from bad_world import POINTER, Malicious
from formats import FORMATS
from mutation import mutated

IDS = [form.name for form in FORMATS]
#: Seconds that one input may take; a busy machine is allowed for.
PATIENCE = 20
#: What a file of another kind holds.
OTHERS = [
    b"",
    b"\0" * 64,
    b"[]",
    b"{}",
    b"3",
    b"null",
    b'"x"',
    b"- 1\n- 2\n",
    b"a,b\n1\n",
    b"\x93NUMPY",
    b"PK\x03\x04",
    b"RIFF",
]


def refused(form, path, message=""):
    """Read a file that must be refused, by one error that names it."""
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
            form.read(path)
    assert time.monotonic() - started < PATIENCE
    assert path.name in str(error.value) or path.parent.name in str(error.value), error.value
    assert "\n" not in str(error.value)[:200]


def taken_or_refused(form, path):
    """Read a file that may be sound; anything but a result or the error that names it fails."""
    started = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            form.read(path)
        except (ValueError, FileNotFoundError) as error:
            said = str(error)
        else:
            said = path.name
    assert path.name in said or path.parent.name in said
    assert time.monotonic() - started < PATIENCE


@pytest.fixture(params=FORMATS, ids=IDS)
def form(request):
    return request.param


def test_sound_files_are_read(form, tmp_path):
    form.read(form.write(tmp_path))


def test_a_pointer_of_git_lfs_is_named(form, tmp_path):
    path = form.write(tmp_path)
    path.write_text(POINTER)
    if form.kind == "cache":
        taken_or_refused(form, path)
    else:
        refused(form, path, "git lfs pull")


def test_cut_files(form, tmp_path):
    path = form.write(tmp_path)
    data = path.read_bytes()
    for share in (0.0, 0.02, 0.3, 0.6, 0.95):
        path.write_bytes(data[: int(len(data) * share)])
        (refused if form.kind == "archive" else taken_or_refused)(form, path)


def test_files_of_other_kinds(form, tmp_path):
    path = form.write(tmp_path)
    for data in OTHERS:
        path.write_bytes(data)
        taken_or_refused(form, path)


def test_text_that_is_not_utf_8(form, tmp_path):
    path = form.write(tmp_path)
    path.write_bytes(path.read_bytes()[:40] + b"\xe9\xff\x80" + path.read_bytes()[40:])
    if form.kind in ("csv", "json", "yaml"):
        refused(form, path, "UTF-8|utf-8")
    else:
        taken_or_refused(form, path)


def test_bombs(form, tmp_path):
    """Small files that stand for gigabytes, or lie without end in each other."""
    path = form.write(tmp_path)
    if form.kind == "archive":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("c/data.pkl", pickle.dumps({}))
            archive.writestr("c/data/0", b"\0" * 2**22)
        refused(form, path)
        torch.save({"state_dict": {"w": torch.zeros(1).expand(10**9)}}, path)
        refused(form, path)
        return
    deep = {"yaml": b"{a: " * 5000, "json": b"[" * 200_000, "csv": b"a," * 100_000 + b"\n" + b'"' + b"x" * 300_000}
    path.write_bytes(deep.get(form.kind, b'"' * 100_001))
    taken_or_refused(form, path)
    if form.kind in ("yaml", "json"):
        refused(form, path)
    if form.kind == "yaml":
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
        path.write_text("\n".join(lines))
        refused(form, path, "references stand for")


def test_classes_of_python_and_code(form, tmp_path):
    path = form.write(tmp_path)
    if form.kind == "archive":
        torch.save({"state_dict": Malicious(tmp_path), "probe": Malicious(tmp_path)}, path)
        refused(form, path)
        path.write_bytes(pickle.dumps(Malicious(tmp_path), protocol=2))
        refused(form, path)
    elif form.kind == "yaml":
        path.write_text(f"a: !!python/object/apply:builtins.open ['{tmp_path / 'ran'}', 'w']\n")
        refused(form, path, "no YAML")
    elif path.suffix == ".npy":
        np.save(path, np.array([Malicious(tmp_path)], object), allow_pickle=True)
        refused(form, path)
    assert not (tmp_path / "ran").exists()


def test_mutated_files(form, tmp_path):
    path = form.write(tmp_path)
    data = path.read_bytes()
    for changed in mutated([data], 20, seed=7):
        path.write_bytes(changed)
        taken_or_refused(form, path)
