"""Training that is interrupted, after an epoch or within one, ends bitwise like an unbroken run."""

import os
import signal
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import ModelCheckpoint
from plain_data import PlainData
from torch import nn
from torch.utils.data import DataLoader, Dataset

from emoquant.callbacks import Preemption, ResumedProgress, SeededSteps, WholeCheckpoints
from emoquant.data.resuming import TrainingLoader
from emoquant.data.sampling import BucketSampler
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import CodecTask
from emoquant.types import Batch

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval.*"),
]
DIM = 12


class Frames(Dataset):
    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.lengths = torch.randint(5, 40, (30,), generator=generator)
        self.features = [torch.randn(int(n), DIM, generator=generator) for n in self.lengths]

    def __getitem__(self, index):
        lengths = self.lengths[index.rows]
        padded = nn.utils.rnn.pad_sequence([self.features[row] for row in index.rows], batch_first=True)
        zeros = torch.zeros(len(lengths), dtype=torch.int64)
        return Batch(padded, lengths, zeros, zeros, torch.from_numpy(index.rows), torch.zeros(len(lengths), 1))


class Data(PlainData):
    dim = DIM

    def __init__(self, workers=0):
        super().__init__()
        self.workers, self.seen = workers, []

    def train_dataloader(self):
        dataset = Frames()
        sampler = BucketSampler(dataset.lengths.numpy(), 150, seed=1)
        loader = DataLoader(
            dataset, batch_size=None, sampler=sampler, num_workers=self.workers, persistent_workers=self.workers > 0
        )
        return TrainingLoader(loader, self.trainer)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        if self.trainer.training:
            self.seen.append((self.trainer.current_epoch, tuple(batch.utterances.tolist())))
        return batch


class Noisy(pl.LightningModule):
    """A model whose training draws from every global source of random numbers."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(DIM, 4)

    def training_step(self, batch, batch_idx):
        seen = nn.functional.dropout(batch.features, 0.3) + np.random.rand() * 0.1
        return self.layer(seen + torch.rand(1)).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.01)


def codec():
    return CodecTask(GroupedResidualVQ(3, 2, 8, coarse=1), LightModel(8, knots=4), 1, 1, sample_frames=200)


class StopAfter(pl.Callback):
    """Saves and then fails, as a machine does that is switched off after a checkpoint."""

    def __init__(self, step, path):
        self.step, self.path, self.count = step, path, 0

    def on_train_batch_end(self, trainer, *_):
        self.count += 1
        if self.count == self.step:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


def fit(make, folder, data=None, resume=None, extra=(), **settings):
    pl.seed_everything(3, verbose=False)
    task, data = make(), data or Data()
    plugins = [WholeCheckpoints(), *settings.pop("plugins", [])]
    keeper = ModelCheckpoint(folder, "last", enable_version_counter=False, save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        max_epochs=settings.pop("max_epochs", 3), accelerator="cpu", logger=False, default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False, plugins=plugins,
        callbacks=[keeper, SeededSteps(), ResumedProgress(), *extra], **settings,
    )  # fmt: skip
    trainer.fit(task, data, ckpt_path=resume, weights_only=True if resume else None)
    return task.state_dict(), data.seen


@pytest.mark.parametrize("make", [Noisy, codec])
@pytest.mark.parametrize("stop", [2, 7, None])
def test_an_interrupted_run_ends_bitwise_like_an_unbroken_one(make, stop, tmp_path):
    whole, order = fit(make, tmp_path / "whole")
    batches = sum(epoch == 0 for epoch, _ in order)
    path = tmp_path / "stopped.ckpt"
    stop = batches if stop is None else stop  # None: at the very end of an epoch
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(make, tmp_path / "part", extra=[StopAfter(stop, path)])
    again, rest = fit(make, tmp_path / "rest", resume=path)
    assert rest == order[stop:], "every batch comes once, in the same order"
    for name, value in whole.items():
        assert torch.equal(again[name], value), name


class Killed(pl.Callback):
    """Fails at the first batch of an epoch, when the checkpoint of the epoch before is there."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_batch_start(self, trainer, *_):
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


class Validated(Data):
    def val_dataloader(self):
        return Data.train_dataloader(self)


class Checked(Noisy):
    def validation_step(self, batch, batch_idx):
        self.log("loss", self.training_step(batch, batch_idx))


TRAINERS = {
    "epochs": {},
    "steps": {"max_epochs": -1, "max_steps": 31},
    "both": {"max_steps": 1000},
    "epochs of some batches": {"limit_train_batches": 4},
    "steps of some batches": {"max_epochs": -1, "max_steps": 13, "limit_train_batches": 4},
    "validated": {"val_check_interval": 3, "limit_val_batches": 1},
    "validated over epochs": {
        "max_epochs": -1, "max_steps": 31, "check_val_every_n_epoch": None, "val_check_interval": 5,
        "limit_val_batches": 1,
    },
}  # fmt: skip


@pytest.mark.parametrize("settings", TRAINERS.values(), ids=TRAINERS)
def test_a_run_that_is_killed_after_every_epoch_ends_like_an_unbroken_one(settings, tmp_path):
    whole, order = fit(Checked, tmp_path / "whole", data=Validated(), **settings)
    seen, last, state = [], None, {}
    for epoch in range(1, order[-1][0] + 2):
        data = Validated()
        try:
            state, _ = fit(Checked, tmp_path / "cut", data=data, resume=last, extra=[Killed(epoch)], **settings)
        except (KeyboardInterrupt, SystemExit):
            data.seen = [each for each in data.seen if each[0] < epoch]  # the batch that it was killed in comes again
        seen, last = seen + data.seen, tmp_path / "cut" / "last.ckpt"
    assert seen == order
    for name, value in whole.items():
        assert torch.equal(state[name], value), name
    counts = torch.load(last, weights_only=True)
    unbroken = torch.load(tmp_path / "whole" / "last.ckpt", weights_only=True)
    assert counts["loops"]["fit_loop"]["epoch_progress"] == unbroken["loops"]["fit_loop"]["epoch_progress"]
    assert (counts["epoch"], counts["global_step"]) == (unbroken["epoch"], unbroken["global_step"])


def test_a_run_that_ended_within_an_epoch_goes_on_there_when_it_is_given_more_steps(tmp_path):
    whole, order = fit(Noisy, tmp_path / "whole", max_epochs=-1, max_steps=20)
    _, first = fit(Noisy, tmp_path / "part", max_epochs=-1, max_steps=5)
    again, rest = fit(Noisy, tmp_path / "part", resume=tmp_path / "part/last.ckpt", max_epochs=-1, max_steps=20)
    assert first + rest == order
    assert all(torch.equal(again[name], value) for name, value in whole.items())


class Scored(Noisy):
    """A model that is best after its second epoch."""

    def on_train_epoch_end(self):
        self.log("score", (0.2, 0.9, 0.5, 0.7)[self.current_epoch])


def test_the_best_epoch_stays_the_best_one_where_a_run_goes_on_in_another_folder(tmp_path):
    def run(name, *more, **settings):
        kept = {"monitor": "score", "mode": "max", "enable_version_counter": False, "save_on_train_epoch_end": True}
        keeper = ModelCheckpoint(tmp_path / name, "best", **kept)
        fit(Scored, tmp_path / name, extra=[keeper, *more], max_epochs=4, **settings)
        return torch.load(tmp_path / name / "best.ckpt", weights_only=True), keeper.best_model_path

    whole, _ = run("whole")
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run("first", Killed(3))
    best, place = run("second", resume=tmp_path / "first" / "last.ckpt")
    assert best["epoch"] == whole["epoch"] == 1
    assert all(torch.equal(best["state_dict"][name], value) for name, value in whole["state_dict"].items())
    assert place == str(tmp_path / "second" / "best.ckpt")


@pytest.mark.parametrize("early", [0, 3])
def test_workers_that_load_ahead_see_the_right_epoch(early, tmp_path):
    _, order = fit(Noisy, tmp_path / "whole")
    stop = 2 * sum(epoch == 0 for epoch, _ in order) - early
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(Noisy, tmp_path / "part", extra=[StopAfter(stop, tmp_path / "a.ckpt")])
    _, rest = fit(Noisy, tmp_path / "rest", data=Data(workers=1), resume=tmp_path / "a.ckpt")
    assert rest == order[stop:]


def test_steps_are_seeded_by_rank_epoch_and_batch():
    class Run:
        global_rank, current_epoch = 0, 0

    def draw(rank, epoch, batch, seed=1):
        run = Run()
        run.global_rank, run.current_epoch = rank, epoch
        SeededSteps(seed).on_train_batch_start(run, None, None, batch)
        return torch.rand(2).tolist(), np.random.rand()

    places = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0, 2)]
    assert len({str(draw(*place)) for place in places}) == len(places)
    assert draw(3, 2, 1) == draw(3, 2, 1)


def test_a_preempted_slurm_job_saves_between_batches_is_requeued_and_ends_the_same(tmp_path, monkeypatch):
    whole, order = fit(codec, tmp_path / "whole")
    called = tmp_path / "scontrol.log"
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {called}\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, value in {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "codec", "SLURM_PROCID": "0",
                        "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NTASKS_PER_NODE": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    class Signalled(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if trainer.global_step == 4:
                os.kill(os.getpid(), signal.SIGUSR1)

    slurm = {"plugins": [SLURMEnvironment(auto_requeue=True)], "devices": 1}
    _, first = fit(codec, tmp_path / "job", extra=[Preemption(), Signalled()], **slurm)
    assert called.read_text() == "requeue 77\n"
    assert (tmp_path / "job" / "hpc_ckpt_1.ckpt").is_file()
    assert 0 < len(first) < len(order)
    again, rest = fit(codec, tmp_path / "job", extra=[Preemption()], **slurm)
    assert first + rest == order
    for name, value in whole.items():
        assert torch.equal(again[name], value), name
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_a_checkpoint_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "run" / "last.ckpt"
    saver = WholeCheckpoints()
    saver.save_checkpoint({"a": torch.ones(3)}, path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        saver.save_checkpoint({"a": torch.zeros(3)}, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [each.name for each in Path(path).parent.iterdir()] == ["last.ckpt"]
    with pytest.raises(TypeError, match="storage_options"):
        saver.save_checkpoint({}, path, storage_options={})
