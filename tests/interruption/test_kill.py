"""The real commands, killed with SIGKILL at a random time and given again, end like unbroken ones (minutes)."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from commands import (
    CORPUS,
    ROOT,
    TWO,
    assert_same,
    checkpoints,
    children,
    finish,
    kill_after,
    newest,
    start,
    training,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(folder):
    """The folder with a training that nobody broke off."""
    finish(start(folder, *training("codec")))
    return folder


def test_a_training(trained):
    kills = 0
    for count in (1, 2, 3):
        run = start(trained, *training("broken"))
        kills += kill_after(run, lambda least=count: len(checkpoints(trained, "broken")) >= least, 3)
    finish(start(trained, *training("broken")))
    assert kills > 0
    assert_same(newest(trained, "codec"), newest(trained, "broken"))


def test_a_training_of_two_processes(folder):
    finish(start(folder, *training("two", *TWO)))
    kills = 0
    for count, number in enumerate((signal.SIGKILL, signal.SIGTERM), 1):
        run = start(folder, *training("two-broken", *TWO))
        kills += kill_after(run, lambda least=count: len(checkpoints(folder, "two-broken")) >= least, 2, number)
    finish(start(folder, *training("two-broken", *TWO)))
    assert kills > 0
    assert_same(newest(folder, "two"), newest(folder, "two-broken"))


def test_a_training_ends_with_an_error_when_one_of_its_processes_is_gone(folder):
    run = start(folder, *training("alone", *TWO))
    wait_until(lambda: checkpoints(folder, "alone"), run)
    (other,) = [pid for pid in children(run) if "train.py" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(other, signal.SIGKILL)
    assert run.wait(timeout=300) != 0, "it does not wait forever"


def test_a_sweep(trained):
    def sweep(name):
        words = [ROOT / "eval.py", "test", f"--config={ROOT / 'configs/eval/lambda_sweep.yaml'}", *CORPUS]
        words += ["--model.init_args.save_seconds=1e-6", "--data.init_args.frames_per_batch=400"]
        return start(trained, *words, f"--trainer.logger.init_args.name={name}")

    finish(sweep("swept"))
    kill_after(sweep("cut"), lambda: any((trained / "runs/cut/sums").glob("*.begun")), 0.5)
    finish(sweep("cut"))
    results = [next((trained / "runs" / name).glob("version_*/results.csv")) for name in ("swept", "cut")]
    assert results[0].read_bytes() == results[1].read_bytes()


def test_synthesis(trained, tmp_path):
    words = [ROOT / "eval.py", "predict", f"--config={ROOT / 'configs/listen/lambda.yaml'}", *CORPUS]
    words += ["--data.init_args.frames_per_batch=300", "--model.init_args.speakers=[en-us]"]
    words += ["--model.init_args.conditions=[A]"]
    for name in ("whole", "cut"):
        place = tmp_path / name
        (place / "runs").mkdir(parents=True)
        for link in ("checkpoints", ".cache"):
            (place / link).symlink_to((trained / link).resolve())
        shutil.copytree(trained / "runs" / "codec", place / "runs" / "codec")
    listen = "runs/listen/lambda"
    finish(start(tmp_path / "whole", *words))
    kills = 0
    for lines in (1, 40):

        def written(least=lines):
            journals = (tmp_path / "cut" / listen).glob("journal-*.jsonl")
            return sum(len(path.read_bytes().splitlines()) for path in journals) >= least

        kills += kill_after(start(tmp_path / "cut", *words), written, 0.3)
    finish(start(tmp_path / "cut", *words))
    assert kills > 0
    files = {
        name: {
            path.relative_to(tmp_path / name): path.read_bytes()
            for pattern in ("clips/*.wav", "*.csv")
            for path in (tmp_path / name / listen).glob(pattern)
        }
        for name in ("whole", "cut")
    }
    assert len(files["whole"]) > 80
    assert files["cut"] == files["whole"]
