"""All processes of a run go on from the checkpoint that the first one finds."""

import lightning.pytorch as pl
import pytest
import torch
from forked import start
from last_on_ranks import machine, work
from lightning.pytorch.utilities import rank_zero_only
from test_ddp import free_port

from emoquant.cli.last import _FOUND, agreed


def test_processes_that_meet_take_what_the_first_finds(tmp_path):
    port = free_port()
    runs = [start(tmp_path / f"{rank}.log", work, rank, tmp_path, port) for rank in range(2)]
    for rank, run in enumerate(runs):
        run.join(300)
        assert run.exitcode == 0, (tmp_path / f"{rank}.log").read_text()[-2000:]
    seen = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert [each["found"] for each in seen] == [["of rank 0", None]] * 2
    assert [each["looked"] for each in seen] == [[0], []], "the other one does not look at all"


def test_machines_whose_processes_lightning_starts_take_what_the_first_finds(tmp_path):
    port = free_port()
    runs = [start(tmp_path / f"{number}.log", machine, number, tmp_path, port) for number in (1, 0)]
    for number, run in zip((1, 0), runs, strict=True):
        run.join(300)
        assert run.exitcode == 0, (tmp_path / f"{number}.log").read_text()[-2000:]
    seen = [torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in range(2)]
    assert [each["found"] for each in seen] == [["of machine 0"]] * 2
    assert [each["looked"] for each in seen] == [[0], []]
    assert [each["ranks"] for each in seen] == [2, 2], "the run itself meets at the same address"


def test_machines_without_an_address_are_told_what_to_set(monkeypatch, tmp_path):
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    trainer = pl.Trainer(accelerator="cpu", devices=1, num_nodes=2, logger=False, default_root_dir=tmp_path)
    with pytest.raises(ValueError, match=r"set MASTER_ADDR and MASTER_PORT .* NODE_RANK to 0, 1"):
        agreed(trainer, lambda: None)


@pytest.mark.parametrize("found", ["somewhere/last.ckpt", None])
def test_processes_that_lightning_starts_hear_of_it(monkeypatch, tmp_path, found):
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(_FOUND, "of a run before")
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # a trainer of another rank sets it for the whole process

    def trainer():
        return pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False, default_root_dir=tmp_path)

    assert agreed(trainer(), lambda: found) == found
    monkeypatch.setenv("LOCAL_RANK", "1")  # which Lightning sets in the processes that it starts
    assert agreed(trainer(), lambda: "of another machine's memory") == found


def test_one_process_just_looks(tmp_path):
    trainer = pl.Trainer(accelerator="cpu", devices=1, logger=False, default_root_dir=tmp_path)
    assert agreed(trainer, lambda: "here") == "here"
