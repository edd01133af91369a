"""Training batches of two processes with gloo against those of one, one thread each, and of two that do not talk.

``python benchmarks/scaling.py`` trains codebooks, entropy model (on codes of its own search, as in most of a training)
and voice by their real tasks under Lightning's trainer on random data of the full size. A batch on every process is as
large as the configurations have it. Three runs of each: one process; two at the same time that know nothing of each
other; two under DDP. The second is the machine's own limit: cores share caches, memory and, in a virtual machine, more.
What DDP loses beside it is communication and waiting.

A batch's time is that of the slowest process. The share of a core says whether the machine was idle besides: if one
process had less than all of a core, other work took it and the rates mean little.
"""

import argparse
import multiprocessing
import os
import resource
import socket
import statistics
import time
import warnings
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from random_speech import RandomData

from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import CodecTask
from emoquant.voice.tasks import EmotionTTS
from emoquant.voice.tts.architecture import Architecture

WORK = ("codebooks", "entropy", "voice")
#: Batches before the clock starts.
WARM = 2


class Spent(NamedTuple):
    """Seconds of a batch: by the clock, of the processor, and those of it in the system; page faults in thousands."""

    wall: float
    own: float
    system: float
    faults: float


class Clock(Callback):
    """Measures the batches after the first ones, which all processes begin at the same time."""

    def __init__(self, start: Barrier) -> None:
        self.start, self.begun, self.batches, self.now = start, [], 0, None

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: object, batch_idx: int) -> None:
        """Start the clock."""
        if batch_idx == WARM:
            self.start.wait()
            self.begun = reading()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Read it."""
        if batch_idx >= WARM:
            self.now, self.batches = reading(), self.batches + 1

    def spent(self) -> Spent:
        """Return what a batch took."""
        return Spent(*((now - begun) / self.batches for begun, now in zip(self.begun, self.now, strict=True)))


def reading() -> list[float]:
    """Return clocks and counters of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return [time.perf_counter(), usage.ru_utime + usage.ru_stime, usage.ru_stime, usage.ru_minflt / 1000]


def task_of(work: str, options: argparse.Namespace) -> tuple[LightningModule, RandomData]:
    """Return a task of the full size with its data."""
    batches = WARM + options.batches
    if work == "voice":
        architecture = Architecture(hidden=options.hidden, style_norm=True, flow_shared_condition=True)
        data = RandomData("voice", options.spoken, batches, options.dim)
        return EmotionTTS(architecture), data
    quantizer = GroupedResidualVQ(options.groups, 3, 128, coarse=1, prediction=True)
    epochs = 99 if work == "codebooks" else 0
    task = CodecTask(quantizer, LightModel(128), epochs, 0, splits=options.splits, sample_frames=2000)
    return task, RandomData("features", options.utterances, batches, options.dim)


def process(
    work: str,
    rank: int,
    world: int,
    port: int,
    options: argparse.Namespace,
    start: Barrier,
    results: "multiprocessing.Queue[Spent]",
) -> None:
    """Train as one of some processes and report."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if world > 1:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "GROUP_RANK": 0,
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "scaling"}  # fmt: skip
        os.environ |= {name: str(value) for name, value in names.items()}
    task, data = task_of(work, options)
    clock = Clock(start)
    strategy: Any = "auto"
    if world > 1:
        strategy = DDPStrategy(gradient_as_bucket_view=options.views, bucket_cap_mb=options.bucket)
    Trainer(
        accelerator="cpu", devices=world, strategy=strategy, max_epochs=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False, callbacks=[clock],
        limit_val_batches=0,
    ).fit(task, data)  # fmt: skip
    results.put(clock.spent())


def measured(work: str, count: int, together: bool, options: argparse.Namespace) -> Spent:
    """Return what a batch took the slowest of some processes, and what it took all of them on average."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(count), context.Queue()
    world = count if together else 1
    runs = [
        context.Process(target=process, args=(work, rank, world, port, options, start, results))
        for rank in range(count)
    ]
    for run in runs:
        run.start()
    found = [results.get(timeout=3000) for _ in runs]
    for run in runs:
        run.join()
    wall = max(each.wall for each in found)
    return Spent(wall, *(statistics.mean(column) for column in list(zip(*found, strict=True))[1:]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="*", choices=[*WORK, []], help="all of it by default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batches", type=int, default=8, help="batches that are measured")
    parser.add_argument("--utterances", type=int, default=53, help="of 150 frames: 7,950 frames a batch")
    parser.add_argument("--spoken", type=int, default=16, help="utterances of a voice's batch")
    parser.add_argument("--splits", type=int, default=4, help="gradient steps a batch of the entropy model")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--groups", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=256, help="width of the voice")
    parser.add_argument("--views", action="store_true", help="gradients as views of DDP's buckets")
    parser.add_argument("--bucket", type=float, default=25, help="megabytes of a bucket of DDP")
    parser.add_argument("--details", action="store_true", help="also time in the system and page faults")
    options = parser.parse_args()
    count = options.processes
    print(
        f"| training batch of | 1: s | {count} apart: s | {count} with DDP: s | rate of {count} apart | with DDP "
        "| by own time | share of a core: 1, apart, DDP |\n|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    for work in options.work or WORK:
        one, apart, both = (measured(work, *how, options) for how in ((1, False), (count, False), (count, True)))
        times = " | ".join(f"{each.wall:.3f}" for each in (one, apart, both))
        rates = " | ".join(f"x {count * one.wall / each.wall:.2f}" for each in (apart, both))
        shares = ", ".join(f"{each.own / each.wall:.0%}" for each in (one, apart, both))
        print(f"| {work} | {times} | {rates} | x {count * one.own / both.own:.2f} | {shares} |", flush=True)
        if options.details:
            print(one, apart, both, sep="\n", flush=True)


if __name__ == "__main__":
    main()
