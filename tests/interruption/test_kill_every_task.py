"""Trainings of every kind, killed with SIGKILL right after each of their checkpoints, end like unbroken ones."""

import multiprocessing
import os
import signal

import pytest
import torch
from commands import ROOT, assert_same
from trainings import CLASSIFIER, CODEC, CORPUS, EPOCHS, GE2E, PROBE, VOCODER, VOICE

from emoquant.callbacks import WholeCheckpoints
from emoquant.cli import run

STEPS = ["--trainer.max_steps=9"]
VALIDATED = ["--trainer.max_steps=9", "--trainer.val_check_interval=2", "--trainer.limit_train_batches=3"]


def work(folder, words):
    """Run a training in a process of its own; return whether it came to its end."""

    def child():
        os.chdir(folder)
        run(["fit", *words, "--ckpt_path=last"])

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(timeout=600)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode == 0


def killed_after_saving(monkeypatch):
    save = WholeCheckpoints.save_checkpoint

    def save_and_die(self, checkpoint, path, *args, **options):
        save(self, checkpoint, path, *args, **options)
        if str(path).endswith("last.ckpt"):
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(WholeCheckpoints, "save_checkpoint", save_and_die)


def newest(folder, name="last"):
    found = sorted(folder.glob(f"runs/*/version_*/checkpoints/{name}.ckpt"), key=lambda path: int(path.parts[-3][8:]))
    return torch.load(found[-1], weights_only=True) if found else None


def assert_unharmed(folder, words, monkeypatch, kills):
    """Assert that a training that is killed after its checkpoints ends like one that is not."""
    for name in ("whole", "cut"):
        (folder / name).mkdir()
        (folder / name / "checkpoints").symlink_to(ROOT / "checkpoints")
    words = [*words, f"{CORPUS}.cache_dir={folder / 'cache'}", f"--data.init_args.cache_dir={folder / 'cache'}"]
    assert work(folder / "whole", words)
    with monkeypatch.context() as patch:
        killed_after_saving(patch)
        for _ in range(kills):
            assert not work(folder / "cut", words)
    assert work(folder / "cut", words)
    whole, cut = newest(folder / "whole"), newest(folder / "cut")
    assert_same(whole, cut)
    if (best := newest(folder / "whole", "best")) is not None:
        assert_same(best, newest(folder / "cut", "best"))
    for one, other in zip(whole["optimizer_states"], cut["optimizer_states"], strict=True):
        for parameter, state in one["state"].items():
            assert all(torch.equal(value, other["state"][parameter][name]) for name, value in state.items())


def test_a_codec(tmp_path, monkeypatch):
    assert_unharmed(tmp_path, CODEC, monkeypatch, 1)


def test_a_voice(tmp_path, monkeypatch):
    assert_unharmed(tmp_path, [*VOICE, *EPOCHS], monkeypatch, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "kills"),
    [
        ([*VOICE, *STEPS], 2), ([*VOICE, *VALIDATED], 2), ([*VOCODER, "--trainer.max_steps=20"], 2),
        ([*VOCODER, *EPOCHS], 1), (GE2E, 2), (CLASSIFIER, 1), (PROBE, 2),
    ],
    ids=["voice of steps", "voice with validation", "vocoder of steps", "vocoder", "ge2e", "classifier", "probe"],
)  # fmt: skip
def test_every_kind(words, kills, tmp_path, monkeypatch):
    assert_unharmed(tmp_path, words, monkeypatch, kills)
