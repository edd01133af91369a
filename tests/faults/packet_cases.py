"""``.emq`` files, and the commands that write and read them."""

import logging
from pathlib import Path

import numpy as np
import torch
from bad_world import DIM, Malicious, codec, tone
from cases import case
from safetensors.torch import save_file

from emoquant.codecs import load_codec
from emoquant.codecs.bitstream import BitstreamError
from emoquant.commands.compress import compress
from emoquant.commands.decompress import decompress
from emoquant.commands.sources import find_sources


def compressed(folder: Path) -> tuple[Path, Path]:
    np.save(folder / "a.npy", np.random.default_rng(0).normal(size=(40, DIM)).astype(np.float32))
    path = codec(folder / "c.ckpt")
    compress(folder / "a.npy", folder / "emq", path, progress=False)
    return folder / "emq" / "a.emq", path


@case("Compressed files", "an .emq file that was cut off", BitstreamError, "truncated", "a.emq")
def _(folder):
    file, path = compressed(folder)
    file.write_bytes(file.read_bytes()[:-2])
    decompress(file, folder / "out", path, progress=False)


@case("Compressed files", "an .emq file with a flipped bit", BitstreamError, "the checksum does not match", "a.emq")
def _(folder):
    file, path = compressed(folder)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    decompress(file, folder / "out", path, progress=False)


@case("Compressed files", "something else with the ending .emq", BitstreamError, "is this a file that", "a.emq")
def _(folder):
    file, path = compressed(folder)
    file.write_bytes(b"GIF89a" * 9)
    decompress(file, folder / "out", path, progress=False)


@case(
    "Compressed files",
    "an .emq file of another codec",
    BitstreamError,
    "load the checkpoint that compressed it",
    "a.emq",
)
def _(folder):
    file, path = compressed(folder)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["quantizer.fine.vectors"] += 1
    torch.save(content, path)
    decompress(file, folder / "out", path, progress=False)


@case("Compressed files", "a folder without .emq files", FileNotFoundError, "expected files ending in .emq", "empty")
def _(folder):
    (folder / "empty").mkdir()
    decompress(folder / "empty", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "an archive that names ../../evil", ValueError, "not safe as a file name; rename it", "evil")
def _(folder):
    save_file({"../../evil": torch.ones(4, DIM)}, folder / "a.safetensors")
    compress(folder / "a.safetensors", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case(
    "Compressed files",
    "a link out of the output folder",
    ValueError,
    "would be written outside",
    "remove the link",
)
def _(folder):
    (folder / "in" / "s").mkdir(parents=True)
    np.save(folder / "in" / "s" / "a.npy", np.ones((4, DIM), np.float32))
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out" / "s").symlink_to(folder / "elsewhere")
    try:
        compress(folder / "in", folder / "out", codec(folder / "c.ckpt"), progress=False)
    finally:
        assert not list((folder / "elsewhere").iterdir())


@case("Compressed files", "features with pickled objects", ValueError, "cannot be read as frame features", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.array([Malicious(folder)], object), allow_pickle=True)
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "features that are NaN", ValueError, "features hold NaN or infinity", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.full((4, DIM), np.nan, np.float32))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "features without a frame", ValueError, "must be (T, 8) with T >= 1, got (0, 8)", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.ones((0, DIM), np.float32))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "features of more frames than allowed", ValueError, "split the recording or set most_frames")
def _(folder):
    loaded = load_codec(codec(folder / "c.ckpt"))
    loaded.most_frames = 10
    loaded.compress(torch.ones(11, DIM))


@case("Compressed files", "integers for features", ValueError, "expected frame features (T, D) in floating", "a.npy")
def _(folder):
    np.save(folder / "a.npy", np.ones((4, DIM), np.int64))
    compress(folder / "a.npy", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "two inputs with one output", ValueError, "rename one or use separate folders", "a.wav")
def _(folder):
    (folder / "in").mkdir()
    np.save(folder / "in" / "a.npy", np.ones((4, DIM), np.float32))
    tone(folder / "in" / "a.wav")
    compress(folder / "in", folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "an output folder of other settings", ValueError, "another folder or --overwrite", "emq")
def _(folder):
    _, path = compressed(folder)
    compress(folder / "a.npy", folder / "emq", path, lmbda=9.0, progress=False)


@case("Compressed files", "features of others where the decoded ones go", ValueError, "not decoded by this", "a.npy")
def _(folder):
    file, path = compressed(folder)
    decompress(file, folder, path, progress=False)


@case("Compressed files", "a lambda below 0, before the folder is touched", ValueError, "finite and at least 0", "-1")
def _(folder):
    _, path = compressed(folder)
    before = {each: each.read_bytes() for each in (folder / "emq").iterdir()}
    try:
        compress(folder / "a.npy", folder / "emq", path, lmbda=-1.0, overwrite=True, progress=False)
    finally:
        assert {each: each.read_bytes() for each in (folder / "emq").iterdir()} == before


@case("Compressed files", "an input that changed since it was compressed", None, "compressed anew")
def _(folder):
    file, path = compressed(folder)
    before = file.read_bytes()
    np.save(folder / "a.npy", np.random.default_rng(1).normal(size=(50, DIM)).astype(np.float32))
    compress(folder / "a.npy", folder / "emq", path, progress=False)
    assert file.read_bytes() != before


@case("Compressed files", "audio without an encoder", ValueError, "name an encoder (--encoder DIRECTORY)", "a.wav")
def _(folder):
    compress(tone(folder / "a.wav"), folder / "out", codec(folder / "c.ckpt"), progress=False)


@case("Compressed files", "linked folders and files of other kinds among inputs", None, "left out, with a warning")
def _(folder):
    (folder / "in").mkdir()
    (folder / "elsewhere").mkdir()
    np.save(folder / "in" / "a.npy", np.ones((3, DIM), np.float32))
    np.save(folder / "elsewhere" / "b.npy", np.ones((3, DIM), np.float32))
    (folder / "in" / "link").symlink_to(folder / "elsewhere")
    (folder / "in" / "gone.npy").symlink_to(folder / "nowhere.npy")
    for name in ("c.npz", "d.pt", "e.m4a", "notes.txt"):
        (folder / "in" / name).write_bytes(b"x")
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger("emoquant.storage.files").addHandler(handler)
    try:
        assert [source.path.name for source in find_sources(folder / "in")] == ["a.npy"]
    finally:
        logging.getLogger("emoquant.storage.files").removeHandler(handler)
    assert said[0].endswith(": c.npz, d.pt, e.m4a, gone.npy, link"), said
