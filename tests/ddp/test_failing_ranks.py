"""An error of any process, the first included, ends all of them soon and is the error that they show."""

import time

import pytest
from failing_rank import work
from fake.corpora import fake_manifest
from forked import as_rank, start
from test_ddp import free_port
from torch import distributed

from emoquant.devices.ranks import RankError, any_rank, from_first, require_plain_strategy, together

STAGES = ("fit", "test", "predict", "extract")
CASES = [(0, "fit"), (1, "extract"), (0, "prepare")]  # the others are slow
CASES += [pytest.param(rank, stage, marks=pytest.mark.slow) for stage in STAGES for rank in range(2)
          if (rank, stage) not in CASES]  # fmt: skip
ERRORS = {"extract": "OSError", "prepare": "FileNotFoundError"}


@pytest.mark.parametrize(("failing", "stage"), CASES)
def test_all_end_with_the_error_of_one(failing, stage, tmp_path):
    if stage in ERRORS:
        fake_manifest(tmp_path / "corpus", speakers=3, texts=2)
    port, logs = free_port(), [tmp_path / f"{rank}.log" for rank in range(2)]
    runs = [start(log, work, rank, failing, stage, tmp_path, port) for rank, log in enumerate(logs)]
    runs[failing].join(300)
    failed = time.monotonic()
    runs[1 - failing].join(60)
    assert time.monotonic() - failed < 60
    for run, log in zip(runs, logs, strict=True):
        assert run.exitcode not in (None, 0)
        assert "planted in the step" in log.read_text(), log
    assert f"rank {failing}: {ERRORS.get(stage, 'ValueError')}" in logs[1 - failing].read_text()


def complain(rank, folder, port):
    as_rank(rank, 2, port)
    distributed.init_process_group("gloo", rank=rank, world_size=2)

    def work():
        if rank == 1:
            raise KeyError("this cannot be used")
        time.sleep(1.0)
        (folder / "done").touch()

    try:
        together(work, KeyError)
    except (KeyError, RankError) as error:
        (folder / f"{rank}.txt").write_text(f"{type(error).__name__} {error}")


def test_a_complaint_waits_for_the_work_of_the_others(tmp_path):
    port = free_port()
    runs = [start(tmp_path / f"{rank}.log", complain, rank, tmp_path, port) for rank in range(2)]
    for run in runs:
        run.join(300)
    assert (tmp_path / "done").exists()
    told = "KeyError: 'this cannot be used'"
    assert (tmp_path / "0.txt").read_text() == f"RankError rank 1: {told}"
    assert (tmp_path / "1.txt").read_text() == "KeyError 'this cannot be used'"


def test_one_process_needs_nobody():
    assert from_first(lambda: 3) == together(lambda: 3) == 3
    assert any_rank(True)
    with pytest.raises(KeyError):
        together(lambda: {}["missing"])
    assert issubclass(RankError, RuntimeError)


def test_strategies_that_divide_a_model_are_refused():
    kinds = {name: type(name, (), {}) for name in ("SingleDeviceStrategy", "DDPStrategy", "FSDPStrategy")}
    kinds["DeepSpeedStrategy"] = type("DeepSpeedStrategy", (kinds["DDPStrategy"],), {})
    for name in ("SingleDeviceStrategy", "DDPStrategy"):
        require_plain_strategy(kinds[name]())
    for name in ("FSDPStrategy", "DeepSpeedStrategy"):
        with pytest.raises(ValueError, match=f"{name} divides a model.*--trainer.strategy ddp"):
            require_plain_strategy(kinds[name]())
