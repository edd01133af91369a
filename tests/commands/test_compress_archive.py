"""One archive instead of a folder of .emq files: the same features, whole or not at all, by either kind of codec."""

import numpy as np
import pytest
import torch
from packable import DIM
from transform_world import fit_transform, utterances

from emoquant.__main__ import main
from emoquant.codecs import TransformCodec, load_codec, read_archive, save_codec
from emoquant.codecs.archive import pack_archive
from emoquant.codecs.bitstream import Packet
from emoquant.commands.compress import compress
from emoquant.commands.decompress import decompress

NAMES = ["shard/utt 3", "shard/utt 4", "speaker 1/Ärger/utt 2", "utt 0", "utt 1"]


@pytest.fixture(scope="module")
def transform(tmp_path_factory):
    codec = TransformCodec(DIM, states=1)
    codec.transform = fit_transform(utterances([60] * 6, 0, DIM), DIM)
    path = tmp_path_factory.mktemp("transform") / "transform.ckpt"
    save_codec(codec, path)
    return path


def decoded(source, folder, codec):
    decompress(source, folder, codec, progress=False)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.npy")}


@pytest.mark.parametrize("kind", ["checkpoint", "transform"])
def test_an_archive_holds_what_the_files_hold(kind, features, tmp_path, request):
    codec = request.getfixturevalue(kind)
    compress(features, tmp_path / "files", codec, lmbda=0.5, progress=False)
    assert compress(features, tmp_path / "new" / "all.emq", codec, lmbda=0.5, progress=False).is_file()
    archive = read_archive(tmp_path / "new" / "all.emq")
    assert sorted(archive.names) == NAMES
    assert archive.lmbdas == [0.5] * 5
    whole = decoded(tmp_path / "files", tmp_path / "a", codec)
    assert sorted(whole) == [f"{name}.npy" for name in NAMES]
    assert decoded(tmp_path / "new" / "all.emq", tmp_path / "b", codec) == whole
    inside = decoded(tmp_path / "new", tmp_path / "c", codec)
    assert inside == {f"all/{name}": data for name, data in whole.items()}
    loud = np.load(tmp_path / "b" / "utt 0.npy") - np.load(features / "utt 0.npy")
    assert float(np.square(loud).mean()) < 2


def test_an_archive_says_what_its_utterances_have_in_common(features, transform, tmp_path, capsys):
    compress(features, tmp_path / "a.emq", transform, bits_per_frame=8.0, progress=False)
    assert read_archive(tmp_path / "a.emq").settings == {
        "target": {"value": 8.0, "quantity": "bits_per_frame", "tolerance": 1.0},
        "scope": "utterance",
        "calibration": 16,
    }
    main(["contents", str(tmp_path / "a.emq")])
    assert "# scope: utterance" in capsys.readouterr().out


def test_a_stream_is_written_and_read_by_an_option(features, transform, tmp_path, capsys):
    compress(features, tmp_path / "a.emq", transform, lmbda=0.5, options={"form": "stream"}, progress=False)
    assert read_archive(tmp_path / "a.emq").settings == {"lmbda": 0.5, "options": {"form": "stream"}}
    with pytest.raises(ValueError, match="written by another codec"):
        decompress(tmp_path / "a.emq", tmp_path / "a", transform, progress=False)
    decompress(tmp_path / "a.emq", tmp_path / "b", transform, options={"form": "stream"}, progress=False)
    codec = load_codec(transform, options={"form": "stream"})
    given = np.load(features / "utt 0.npy")
    assert np.array_equal(np.load(tmp_path / "b" / "utt 0.npy"), codec.encode(given, 0.5).features.numpy())
    with pytest.raises(SystemExit):
        main(["compress", str(features), str(tmp_path / "c"), str(transform), "--options.form", "causal"])
    assert "form 'whole' or 'stream', got 1 and 'causal'" in capsys.readouterr().err


def test_a_rate_can_be_asked_for(features, transform, tmp_path):
    compress(features, tmp_path / "a.emq", transform, bits_per_frame=8.0, scope="corpus", tolerance=2.0, progress=False)
    archive = read_archive(tmp_path / "a.emq")
    assert len(set(archive.lmbdas)) == 1
    assert 8 * archive.sizes.sum() / archive.frames.sum() == pytest.approx(8.0, abs=2.0)


def test_an_archive_is_there_whole_or_not_at_all(features, checkpoint, tmp_path):
    (features / "utt 9.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match="utt 9"):
        compress(features, tmp_path / "a.emq", checkpoint, progress=False)
    assert not (tmp_path / "a.emq").exists()
    (features / "utt 9.npy").unlink()
    compress(features, tmp_path / "a.emq", checkpoint, lmbda=5.0, progress=False)
    with pytest.raises(ValueError, match=r"is there: choose another name or --overwrite=true"):
        compress(features, tmp_path / "a.emq", checkpoint, lmbda=1.0, progress=False)
    compress(features, tmp_path / "a.emq", checkpoint, lmbda=1.0, overwrite=True, progress=False)
    assert read_archive(tmp_path / "a.emq").lmbdas == [1.0] * 5
    with pytest.raises(ValueError, match="cannot be written in parts"):
        compress(features, tmp_path / "b.emq", checkpoint, shard="0/2", progress=False)


def test_contents_are_listed_and_other_files_named(features, checkpoint, tmp_path, capsys):
    compress(features, tmp_path / "a.emq", checkpoint, lmbda=2.0, progress=False)
    main(["contents", str(tmp_path / "a.emq")])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "# lmbda: 2.0"
    lines = [line.split("\t") for line in said[1:]]
    assert lines[0] == ["number", "name", "frames", "bytes", "lambda"]
    assert sorted((line[1], line[2], line[4]) for line in lines[1:])[3] == ("utt 0", "20", "2")
    (tmp_path / "b.emq").write_bytes(b"EMQ\2 of a kind")
    for command in (["contents"], ["decompress"]):
        with pytest.raises(SystemExit):
            main(
                [*command, str(tmp_path / "b.emq"), *([str(tmp_path / "out"), str(checkpoint)] * (len(command[0]) > 8))]
            )
        assert "index of the archive is damaged" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["../out", "/abs", "a//b", ".hidden", "a/../b"])
def test_names_in_an_archive_do_not_lead_out(name, checkpoint, tmp_path):
    (tmp_path / "a.emq").write_bytes(pack_archive([Packet(b"abcd", 1.0, 3, b"x")], [name]))
    with pytest.raises(ValueError, match="not safe as a file name"):
        decompress(tmp_path / "a.emq", tmp_path / "out", checkpoint, progress=False)
    assert not list(tmp_path.rglob("*.npy"))


def test_a_damaged_utterance_and_another_codec_are_named(features, checkpoint, transform, tmp_path):
    compress(features, tmp_path / "a.emq", checkpoint, lmbda=0.1, progress=False)
    with pytest.raises(ValueError, match=r"a\.emq: .*written by another codec"):
        decompress(tmp_path / "a.emq", tmp_path / "out", transform, progress=False)
    data = bytearray((tmp_path / "a.emq").read_bytes())
    data[-1] ^= 1
    (tmp_path / "a.emq").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.emq: utterance 4 .* is damaged"):
        decompress(tmp_path / "a.emq", tmp_path / "out", checkpoint, progress=False)


def test_a_search_with_codebooks_is_not_asked_of_another_codec(features, transform, tmp_path):
    with pytest.raises(ValueError, match="beam and survivors must be 1"):
        compress(features, tmp_path / "a.emq", transform, survivors=16, progress=False)
    assert torch.load(transform, weights_only=True)["emoquant_codec"]["codec"]["init"] == {
        "dim": DIM,
        "states": 1,
        "form": "whole",
    }
