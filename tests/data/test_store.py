import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emoquant.data.index import Part, Source, entry_key, source_hash
from emoquant.data.store import DamagedEntryError, FeatureStore
from emoquant.data.writer import ShardWriter


def key(number: int) -> bytes:
    return entry_key(bytes(16), float(number + 1), None)


def features(number: int, dim: int = 4) -> torch.Tensor:
    return torch.randn(3 + number % 5, dim, generator=torch.Generator().manual_seed(number))


def part(number: int) -> Part:
    return Part(f"u{number}", f"/audio/{number}.wav", 0.0, None)


def fill(store: FeatureStore, numbers, shard_bytes: int = 200, rank: int = 0) -> None:
    with ShardWriter(store, rank, shard_bytes) as writer:
        for number in numbers:
            writer.add(key(number), features(number, store.dim), part(number))
    store.refresh()


def stored(store: FeatureStore, numbers) -> list[bool]:
    return [row >= 0 for row in store.rows(b"".join(key(number) for number in numbers))]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", "abc", 4)


def test_what_is_written_is_read(store):
    fill(store, range(20))
    rows = store.rows(b"".join(key(number) for number in range(20)))
    assert (rows >= 0).all()
    assert store.frames(rows).tolist() == [3 + number % 5 for number in range(20)]
    for number, row in enumerate(rows):
        assert torch.equal(store.read(row), features(number))
    assert store.rows(key(99)).tolist() == [-1]
    assert len(store.index) == 20


def test_shards_are_plain_safetensors_and_the_manifest_tells_what_they_hold(store):
    fill(store, range(6), shard_bytes=10**6)
    store.merge()
    (shard,) = (store.folder / "shards").iterdir()
    tensors = load_file(shard)
    assert torch.equal(tensors[key(3).hex()], features(3))
    (line,) = (store.folder / "manifest.jsonl").read_text().splitlines()
    assert [entry[4] for entry in json.loads(line)["entries"]] == [f"u{number}" for number in range(6)]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_precision(tmp_path, precision):
    store = FeatureStore(tmp_path, "abc", 4, precision)
    fill(store, range(10))
    row = int(store.rows(key(7))[0])
    read = store.read(row)
    assert read.dtype == torch.float32
    error = ((read - features(7)).abs() / features(7).abs()).max()
    assert error == 0 if precision == "float32" else 0 < error <= 2**-11


def test_a_value_that_the_format_cannot_hold_is_an_error(tmp_path):
    store = FeatureStore(tmp_path, "abc", 4, "float16")
    with ShardWriter(store) as writer:
        for value in (1e6, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="u1: a feature is NaN, infinite or beyond float16"):
                writer.add(key(1), torch.full((2, 4), value), part(1))
        for shape in [(0, 4), (2, 5), (4,)]:
            with pytest.raises(ValueError, match=r"u1: features of shape .*expected \(1 or more, 4\)"):
                writer.add(key(1), torch.zeros(shape), part(1))


def test_appending_and_merging_lose_nothing(store):
    fill(store, range(5))
    fill(store, range(5, 9), rank=1)
    store.merge()
    fill(store, range(9, 12))
    store.merge()
    assert not list(store.folder.glob("journal-*"))
    assert all(stored(FeatureStore(store.folder, "abc", 4), range(12)))


def test_a_journal_in_use_is_left_to_its_writer(store):
    fill(store, range(3))
    with ShardWriter(store, 0, 1) as writer:
        writer.add(key(3), features(3), part(3))
        other = FeatureStore(store.folder, "abc", 4)
        other.merge()
        assert len(list(store.folder.glob("journal-*"))) == 1
        assert stored(other, [3]) == [True]
        writer.add(key(4), features(4), part(4))
    other.merge()
    other.refresh()
    assert all(stored(other, range(5)))
    assert not list(store.folder.glob("journal-*"))


def test_entries_that_two_ranks_wrote_count_once(store):
    fill(store, range(4))
    fill(store, range(4), rank=1)
    assert len(store.index) == 4
    assert torch.equal(store.read(int(store.rows(key(2))[0])), features(2))


def test_a_half_written_line_is_ignored(store):
    fill(store, range(3))
    store.merge()
    fill(store, range(3, 6), shard_bytes=10**6)
    (journal,) = store.folder.glob("journal-*")
    journal.write_bytes(journal.read_bytes()[:-20])
    again = FeatureStore(store.folder, "abc", 4)
    assert stored(again, range(6)) == [True] * 3 + [False] * 3
    again.merge()
    fill(again, range(3, 6))
    assert all(stored(again, range(6)))


def test_a_damaged_line_of_the_manifest_is_reported_and_forgotten(store):
    fill(store, range(4), shard_bytes=1)
    store.merge()
    manifest = store.folder / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join([lines[0], b"{garbage\n", *lines[2:]]))
    with pytest.warns(UserWarning, match="manifest is damaged"):
        again = FeatureStore(store.folder, "abc", 4)
    assert stored(again, range(4)) == [True, False, True, True]


def flip(path, position, keep_time):
    found = path.stat()
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(bytes(data))
    if keep_time:
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_a_damaged_shard_is_noticed_at_the_next_start(store):
    fill(store, range(4), shard_bytes=10**6)
    (shard,) = (store.folder / "shards").iterdir()
    flip(shard, -1, keep_time=False)  # the last tensor's bytes
    again = FeatureStore(store.folder, "abc", 4)
    assert sum(stored(again, range(4))) == 3
    lost = stored(again, range(4)).index(False)
    third = FeatureStore(store.folder, "abc", 4)
    assert stored(third, [lost]) == [False]
    fill(third, [lost])
    third.merge()
    final = FeatureStore(store.folder, "abc", 4)
    assert all(stored(final, range(4)))
    assert torch.equal(final.read(int(final.rows(key(lost))[0])), features(lost))


def test_silent_damage_is_noticed_when_it_is_read_and_struck_out(store):
    fill(store, range(4), shard_bytes=10**6)
    (shard,) = (store.folder / "shards").iterdir()
    flip(shard, -1, keep_time=True)
    again = FeatureStore(store.folder, "abc", 4)
    assert all(stored(again, range(4)))
    damaged = []
    for number in range(4):
        row = int(again.rows(key(number))[0])
        try:
            again.read(row)
        except DamagedEntryError:
            damaged.append(number)
    assert len(damaged) == 1
    assert stored(FeatureStore(store.folder, "abc", 4), damaged) == [False]


def test_verify_reads_everything(store):
    fill(store, range(4), shard_bytes=10**6)
    (shard,) = (store.folder / "shards").iterdir()
    flip(shard, -1, keep_time=True)
    again = FeatureStore(store.folder, "abc", 4)
    assert again.verify() == 1
    assert again.verify() == 0
    assert len(FeatureStore(store.folder, "abc", 4).index) == 3


def test_a_truncated_and_a_missing_shard(store):
    fill(store, range(4), shard_bytes=1)
    shards = sorted((store.folder / "shards").iterdir())
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:-8])
    assert sum(stored(FeatureStore(store.folder, "abc", 4), range(4))) == 2


def test_touching_a_shard_loses_nothing(store):
    fill(store, range(4))
    for shard in (store.folder / "shards").iterdir():
        os.utime(shard, ns=(1, 1))
    assert all(stored(FeatureStore(store.folder, "abc", 4), range(4)))


def test_a_failed_write_leaves_nothing_behind(store, monkeypatch):
    fill(store, range(2))
    before = sorted(path.name for path in store.folder.rglob("*"))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    writer = ShardWriter(store, 0, 1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        writer.add(key(5), features(5), part(5))
    monkeypatch.undo()
    after = {path.name for path in store.folder.rglob("*")} - set(before)
    assert all(name.startswith("journal-") for name in after)
    assert all(stored(FeatureStore(store.folder, "abc", 4), range(2)))


def test_a_store_of_another_encoder_is_refused(store):
    for other in [("xyz", 4, "float32"), ("abc", 5, "float32"), ("abc", 4, "float16")]:
        with pytest.raises(ValueError, match="choose another cache folder"):
            FeatureStore(store.folder, *other)


def test_copies_in_workers_open_their_own_files(store):
    fill(store, range(4))
    row = int(store.rows(key(1))[0])
    expected = store.read(row)
    copy = pickle.loads(pickle.dumps(store))
    store.close()
    assert torch.equal(copy.read(row), expected)
    assert torch.equal(store.read(row), expected)


def test_contents_of_audio_files_are_remembered_by_state(store):
    digest = bytes(range(16))
    with ShardWriter(store) as writer:
        writer.note_source(Source("/a.wav", 10, 20, digest.hex(), source_hash("/a.wav", 10, 20)))
    store.refresh()
    known, digests = store.index.digests([source_hash("/a.wav", 10, 20), source_hash("/a.wav", 10, 21)])
    assert known.tolist() == [True, False]
    assert digests[0].tobytes() == digest


def test_keys_tell_content_and_cut_apart():
    keys = {
        entry_key(bytes(16), 0.0, None),
        entry_key(bytes(15) + b"1", 0.0, None),
        entry_key(bytes(16), 0.1, None),
        entry_key(bytes(16), 0.0, 1.0),
        entry_key(bytes(16), 0.0, None, 8_000),
    }
    assert len(keys) == 5


def test_many_keys_are_found(store):
    fill(store, range(300), shard_bytes=3000)
    order = np.random.default_rng(0).permutation(300)
    rows = store.rows(b"".join(key(int(number)) for number in order))
    assert sorted(rows) == list(range(300))
    for number, row in zip(order[:20], rows, strict=False):
        assert torch.equal(store.read(row), features(int(number)))


def test_a_long_manifest_is_read_from_its_copy(store, monkeypatch):
    monkeypatch.setattr("emoquant.data.index._LONG_MANIFEST", 100)
    fill(store, range(40))
    store.merge()
    store.refresh()
    copy = store.folder / "manifest.npz"
    assert copy.exists()
    fill(store, range(40, 50))  # a journal beside it
    again = FeatureStore(store.folder, "abc", 4)
    assert all(stored(again, range(50)))
    assert torch.equal(again.read(int(again.rows(key(45))[0])), features(45))
    assert torch.equal(again.read(int(again.rows(key(5))[0])), features(5))
    again.merge()  # the copy is old now
    assert all(stored(FeatureStore(store.folder, "abc", 4), range(50)))
    copy.write_bytes(copy.read_bytes()[:-30])
    with pytest.warns(UserWarning, match="damaged and made again"):
        assert all(stored(FeatureStore(store.folder, "abc", 4), range(50)))
    assert all(stored(FeatureStore(store.folder, "abc", 4), range(50)))


def test_damage_beside_a_copy_is_noticed(store, monkeypatch):
    monkeypatch.setattr("emoquant.data.index._LONG_MANIFEST", 100)
    fill(store, range(6), shard_bytes=1)
    store.merge()
    store.refresh()
    flip(sorted((store.folder / "shards").iterdir())[2], -1, keep_time=False)
    for _ in range(2):
        assert sum(stored(FeatureStore(store.folder, "abc", 4), range(6))) == 5
