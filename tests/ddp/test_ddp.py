"""Two processes with gloo on CPU do what one does: codebooks, epochs, evaluation, going on after an interruption."""

import socket

import pytest
import torch
from fake.corpora import fake_manifest
from fake.encoder import FakeEncoder
from forked import start
from ranks import work

from emoquant.data.extraction import ExtractionSettings, extract, open_store
from emoquant.data.manifest import ManifestCorpus

WORLD = 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What one process saw, and what each of two."""
    folder = tmp_path_factory.mktemp("ddp")
    manifest = fake_manifest(folder / "corpus", speakers=5, texts=3)
    manifest.rename(folder / "corpus" / "manifest.csv")
    corpus, encoder = ManifestCorpus(str(folder / "corpus" / "manifest.csv")), FakeEncoder()
    store = open_store(encoder, folder / "cache")
    extract(corpus.utterances(), encoder, store, settings=ExtractionSettings(progress=False))
    store.merge()
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 12, 14, 12, generator=generator).cumsum(2)
    lengths = torch.randint(2, 15, (50, 12), generator=generator)
    lengths[:, 6:] = lengths[:, 6:].div(3, rounding_mode="floor").clamp_min(1)  # processes have different numbers
    torch.save((features, lengths), folder / "batches.pt")
    port = free_port()
    runs = [start(folder / f"{rank}.log", work, rank, WORLD, folder, port) for rank in range(WORLD)]
    work(0, 1, folder)
    for rank, run in enumerate(runs):
        run.join(900)
        assert run.exitcode == 0, (folder / f"{rank}.log").read_text()[-3000:]
    load = {"weights_only": True}
    return torch.load(folder / "1-0.pt", **load), [torch.load(folder / f"2-{rank}.pt", **load) for rank in range(WORLD)]


def test_codebooks_agree_after_fifty_steps(seen):
    one, many = seen[0]["codebooks"], [each["codebooks"] for each in seen[1]]
    assert one["revived"] > 0
    for name, value in one["state"].items():
        assert torch.equal(many[0]["state"][name], many[1]["state"][name]), f"{name} differs over the processes"
        torch.testing.assert_close(many[0]["state"][name], value, rtol=1e-4, atol=1e-4, msg=name)
    assert [each["revived"] for each in many] == [one["revived"]] * WORLD
    torch.testing.assert_close(many[0]["usage"], one["usage"], rtol=1e-4, atol=1e-4)


def test_an_epoch_loses_and_repeats_nothing(seen):
    alone, together = seen[0]["trained"], [batch for each in seen[1] for batch in each["trained"]]
    for epoch in (0, 1):
        rows = [row for number, batch in together if number == epoch for row in batch]
        assert sorted(rows) == sorted(row for number, batch in alone if number == epoch for row in batch)
        assert len(rows) == len(set(rows)) > 10
    assert len(seen[1][0]["trained"]) == len(seen[1][1]["trained"]), "equally many batches"


def test_an_evaluation_counts_every_utterance_once(seen):
    alone, together = seen[0]["tested"], [row for each in seen[1] for row in each["tested"]]
    assert sorted(together) == sorted(alone) == list(range(len(alone)))
    assert len(alone) % WORLD, "a remainder is what this is about"
    rows = {row[6] for row in seen[0]["rows"] if row[4] == "accuracy"}
    for each in seen[1]:
        assert {row[6] for row in each["rows"] if row[4] == "accuracy"} == rows == {len(alone)}


def test_an_evaluation_compares_with_the_training_utterances_of_all_processes(seen):
    def compared(found):
        rows = [row for row in found["rows"] if row[1] == "none" and row[4].startswith(("similarity_to", "attraction"))]
        return {(*row[:5], row[7]): row[5] for row in rows}

    alone = compared(seen[0])
    assert len(alone) > 5
    for each in seen[1]:
        assert compared(each) == pytest.approx(alone, nan_ok=True, abs=1e-6)


def test_processes_draw_differently(seen):
    assert not set(seen[1][0]["drawn"]) & set(seen[1][1]["drawn"])
    assert len(set(seen[0]["drawn"])) == len(seen[0]["drawn"])


def test_training_on_two_processes_goes_on_bitwise(seen):
    for each in [seen[0], *seen[1]]:
        assert each["resumed"] == [batch for batch in each["trained"] if batch[0] == 1]
        for name, value in each["state"].items():
            assert torch.equal(each["state of the resumed"][name], value), name
    for name, value in seen[1][0]["state"].items():
        assert torch.equal(seen[1][1]["state"][name], value), f"{name} differs over the processes"
