"""Formats of features: given by the user, compressed, and kept in caches."""

import contextlib
from functools import cache

import numpy as np
import torch
from bad_world import DIM, codec, extracted
from fake.encoder import FakeEncoder
from format_table import reads
from safetensors.torch import save_file

from emoquant.audio_codecs import Clip, TokenFolder
from emoquant.commands.compress import compress
from emoquant.commands.contents import contents
from emoquant.commands.decompress import decompress
from emoquant.commands.sources import find_sources, read_features
from emoquant.data.base import Utterance
from emoquant.data.extraction import open_store
from emoquant.data.store import DamagedEntryError
from emoquant.devices.sharding import Share
from emoquant.tasks.partial import PartialSums
from emoquant.voice.data.aligners import Aligner
from emoquant.voice.data.cache import ItemCache
from emoquant.voice.data.items import Analysis, VoiceItem


@reads("features (.npy)", "binary", lambda path: read_features(find_sources(path), None))
def _(folder):
    np.save(folder / "a.npy", np.ones((5, 4), np.float32))
    return folder / "a.npy"


@reads("features (.safetensors)", "binary", lambda path: read_features(find_sources(path), None))
def _(folder):
    save_file({"u1": torch.ones(5, 4)}, folder / "a.safetensors")
    return folder / "a.safetensors"


def packed(folder, name):
    np.save(folder / "a.npy", np.random.default_rng(0).normal(size=(5, DIM)).astype(np.float32))
    compress(folder / "a.npy", folder / name, codec(folder / "c.ckpt"), progress=False)
    return folder / name


def unpack(path):
    decompress(path, path.parent / "back", path.parent / "c.ckpt", overwrite=True, progress=False)


@reads("compressed features (.emq)", "binary", unpack)
def _(folder):
    return (packed(folder, "out") / "a.emq").rename(folder / "a.emq")


@reads("archive of compressed features (.emq)", "binary", unpack)
def _(folder):
    return packed(folder, "all.emq")


@reads("list of an archive (.emq)", "binary", contents)
def _(folder):
    return packed(folder, "all.emq")


@reads(
    "settings.json of compressed files",
    "cache",
    lambda path: compress(path.parents[1] / "a.npy", path.parent, path.parents[1] / "c.ckpt", progress=False),
)
def _(folder):
    return packed(folder, "out") / "settings.json"


def read_store(folder):
    """Read a feature store; what it finds damaged it makes again, or strikes out and says so."""
    before = set(folder.rglob("journal-*"))
    store = open_store(FakeEncoder(), folder)
    for row in store.index.rows_of():
        with contextlib.suppress(DamagedEntryError):
            store.read(int(row))
    for path in set(folder.rglob("journal-*")) - before:  # of what was struck out
        path.unlink()


@reads("store.json of a feature cache", "json", lambda path: read_store(path.parents[2]))
def _(folder):
    return next((extracted(folder)[2].folder).glob("store.json"))


@reads("manifest of a feature cache", "cache", lambda path: read_store(path.parents[2]))
def _(folder):
    return extracted(folder)[2].folder / "manifest.jsonl"


@reads("journal of a feature cache", "cache", lambda path: read_store(path.parents[2]))
def _(folder):
    place = extracted(folder)[2].folder
    return (place / "manifest.jsonl").rename(place / "journal-00000-01234567.jsonl")


@reads("binary manifest of a feature cache", "cache", lambda path: read_store(path.parents[2]))
def _(folder):
    store = extracted(folder)[2]
    found = (store.folder / "manifest.jsonl").stat()
    with (store.folder / "manifest.npz").open("wb") as file:
        store.index.save(file, (found.st_size, found.st_mtime_ns))
    return store.folder / "manifest.npz"


@reads("shard of a feature cache", "cache", lambda path: read_store(path.parents[3]))
def _(folder):
    return next((extracted(folder)[2].folder / "shards").glob("*.safetensors"))


class Given(Aligner):
    front_end = "given"

    def align(self, utterance, waveform):
        raise NotImplementedError


@cache
def items(folder):
    return ItemCache(folder, Given(), Analysis())


def utterance(folder):
    return Utterance("a", folder / "a.wav", "sad", "x", "train", "a")


@reads("item of a voice's cache (.npz)", "cache", lambda path: items(path.parents[2]).read(utterance(path.parents[2])))
def _(folder):
    (folder / "a.wav").write_bytes(b"")
    whole = np.ones(3, np.int64)
    item = VoiceItem(["a", "b", "c"], whole, whole, np.ones((3, 8), np.float16), np.ones(3, np.float32), whole > 0)
    cache, path = items(folder), items(folder).path(utterance(folder))
    cache._write(path, item, cache._stamp(utterance(folder)))
    return path


def sums(folder):
    return PartialSums(folder, "ab", Share(0, 1), 0.0)


@reads("sums of a sweep that was broken off", "archive", lambda path: sums(path.parent).begun())
def _(folder):
    torch.save({"batches": 3, "states": {"a": torch.ones(2)}}, folder / "ab-0-of-1.begun")
    return folder / "ab-0-of-1.begun"


@reads("sums of a share of a sweep", "archive", lambda path: sums(path.parent).finished())
def _(folder):
    torch.save({"a": torch.ones(2)}, folder / "ab-0-of-1.done")
    return folder / "ab-0-of-1.done"


def tokens(path):
    clip = Clip("a", path.with_name("a.wav"), torch.zeros(3200))
    return TokenFolder(str(path.parent), 9, 25).tokens([clip])


@reads("tokens (.npy)", "binary", tokens)
def _(folder):
    np.save(folder / "a.npy", np.arange(5))
    return folder / "a.npy"


@reads("tokens (.txt)", "text", tokens)
def _(folder):
    (folder / "a.txt").write_text("1\n2\n3\n4\n5\n")
    return folder / "a.txt"


@reads("tokens (.jsonl)", "text", tokens)
def _(folder):
    (folder / "all.jsonl").write_text('{"key": "a", "code": [1, 2, 3, 4, 5]}\n')
    return folder / "all.jsonl"
