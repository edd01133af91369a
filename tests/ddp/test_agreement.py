"""Two processes agree, though sums by atomic additions differ between them as on GPUs."""

import pytest
import torch
from agreeing_ranks import work
from forked import start
from test_ddp import free_port

LIGHT = ["codec", "probe", "vocoder", "classifier", "transform", "utterance"]
TASKS = [*LIGHT, pytest.param("voice", marks=pytest.mark.slow)]


def trained(folder, names):
    """Return what each of two processes has after training tasks."""
    port = free_port()
    runs = [start(folder / f"{rank}.log", work, rank, folder, port, names) for rank in range(2)]
    for rank, run in enumerate(runs):
        run.join(600)
        assert run.exitcode == 0, (folder / f"{rank}.log").read_text()[-3000:]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("agreement"), LIGHT)


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("voices"), ["voice"])


@pytest.fixture
def seen(request):
    """What each of two processes has of the test's task."""
    task = request.getfixturevalue("task")
    return [each[task] for each in request.getfixturevalue("light" if task in LIGHT else task)]


@pytest.mark.parametrize("task", TASKS)
def test_weights_and_buffers_are_equal(seen, task):
    one, other = seen
    assert one["steps"] == other["steps"] > 0
    for name, value in one["state"].items():
        assert torch.equal(value, other["state"][name]), f"{name} differs over the processes"


@pytest.mark.parametrize("task", TASKS)
def test_the_same_collective_calls_are_made(seen, task):
    one, other = (each["calls"] for each in seen)
    assert one == other
    assert task in ("vocoder", "probe", "classifier") or one


def test_codebooks_were_trained_long_enough_to_part_and_codewords_died(light):
    codec = light[0]["codec"]
    assert codec["steps"] >= 50
    assert int(codec["state"]["quantizer.fine.revived"]) > 0
