"""The command compress: files there and back, resumed, contained, with clear errors."""

import json

import numpy as np
import pytest
import soundfile
import torch
from packable import DIM, make_codec
from packed_world import rows_of
from safetensors.torch import save_file

from emoquant.__main__ import main
from emoquant.codecs import save_codec
from emoquant.codecs.bitstream import BitstreamError
from emoquant.commands.compress import compress
from emoquant.commands.decompress import decompress
from emoquant.commands.sources import check_name, find_sources

EXPECTED = ["shard/utt 3.emq", "shard/utt 4.emq", "speaker 1/Ärger/utt 2.emq", "utt 0.emq", "utt 1.emq"]


def test_there_and_back(features, checkpoint, tmp_path):
    manifest = compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, progress=False)
    rows = rows_of(manifest)
    assert [row["file"] for row in rows] == EXPECTED
    for row in rows:
        assert int(row["file_bytes"]) == (tmp_path / "emq" / row["file"]).stat().st_size
        assert 8 * int(row["coded_bytes"]) <= 1.003 * float(row["estimated_bits"]) + 32
        assert float(row["lmbda"]) == 0.5
        assert row["reached"] == ""
    decompress(tmp_path / "emq", tmp_path / "back", checkpoint, progress=False)
    original = torch.from_numpy(np.load(features / "speaker 1" / "Ärger" / "utt 2.npy"))
    restored = np.load(tmp_path / "back" / "speaker 1" / "Ärger" / "utt 2.npy")
    assert restored.dtype == np.float32
    codec = make_codec()
    np.testing.assert_allclose(restored, codec.encode(original, 0.5).features.numpy(), atol=1e-5)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(features, checkpoint, tmp_path):
    whole = compress(features, tmp_path / "whole", checkpoint, lmbda=0.5, progress=False)
    cut = compress(features, tmp_path / "cut", checkpoint, lmbda=0.5, utterances=2, progress=False)
    lines = cut.read_text(encoding="utf-8").splitlines(keepends=True)
    cut.write_text("".join(lines[:3]) + lines[3][:7], encoding="utf-8")  # killed while a row was written
    (tmp_path / "cut" / EXPECTED[0]).unlink()
    kept = (tmp_path / "cut" / EXPECTED[1]).stat().st_mtime_ns
    compress(features, tmp_path / "cut", checkpoint, lmbda=0.5, progress=False)
    assert cut.read_bytes() == whole.read_bytes()
    assert (tmp_path / "cut" / EXPECTED[1]).stat().st_mtime_ns == kept
    for name in EXPECTED:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_settings_do_not_mix(features, checkpoint, tmp_path):
    compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, progress=False)
    with pytest.raises(ValueError, match="other settings"):
        compress(features, tmp_path / "emq", checkpoint, lmbda=1.0, progress=False)
    manifest = compress(features, tmp_path / "emq", checkpoint, lmbda=1.0, overwrite=True, progress=False)
    assert {float(row["lmbda"]) for row in rows_of(manifest)} == {1.0}
    assert json.loads((tmp_path / "emq" / "settings.json").read_text())["lmbda"] == 1.0
    with pytest.raises(ValueError, match="other settings"):
        compress(features, tmp_path / "emq", checkpoint, lmbda=1.0, survivors=16, progress=False)
    compress(features, tmp_path / "emq", checkpoint, lmbda=1.0, beam=2, survivors=16, overwrite=True, progress=False)
    settings = json.loads((tmp_path / "emq" / "settings.json").read_text())
    assert (settings["beam"], settings["survivors"]) == (2, 16)
    with pytest.raises(ValueError, match="survivors must be at least 1"):
        compress(features, tmp_path / "emq", checkpoint, survivors=0, progress=False)


@pytest.mark.parametrize("scope", ["utterance", "corpus"])
def test_a_rate_can_be_asked_for(features, checkpoint, tmp_path, scope):
    manifest = compress(
        features, tmp_path / "emq", checkpoint, bits_per_frame=14.0, scope=scope, tolerance=1.5, progress=False
    )
    rows = rows_of(manifest)
    bits = np.array([float(row["estimated_bits"]) for row in rows])
    frames = np.array([int(row["frames"]) for row in rows])
    if scope == "utterance":
        assert (np.abs(bits / frames - 14.0) <= 1.5).all()
        assert {row["reached"] for row in rows} == {"1"}
    else:
        assert abs(bits.sum() / frames.sum() - 14.0) <= 1.5
        assert len({row["lmbda"] for row in rows}) == 1


def test_a_similarity_can_be_asked_for(features, checkpoint, tmp_path):
    manifest = compress(features, tmp_path / "emq", checkpoint, similarity=0.5, tolerance=0.1, progress=False)
    found = [float(row["similarity"]) for row in rows_of(manifest) if row["reached"] == "1"]
    assert found
    assert all(0.4 <= value <= 0.6 for value in found)


def test_shards_share_the_work(features, checkpoint, tmp_path):
    names = []
    for number in range(2):
        manifest = compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, shard=f"{number}/2", progress=False)
        assert manifest.name == f"manifest.{number}-of-2.csv"
        names += [row["file"] for row in rows_of(manifest)]
    assert sorted(names) == EXPECTED


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.emq")}


@pytest.mark.parametrize("before", [1, 2])
def test_shards_of_other_settings_are_made_anew(features, checkpoint, tmp_path, before):
    def run(folder, lmbda, count, **options):
        made = [
            compress(features, folder, checkpoint, lmbda, shard=f"{i}/{count}", progress=False, **options)
            for i in range(count)
        ]
        return [row for manifest in made for row in rows_of(manifest)]

    run(tmp_path / "fresh", 5.0, 1)
    run(tmp_path / "emq", 0.1, before)
    rows = run(tmp_path / "emq", 5.0, 2, overwrite=True)
    assert contents(tmp_path / "emq") == contents(tmp_path / "fresh")
    assert {float(row["lmbda"]) for row in rows} == {5.0}
    assert len({row["settings"] for row in rows}) == 1
    assert sorted(path.name for path in (tmp_path / "emq").glob("*.csv")) == [
        "manifest.0-of-2.csv", "manifest.1-of-2.csv",
    ]  # fmt: skip
    # And back: what the first manifests listed is not taken for done.
    run(tmp_path / "small", 0.1, 1)
    run(tmp_path / "emq", 0.1, before, overwrite=True)
    assert contents(tmp_path / "emq") == contents(tmp_path / "small")


def test_a_shard_that_was_not_there_when_settings_changed_does_not_keep_its_files(features, checkpoint, tmp_path):
    options = {"progress": False, "shard": "1/2"}
    compress(features, tmp_path / "emq", checkpoint, 0.1, **options)
    compress(features, tmp_path / "emq", checkpoint, 5.0, overwrite=True, progress=False, shard="0/2")
    manifest = compress(features, tmp_path / "emq", checkpoint, 5.0, **options)  # its own rows are of 0.1
    assert {float(row["lmbda"]) for row in rows_of(manifest)} == {5.0}


def test_audio_goes_through_an_encoder(checkpoint, tmp_path, monkeypatch):
    from fake.encoder import FakeEncoder

    import emoquant.encoders

    monkeypatch.setattr(emoquant.encoders, "Emotion2Vec", lambda model: FakeEncoder(DIM))
    (tmp_path / "wav").mkdir()
    noise = np.random.default_rng(0).normal(size=16_000) * 0.1
    soundfile.write(tmp_path / "wav" / "a.wav", noise, 16_000)
    soundfile.write(tmp_path / "wav" / "b.flac", noise[:8000], 16_000)
    with pytest.raises(ValueError, match="is audio: name an encoder"):
        compress(tmp_path / "wav", tmp_path / "emq", checkpoint, progress=False)
    manifest = compress(tmp_path / "wav", tmp_path / "emq", checkpoint, encoder="fake", progress=False)
    assert [(row["file"], row["frames"]) for row in rows_of(manifest)] == [("a.emq", "50"), ("b.emq", "25")]
    soundfile.write(tmp_path / "wav" / "a.wav", np.pad(noise, 16_000), 16_000)
    given = {"encoder": "fake", "progress": False, "trim": 30.0}
    with pytest.raises(ValueError, match="holds files of other settings"):
        compress(tmp_path / "wav", tmp_path / "emq", checkpoint, **given)
    manifest = compress(tmp_path / "wav", tmp_path / "trimmed", checkpoint, **given)
    assert [row["frames"] for row in rows_of(manifest)] == ["51", "25"], "10 ms more at both ends of 3 s"
    with pytest.raises(ValueError, match="trim is 0, expected how many dB"):
        compress(tmp_path / "wav", tmp_path / "none", checkpoint, encoder="fake", trim=0)


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "/etc/passwd", "..", ".hidden", "", "a\0b", "a\\b", "C:x", "x" * 201, "a\nb"]
)
def test_unsafe_names_inside_files_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="not safe as a file name"):
        check_name(name, tmp_path)


def test_a_shard_with_an_escaping_name_is_refused(checkpoint, tmp_path):
    (tmp_path / "in").mkdir()
    save_file({"../../escaped": torch.zeros(3, DIM)}, tmp_path / "in" / "shard.safetensors")
    with pytest.raises(ValueError, match="not safe"):
        compress(tmp_path / "in", tmp_path / "out", checkpoint, progress=False)
    assert not list(tmp_path.rglob("*escaped*"))


def test_links_in_the_output_folder_do_not_lead_out(features, checkpoint, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "emq").mkdir()
    (tmp_path / "emq" / "shard").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="written outside"):
        compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, progress=False)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_two_inputs_of_one_name_are_refused(features, tmp_path):
    soundfile.write(features / "utt 0.wav", np.zeros(1000), 16_000)
    with pytest.raises(ValueError, match="would get the same output"):
        find_sources(features)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"\x93NUMPY\x01\x00", "cannot be read"),
        (b"no numpy file at all", "cannot be read"),
    ],
)
def test_damaged_inputs_are_named(checkpoint, tmp_path, content, message):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.npy").write_bytes(content)
    with pytest.raises(ValueError, match=f"bad.npy.*{message}"):
        compress(tmp_path / "in", tmp_path / "out", checkpoint, progress=False)


def test_pickled_arrays_are_not_loaded(checkpoint, tmp_path):
    np.save(tmp_path / "bad.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"bad\.npy"):
        compress(tmp_path / "bad.npy", tmp_path / "out", checkpoint, progress=False)


def test_damaged_and_foreign_files_are_named(features, checkpoint, tmp_path):
    compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, progress=False)
    damaged = tmp_path / "emq" / "utt 1.emq"
    damaged.write_bytes(damaged.read_bytes()[:-2])
    with pytest.raises(BitstreamError, match=r"utt 1\.emq: the checksum does not match"):
        decompress(tmp_path / "emq", tmp_path / "back", checkpoint, progress=False)
    other = tmp_path / "other.ckpt"
    save_codec(make_codec(seed=1), other)
    with pytest.raises(BitstreamError, match="another codec"):
        decompress(tmp_path / "emq" / "utt 0.emq", tmp_path / "back", other, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lmbda": 1.0, "bits_per_frame": 5.0}, "exclude each other"),
        ({"bits_per_frame": -5.0}, "must lie in"),
        ({"lmbda": -1.0}, "at least 0"),
        ({"shard": "2/2"}, "NUMBER/COUNT"),
        ({"utterances": 0}, "at least 1"),
    ],
)
def test_arguments_are_checked(features, checkpoint, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        compress(features, tmp_path / "emq", checkpoint, progress=False, **arguments)


def test_the_command_line(features, checkpoint, tmp_path, capsys):
    main(["compress", str(features), str(tmp_path / "emq"), str(checkpoint), "--lmbda", "0.5", "--progress", "false"])
    main(["decompress", str(tmp_path / "emq"), str(tmp_path / "back"), str(checkpoint), "--progress", "false"])
    assert (tmp_path / "back" / "utt 0.npy").is_file()
    with pytest.raises(SystemExit) as ended:
        main(["compress", str(tmp_path / "nowhere"), str(tmp_path / "x"), str(checkpoint)])
    error = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 1
    assert error.startswith("emoquant compress ")
    assert "nowhere: no such file or folder" in error
    with pytest.raises(SystemExit):
        main(["--help"])
    assert {"extract", "compress", "decompress"} <= set(capsys.readouterr().out.replace(",", " ").split())
