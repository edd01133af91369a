"""What one of several processes does in ``test_ddp.py``; saves what it saw."""

import lightning.pytorch as pl
import numpy as np
import torch
from fake.encoder import FakeEncoder
from forked import as_rank
from lightning.pytorch.callbacks import ModelCheckpoint

from emoquant.callbacks import SeededSteps, WholeCheckpoints
from emoquant.data.manifest import ManifestCorpus
from emoquant.data.module import EmotionDataModule
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step
from emoquant.tasks import CodecTask, training
from emoquant.tasks.evaluation import CodecEvaluationTask


def codebooks(rank, world, folder):
    """Fifty steps of codebooks, each process with its part of every batch."""
    quantizer = GroupedResidualVQ(3, 2, 16, coarse=1, prediction=True, dim=12)  # built before the process group
    return quantizer, torch.load(folder / "batches.pt")


def train_codebooks(quantizer, batches, rank, world):
    def share(tensor):
        return tensor.chunk(world)[rank]

    features, lengths = batches
    initialise(quantizer, share(features[0]), share(lengths[0]), rounds=3)
    quantizer.fine.counts[:, 2] = 0.5  # dead: someone has to take its place
    revived, usage = 0, []
    for step in range(50):
        generator = torch.Generator().manual_seed(step)
        seen = train_step(quantizer, share(features[step]), share(lengths[step]), generator)
        revived += seen.revived
        usage.append(torch.cat([seen.usage, seen.perplexity]))
    return {"state": quantizer.state_dict(), "revived": revived, "usage": torch.stack(usage)}


class Watch(pl.Callback):
    """Notes the utterances of every batch and what the random generators give."""

    def __init__(self):
        self.trained, self.tested, self.drawn = [], [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.trained.append((trainer.current_epoch, batch.utterances.tolist()))
        self.drawn.append(float(torch.rand(())))

    def on_test_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        self.tested += batch.utterances.tolist()


def trainer(folder, world, watch, **settings):
    return pl.Trainer(
        accelerator="cpu", devices=world, strategy="ddp" if world > 1 else "auto", logger=False, barebones=False,
        default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
        plugins=[WholeCheckpoints()], callbacks=[watch, SeededSteps(5), *settings.pop("callbacks", [])], **settings,
    )  # fmt: skip


def data(folder):
    corpus = ManifestCorpus(str(folder / "corpus" / "manifest.csv"))
    return EmotionDataModule(
        corpus, FakeEncoder(), cache_dir=str(folder / "cache"), frames_per_batch=60, batch_per_process=True
    )


def codec():
    pl.seed_everything(5, verbose=False)
    training.ROWS_AT_ONCE = 7  # so that processes have different numbers of pieces
    return CodecTask(GroupedResidualVQ(2, 2, 4), LightModel(8, knots=2), 1, 1, sample_frames=300)


class Head(torch.nn.Module):
    labels, dim, origin = ["angry", "happy", "neutral", "sad", "surprise"], 8, None

    def forward(self, vectors):
        return vectors[..., :5]


def lightning(folder, world, name):
    """Two epochs, the second of them by a run that goes on, and an evaluation."""
    watch, whole = Watch(), codec()
    trainer(folder / name, world, watch, max_epochs=2, limit_val_batches=0, enable_checkpointing=False).fit(
        whole, data(folder)
    )
    saver = ModelCheckpoint(folder / name, "last", enable_version_counter=False)
    first = codec()
    trainer(folder / name, world, Watch(), max_epochs=1, limit_val_batches=0, callbacks=[saver]).fit(
        first, data(folder)
    )
    rest, again = codec(), Watch()
    saver = ModelCheckpoint(folder / name / "rest", "last", enable_version_counter=False)
    run = trainer(folder / name, world, again, max_epochs=2, limit_val_batches=0, callbacks=[saver])
    run.fit(rest, data(folder), ckpt_path=folder / name / "last.ckpt", weights_only=True)
    task = CodecEvaluationTask([whole.codec], Head(), replicates=20)
    tested = Watch()
    trainer(folder / name, world, tested, enable_checkpointing=False).test(task, data(folder), verbose=False)
    return {
        "trained": watch.trained, "drawn": watch.drawn, "tested": tested.tested, "resumed": again.trained,
        "state": whole.state_dict(), "state of the resumed": rest.state_dict(),
        "rows": [[*map(str, row[:5]), float(row.value), row.n, row.stratum] for row in task.rows],
    }  # fmt: skip


def work(rank, world, folder, port=""):
    np.random.seed(rank)
    if world > 1:
        as_rank(rank, world, port)
    quantizer, batches = codebooks(rank, world, folder)
    found = lightning(folder, world, f"world-{world}")  # leaves the process group standing
    found["codebooks"] = train_codebooks(quantizer, batches, rank, world)
    torch.save(found, folder / f"{world}-{rank}.pt")
    if world > 1:
        torch.distributed.destroy_process_group()
