"""The folder of compress: what is kept, done anew and removed, when inputs, settings or the division of work change."""

import json
import shutil

import numpy as np
import pytest
import torch
from packable import DIM
from packed_world import rows_of
from safetensors.torch import load_file, save_file

from emoquant.commands.compress import compress
from emoquant.commands.compress_folder import CompressedFolder
from emoquant.commands.compress_manifest import CompressedRow, listed_files, read_rows
from emoquant.commands.decompress import decompress


def run(features, folder, checkpoint, count=1, **options):
    options = {"lmbda": 0.5} | options
    return [
        compress(features, folder, checkpoint, shard=f"{i}/{count}", progress=False, **options) for i in range(count)
    ]


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.emq")}


def times(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.emq")}


def change(path):
    np.save(path, np.random.default_rng(9).normal(size=(33, DIM)).astype(np.float32))


def test_an_input_that_changed_is_compressed_anew_and_no_other(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint)
    before = times(tmp_path / "emq")
    change(features / "utt 0.npy")
    shard = load_file(features / "shard.safetensors")
    save_file({**shard, "utt 3": torch.ones(11, DIM)}, features / "shard.safetensors")
    (manifest,) = run(features, tmp_path / "emq", checkpoint)
    after = times(tmp_path / "emq")
    assert {file for file in before if before[file] != after[file]} == {"utt 0.emq", "shard/utt 3.emq"}
    (fresh,) = run(features, tmp_path / "fresh", checkpoint)
    assert contents(tmp_path / "emq") == contents(tmp_path / "fresh")
    assert manifest.read_bytes() == fresh.read_bytes()


def test_overwrite_keeps_nothing_and_removes_what_is_of_no_input(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint)
    (tmp_path / "outside.emq").write_bytes(b"of others")
    (tmp_path / "emq" / "foreign.emq").write_bytes(b"of others")
    with (tmp_path / "emq" / "manifest.csv").open("a") as file:
        file.write("../outside.emq,1,1,1,1,1,1,,,\n")
    before = times(tmp_path / "emq")
    (features / "utt 0.npy").unlink()
    run(features, tmp_path / "emq", checkpoint, overwrite=True)
    after = times(tmp_path / "emq")
    assert before.keys() - after.keys() == {"utt 0.emq"}
    assert {file for file in after if after[file] == before[file]} == {"foreign.emq"}
    assert (tmp_path / "outside.emq").read_bytes() == b"of others"


def test_a_folder_that_was_overwritten_decompresses(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint, count=2)
    (features / "utt 0.npy").unlink()
    run(features, tmp_path / "emq", checkpoint, count=3, overwrite=True, lmbda=2.0)
    decompress(tmp_path / "emq", tmp_path / "back", checkpoint, progress=False)
    assert len(list((tmp_path / "back").rglob("*.npy"))) == 4


def test_files_of_inputs_that_are_gone_stay_without_overwrite(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint)
    before = times(tmp_path / "emq")
    shutil.rmtree(features / "speaker 1")
    rows = [row for manifest in run(features, tmp_path / "emq", checkpoint, count=3) for row in rows_of(manifest)]
    assert times(tmp_path / "emq") == before
    assert sorted(row["file"] for row in rows) == sorted(before)


@pytest.mark.parametrize("order", [(1, 3, 2), (2, 1, 4)])
def test_the_work_can_be_divided_otherwise(features, checkpoint, tmp_path, order):
    for count in order:
        manifests = run(features, tmp_path / "emq", checkpoint, count=count)
        assert sorted((tmp_path / "emq").glob("*.csv")) == sorted(manifests)
        rows = [row["file"] for manifest in manifests for row in rows_of(manifest)]
        assert sorted(rows) == sorted(contents(tmp_path / "emq"))
        made = times(tmp_path / "emq")
        if count == order[0]:
            before = made
    assert made == before


def test_a_share_that_has_not_run_yet_finds_its_rows(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint)
    before = times(tmp_path / "emq")
    for number in (1, 0):
        compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, shard=f"{number}/2", progress=False)
        assert (tmp_path / "emq" / "manifest.csv").exists() == bool(number)
    assert times(tmp_path / "emq") == before


@pytest.mark.parametrize("lmbda", [-1.0, float("nan"), float("inf"), 1e39])
def test_a_bad_lambda_touches_nothing(features, checkpoint, tmp_path, lmbda):
    with pytest.raises(ValueError, match="lmbda must be finite and at least 0"):
        run(features, tmp_path / "new", checkpoint, lmbda=lmbda)
    assert not (tmp_path / "new").exists()
    run(features, tmp_path / "emq", checkpoint)
    before = {path: path.read_bytes() for path in (tmp_path / "emq").rglob("*.*")}
    with pytest.raises(ValueError, match="lmbda must be finite and at least 0"):
        run(features, tmp_path / "emq", checkpoint, lmbda=lmbda, overwrite=True)
    assert {path: path.read_bytes() for path in (tmp_path / "emq").rglob("*.*")} == before


def test_whole_numbers_are_the_same_settings(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint, lmbda=None)
    before = times(tmp_path / "emq")
    run(features, tmp_path / "emq", checkpoint, lmbda=5)
    assert times(tmp_path / "emq") == before
    target = {"lmbda": None, "calibration": 2, "tolerance": 2}
    run(features, tmp_path / "rate", checkpoint, bits_per_frame=14, **target)
    run(features, tmp_path / "rate", checkpoint, bits_per_frame=14.0, **target)
    with pytest.raises(ValueError, match="other settings"):
        run(features, tmp_path / "rate", checkpoint, bits_per_frame=14, **target | {"calibration": 3})


def test_a_corpus_keeps_its_lambda_when_inputs_are_added(features, checkpoint, tmp_path):
    def lmbdas(**options):
        options = {"lmbda": None, "bits_per_frame": 14.0, "scope": "corpus"} | options
        manifests = run(features, tmp_path / "emq", checkpoint, **options)
        return {row["lmbda"] for manifest in manifests for row in rows_of(manifest)}

    (first,) = lmbdas()
    assert json.loads((tmp_path / "emq" / "settings.json").read_text())["common_lmbda"] == pytest.approx(
        float(first), rel=2**-8
    )
    np.save(features / "a.npy", 5 * np.random.default_rng(5).normal(size=(80, DIM)).astype(np.float32))
    assert lmbdas(count=2) == {first}
    (again,) = lmbdas(overwrite=True)
    assert again != first


def test_a_manifest_that_another_job_removes_meanwhile_is_none(features, checkpoint, tmp_path, monkeypatch):
    run(features, tmp_path / "emq", checkpoint)
    gone = tmp_path / "emq" / "manifest.csv"
    gone.unlink()
    monkeypatch.setattr(CompressedFolder, "_manifests", lambda folder: [folder.manifest, gone])
    rows = [row for manifest in run(features, tmp_path / "emq", checkpoint, count=2) for row in rows_of(manifest)]
    assert len(rows) == 5
    run(features, tmp_path / "emq", checkpoint, count=2, overwrite=True)


def test_settings_that_cannot_be_read_are_of_others(features, checkpoint, tmp_path):
    run(features, tmp_path / "emq", checkpoint)
    (tmp_path / "emq" / "settings.json").write_text('{"lmbda"')
    with pytest.raises(ValueError, match="other settings"):
        run(features, tmp_path / "emq", checkpoint)
    run(features, tmp_path / "emq", checkpoint, overwrite=True)
    run(features, tmp_path / "emq", checkpoint)


def test_a_manifest_of_another_version_is_named_and_can_be_overwritten(features, checkpoint, tmp_path):
    (manifest,) = run(features, tmp_path / "emq", checkpoint)
    manifest.write_text("file,frames,lmbda\nutt 0.emq,20,0.5\ngone.emq,20,0.5\n")
    (tmp_path / "emq" / "gone.emq").write_bytes(b"")
    with pytest.raises(ValueError, match=r"manifest\.csv is no manifest of this command"):
        run(features, tmp_path / "emq", checkpoint, count=2)
    manifests = run(features, tmp_path / "emq", checkpoint, count=2, overwrite=True)
    assert sorted((tmp_path / "emq").glob("*.csv")) == sorted(manifests)
    assert not (tmp_path / "emq" / "gone.emq").exists()


@pytest.mark.parametrize("name", ["a\u00a0b", "\u3000", "a\u200db"])
def test_any_name_of_a_file_is_one(features, checkpoint, tmp_path, name):
    given = tmp_path / "given"
    given.mkdir()
    change(given / f"{name}.npy")
    run(given, tmp_path / "emq", checkpoint)
    before = times(tmp_path / "emq")
    run(given, tmp_path / "emq", checkpoint)
    assert times(tmp_path / "emq") == before, "what is there is known again"


def test_a_last_line_that_was_cut_within_a_letter_is_left_out(features, checkpoint, tmp_path):
    (manifest,) = run(features, tmp_path / "emq", checkpoint)
    whole = read_rows(manifest, CompressedRow)
    manifest.write_bytes(manifest.read_bytes() + "\u0144".encode()[:1])
    assert read_rows(manifest, CompressedRow) == whole
    assert set(listed_files(manifest)) == {row.file for row in whole}
    manifest.write_bytes(b"file,fra")
    assert read_rows(manifest, CompressedRow) == []


def test_a_manifest_with_columns_of_a_later_version_is_refused(features, checkpoint, tmp_path):
    (manifest,) = run(features, tmp_path / "emq", checkpoint)
    header, *lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{header},more", *(f"{line},1" for line in lines)]) + "\n")
    with pytest.raises(ValueError, match=r"it has the columns more; move manifest\.csv away"):
        run(features, tmp_path / "emq", checkpoint)
