"""An error of any process, the first included, ends all of them soon and is the error that they show."""

import time

import pytest
from failing_rank import work
from forked import start
from test_ddp import free_port

from emoquant.devices.ranks import RankError, any_rank, from_first, require_plain_strategy, together

CASES = [(0, "fit"), pytest.param(1, "fit", marks=pytest.mark.slow), pytest.param(0, "test", marks=pytest.mark.slow),
         pytest.param(1, "test", marks=pytest.mark.slow), pytest.param(0, "predict", marks=pytest.mark.slow),
         pytest.param(1, "predict", marks=pytest.mark.slow)]  # fmt: skip


@pytest.mark.parametrize(("failing", "stage"), CASES)
def test_all_end_with_the_error_of_one(failing, stage, tmp_path):
    port, logs = free_port(), [tmp_path / f"{rank}.log" for rank in range(2)]
    runs = [start(log, work, rank, failing, stage, tmp_path, port) for rank, log in enumerate(logs)]
    runs[failing].join(300)
    failed = time.monotonic()
    runs[1 - failing].join(60)
    assert time.monotonic() - failed < 60
    for run, log in zip(runs, logs, strict=True):
        assert run.exitcode not in (None, 0)
        assert "planted in the step" in log.read_text(), log
    assert f"rank {failing}: ValueError" in logs[1 - failing].read_text()


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
