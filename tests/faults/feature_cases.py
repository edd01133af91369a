"""The feature store and extraction into it."""

import json
import os

from bad_world import LINES, QUIET, extracted, manifest
from cases import case
from fake.encoder import FakeEncoder

from emoquant.audio.loading import AudioError
from emoquant.data.extraction import extract, open_store
from emoquant.data.store import DamagedEntryError


@case("Features", "one broken file among good ones", AudioError, "1 of 3 utterances cannot be used", "b.wav")
def _(folder):
    corpus = manifest(folder, LINES + "b.wav,happy,x,train\nsub/c.wav,sad,y,test\n")
    utterances = corpus.utterances()
    (folder / "corpus" / "b.wav").write_bytes(b"")
    encoder = FakeEncoder()
    store = open_store(encoder, folder / "cache")
    try:
        extract(utterances, encoder, store, settings=QUIET)
    finally:
        store.refresh()
        assert len(store.index) == 2, "the others are stored"


@case("Features", "a corpus that vanished", FileNotFoundError, "is the corpus folder still there?", "a.wav")
def _(folder):
    corpus, encoder, store = extracted(folder)
    utterances = corpus.utterances()
    (folder / "corpus").rename(folder / "moved")
    extract(utterances, encoder, store, settings=QUIET)


@case("Features", "a cache of another encoder", ValueError, "choose another cache folder, or delete this one", "store")
def _(folder):
    _, _, store = extracted(folder)
    path = store.folder / "store.json"
    path.write_text(path.read_text().replace(store.fingerprint, "0" * 64))
    open_store(FakeEncoder(), folder / "cache")


@case("Features", "a cache of a newer format", ValueError, "choose another cache folder, or delete this one", "store")
def _(folder):
    _, _, store = extracted(folder)
    path = store.folder / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    open_store(FakeEncoder(), folder / "cache")


@case("Features", "a cache whose description is cut off", ValueError, "delete this file if the folder", "store.json")
def _(folder):
    _, _, store = extracted(folder)
    (store.folder / "store.json").write_text('{"fingerprint": "ab')
    open_store(FakeEncoder(), folder / "cache")


@case("Features", "a shard that was cut off", None, "its entries are computed again")
def _(folder):
    corpus, encoder, store = extracted(folder)
    (shard,) = (store.folder / "shards").iterdir()
    shard.write_bytes(shard.read_bytes()[:-40])
    again = open_store(encoder, folder / "cache")
    assert extract(corpus.utterances(), encoder, again, settings=QUIET) == 1


@case("Features", "a flipped bit in a shard", DamagedEntryError, "run the same command again", "safetensors")
def _(folder):
    corpus, encoder, store = extracted(folder)
    (shard,) = (store.folder / "shards").iterdir()
    found, data = shard.stat(), bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    os.utime(shard, ns=(found.st_atime_ns, found.st_mtime_ns))
    again = open_store(encoder, folder / "cache")
    try:
        for row in again.index.rows_of():
            again.read(row)
    finally:
        assert extract(corpus.utterances(), encoder, open_store(encoder, folder / "cache"), settings=QUIET) == 1


@case("Features", "half a line at the end of a killed run's journal", None, "ignored; what it named is computed again")
def _(folder):
    corpus, encoder, store = extracted(folder)
    manifest = store.folder / "manifest.jsonl"
    (store.folder / "journal-00000-deadbeef.jsonl").write_bytes(manifest.read_bytes()[:-20])
    manifest.unlink()
    again = open_store(encoder, folder / "cache")
    assert extract(corpus.utterances(), encoder, again, settings=QUIET) == 3


@case("Features", "a half-written shard that a killed run left", None, "removed when the next run ends")
def _(folder):
    _, _, store = extracted(folder)
    left = store.folder / "shards" / ".00000-deadbeef-00001.safetensors.77-0a.tmp"
    left.write_bytes(b"half")
    (store.folder / "journal-00000-deadbeef.jsonl").write_bytes(b"")
    store.merge()
    assert not left.exists()


@case("Features", "a feature that is NaN", ValueError, "check the encoder's weights", "a feature is NaN")
def _(folder):
    encoder = FakeEncoder()
    encoder.weight.fill_(float("nan"))
    extracted(folder, encoder)
