"""The command decompress: resumed, decoded anew where the bytes are others, never over what is not its own."""

import pytest
from packable import make_codec

from emoquant.codecs import save_codec
from emoquant.codecs.real_bits import RealBits
from emoquant.commands.compress import compress
from emoquant.commands.decompress import decompress
from emoquant.storage.files import write_whole


def test_features_of_other_bytes_are_decoded_anew(features, checkpoint, tmp_path):
    def decoded(folder):
        decompress(tmp_path / "emq", folder, checkpoint, progress=False)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.npy")}

    compress(features, tmp_path / "emq", checkpoint, lmbda=0.1, progress=False)
    before = decoded(tmp_path / "back")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "back").rglob("*.npy")}
    assert decoded(tmp_path / "back") == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    compress(features, tmp_path / "emq", checkpoint, lmbda=5.0, overwrite=True, progress=False)
    after = decoded(tmp_path / "back")
    assert after == decoded(tmp_path / "fresh")
    assert all(after[name] != before[name] for name in before)
    other = tmp_path / "other.ckpt"
    save_codec(make_codec(seed=1), other)
    compress(features, tmp_path / "emq", other, lmbda=5.0, overwrite=True, progress=False)
    decompress(tmp_path / "emq", tmp_path / "back", other, progress=False)
    decompress(tmp_path / "emq", tmp_path / "fresh of other", other, progress=False)
    for path in (tmp_path / "fresh of other").rglob("*.npy"):
        assert path.read_bytes() == (tmp_path / "back" / path.relative_to(tmp_path / "fresh of other")).read_bytes()


def test_an_interrupted_decompression_goes_on(features, checkpoint, tmp_path, monkeypatch):
    from emoquant.commands import decompress as module

    compress(features, tmp_path / "emq", checkpoint, lmbda=0.5, progress=False)
    decompress(tmp_path / "emq", tmp_path / "whole", checkpoint, progress=False)
    written = []

    def killed(path, data):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        write_whole(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            decompress(tmp_path / "emq", tmp_path / "cut", checkpoint, utterances=2, progress=False)
    with (tmp_path / "cut" / "decompressed.csv").open("a") as file:
        file.write("utt 0")  # a row that was cut
    kept = [path.stat().st_mtime_ns for path in written[:2]]
    decompress(tmp_path / "emq", tmp_path / "cut", checkpoint, progress=False)
    assert [path.stat().st_mtime_ns for path in written[:2]] == kept
    for path in (tmp_path / "whole").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_long_files_are_decoded_a_few_at_a_time(features, checkpoint, tmp_path, monkeypatch):
    from emoquant.codecs import ECVQ
    from emoquant.commands import decompress as module

    batches = []

    def watched(codec, data):
        batches.append([codec.check(each).frames for each in data])
        return RealBits.decompress_batch(codec, data)

    compress(features, tmp_path / "emq", checkpoint, progress=False)
    monkeypatch.setattr(ECVQ, "decompress_batch", watched)
    monkeypatch.setattr(module, "FRAMES", 89)
    decompress(tmp_path / "emq", tmp_path / "back", checkpoint, progress=False)
    assert batches == [[41, 48], [34, 20, 27]]


def test_features_of_others_are_not_written_over(features, checkpoint, tmp_path):
    compress(features / "utt 0.npy", tmp_path / "emq", checkpoint, progress=False)
    original = (features / "utt 0.npy").read_bytes()
    with pytest.raises(ValueError, match=r"utt 0\.npy is there, but was not decoded by this command"):
        decompress(tmp_path / "emq", features, checkpoint, progress=False)
    assert (features / "utt 0.npy").read_bytes() == original
    decompress(tmp_path / "emq", features, checkpoint, overwrite=True, progress=False)
    assert (features / "utt 0.npy").read_bytes() != original
