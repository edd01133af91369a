"""Disks that are full or read-only."""

import contextlib
import errno
import os
import resource
import signal
from pathlib import Path

import numpy as np
import torch
from bad_world import DIM, LINES, QUIET, codec, extracted, manifest
from cases import case
from fake.encoder import FakeEncoder

from emoquant.commands.compress import compress
from emoquant.data.extraction import extract, open_store
from emoquant.data.module import EmotionDataModule


@contextlib.contextmanager
def full_disk(size: int):
    """Let no file grow beyond a size, as on a disk with a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


REMEDY = "free space, or choose a folder that can be written"


@case("Disks", "a disk that is full while a codec is saved", OSError, REMEDY, "c.ckpt")
def _(folder):
    before = codec(folder / "c.ckpt").read_bytes()
    try:
        with full_disk(2000):
            codec(folder / "c.ckpt")
    finally:
        assert (folder / "c.ckpt").read_bytes() == before, "what was there is as it was"
        assert len(list(folder.iterdir())) == 1


@case("Disks", "a disk that is full while a training saves its checkpoint", OSError, REMEDY, "last.ckpt")
def _(folder):
    from emoquant.callbacks import WholeCheckpoints

    saver, path = WholeCheckpoints(), folder / "run" / "last.ckpt"
    saver.save_checkpoint({"step": 1, "weight": torch.zeros(1000)}, path)
    try:
        with full_disk(2000):
            saver.save_checkpoint({"step": 2, "weight": torch.zeros(1000)}, path)
    finally:
        assert torch.load(path, weights_only=True)["step"] == 1
        assert len(list((folder / "run").iterdir())) == 1


@case("Disks", "a disk that is full while features are extracted", OSError, REMEDY, "safetensors")
def _(folder):
    utterances = manifest(folder, LINES + "b.wav,happy,x,train\nsub/c.wav,sad,y,test\n").utterances()
    encoder = FakeEncoder()
    store = open_store(encoder, folder / "cache")
    try:
        with full_disk(1000):
            extract(utterances, encoder, store, settings=QUIET)
    finally:
        assert extract(utterances, encoder, open_store(encoder, folder / "cache"), settings=QUIET) == 3, "once more"


@case("Disks", "a disk that is full while files are compressed", OSError, REMEDY, "b.emq")
def _(folder):
    (folder / "in").mkdir()
    for name, frames in {"a": 5, "b": 600}.items():
        np.save(folder / "in" / f"{name}.npy", np.random.default_rng(0).normal(size=(frames, DIM)).astype(np.float32))
    path = codec(folder / "c.ckpt")
    options = {"lmbda": 0.0, "utterances": 1, "progress": False}
    try:
        with full_disk(600):
            compress(folder / "in", folder / "out", path, **options)
    finally:
        assert [each.name for each in (folder / "out").glob("*.emq")] == ["a.emq"]
        before = (folder / "out" / "a.emq").stat()
        compress(folder / "in", folder / "out", path, **options)
        assert (folder / "out" / "a.emq").stat() == before, "what was done is not done again"


class ReadOnly:
    """Makes writing fail as on a file system that is mounted read-only (a test may run as root)."""

    def __enter__(self):
        self.kept = Path.open, Path.write_bytes

        def refuse(path, mode="r", *rest, **options):
            if set(mode) & set("wax+"):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return self.kept[0](path, mode, *rest, **options)

        Path.open = refuse

    def __exit__(self, *_):
        Path.open, Path.write_bytes = self.kept


@case("Disks", "an output folder that cannot be written", OSError, "Read-only file system", "emq")
def _(folder):
    np.save(folder / "a.npy", np.ones((4, DIM), np.float32))
    path = codec(folder / "c.ckpt")
    with ReadOnly():
        compress(folder / "a.npy", folder / "emq", path, progress=False)


@case("Disks", "a feature cache that was copied (other times of change) and cannot be written", None, "read as it is")
def _(folder):
    corpus, encoder, _ = extracted(folder)
    for path in sorted((folder / "cache").rglob("*")):
        os.utime(path, (1, 1))
    with ReadOnly():
        data = EmotionDataModule(corpus, encoder, ["sad", "happy"], str(folder / "cache"))
        data.setup()
        assert int(next(iter(data.train_dataloader())).lengths.sum()) > 0


@case("Disks", "a feature cache that cannot be written, and is whole", None, "read as it is")
def _(folder):
    corpus, _, _ = extracted(folder)
    with ReadOnly():
        data = EmotionDataModule(corpus, FakeEncoder(), ["sad", "happy"], str(folder / "cache"))
        data.setup()
        assert int(next(iter(data.train_dataloader())).lengths.sum()) > 0
