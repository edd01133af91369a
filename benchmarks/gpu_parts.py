"""Extraction, two ranks on one device and a whole training, for gpu.py."""

import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import torch
from device import FAILED, Machine, checked, relative
from gpu_voice import Sizes
from lightning.fabric.utilities import move_data_to_device
from random_speech import speech_like
from torch import Tensor, distributed
from torch.utils.data import DataLoader

from emoquant.codecs import ECVQ
from emoquant.encoders import UntrainedEmotion2Vec
from emoquant.entropy import LightModel
from emoquant.metrics import References, SweepMetrics
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step
from emoquant.tasks import CodecTask
from emoquant.types import Batch


def extraction(machine: Machine, sizes: Sizes, seconds: float) -> None:
    """Features of a random encoder, on the device as the user may have set it, against the CPU."""
    quick = sizes.dim < 768
    encoder = UntrainedEmotion2Vec(dim=48, depth=1, prenet_depth=1, heads=4) if quick else UntrainedEmotion2Vec()
    encoder.eval()
    count = 2 if quick else 16
    waveforms = 0.1 * torch.randn(count, int(16_000 * seconds))
    lengths = torch.full((count,), waveforms.shape[1])
    with torch.inference_mode():
        here, _ = encoder(waveforms[:1], lengths[:1])
        encoder.to(machine.device)
        far = waveforms.to(machine.device), lengths.to(machine.device)
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")  # what Lightning advises; features must not change
        there, _ = encoder(far[0][:1], far[1][:1])
        agree = checked(relative(there, here), 1e-4, "features")
        machine.row("extraction", lambda: encoder(*far), count * seconds, "x real time", "float32", agree)
        torch.set_float32_matmul_precision(before)


def rows_apart(here: ECVQ, there: ECVQ, features: Tensor, lengths: Tensor) -> float:
    """Return how far the figures of a sweep on a device are from those on the CPU, relative to the larger of the two.

    Counts of different outputs and of codes are left out: a code that differs changes them by one.
    """
    count, emotions = len(lengths), ["neutral", "sad"]
    vectors = torch.randn(2, here.dim, generator=torch.Generator().manual_seed(0)).double()
    references = References(vectors, vectors.mean(0), torch.ones(2, dtype=torch.int64))
    kinds, found = torch.arange(count) % 2, []
    for codec in (here, there):
        sweep = SweepMetrics([codec], emotions, references, replicates=20).to(codec.mean.device)
        batch = Batch(features, lengths, kinds, kinds, torch.arange(count), torch.zeros(count, 2))
        sweep.update(move_data_to_device(batch, codec.mean.device))
        rows = sweep.compute()
        found.append({row[2:5]: row.value for row in rows if not row.metric.startswith(("distinct", "codebook"))})
    pairs = [(value, found[1][key]) for key, value in found[0].items() if not math.isnan(value)]
    return max(abs(one - other) / max(abs(one), abs(other), 1e-2) for one, other in pairs)


def rank(number: int, port: str, device: str, folder: str) -> None:
    """Train codebooks on one of two processes, both on the same device, and save them."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    distributed.init_process_group("gloo", rank=number, world_size=2)
    torch.set_num_threads(1)
    dim = 48 if device == "cpu" else 192
    features, lengths = (each.chunk(2)[number].to(device) for each in speech_like(64, 60, dim, 0))
    quantizer = GroupedResidualVQ(12, 3, 64, coarse=1, prediction=True, dim=dim).to(device)
    initialise(quantizer, features, lengths)
    for step in range(20):
        train_step(quantizer, features, lengths, torch.Generator().manual_seed(step))
    torch.save({name: value.cpu() for name, value in quantizer.state_dict().items()}, Path(folder) / f"{number}.pt")
    distributed.destroy_process_group()


def two_ranks(machine: Machine) -> None:
    """Whether two processes on one device have equal codebooks after 20 steps."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        words = [sys.executable, __file__]
        runs = [subprocess.Popen([*words, str(number), port, str(machine.device), folder]) for number in range(2)]
        codes = [run.wait(timeout=300) for run in runs]
        taken = time.perf_counter() - begun
        if any(codes):
            FAILED.append(f"two ranks ended with {codes}")
            return
        one, other = (torch.load(Path(folder) / f"{number}.pt", weights_only=True) for number in range(2))
    pairs = [(value.double(), other[name].double()) for name, value in one.items() if value.ndim]
    agree = checked(max(float((mine - theirs).abs().max()) for mine, theirs in pairs), 0.0, "ranks apart")
    print(f"| two ranks, gloo, 20 codebook steps | {1000 * taken:,.0f} | | | | | {agree} |", flush=True)


class _Frames(pl.LightningDataModule):
    """Random frames with memory, as batches of the default size."""

    batch_type, name, emotions, speakers, budget = Batch, "random", ["neutral"], ["nobody"], 8000
    origin, encoder, training_shares = None, None, {"neutral": 1.0}

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes, self.dim = sizes, sizes.dim

    def dataset(self, split: str) -> SimpleNamespace:
        """Return a split of which only the number of utterances is known."""
        return SimpleNamespace(utterances=range(8 * self.sizes.utterances))

    def share_test(self, number: int, count: int, done: int = 0) -> None:
        """Do nothing: there is no test split."""

    def reference_dataloader(self) -> DataLoader[Batch]:
        """Return the training batches."""
        return self.train_dataloader()

    def _loader(self, seed: int, count: int) -> DataLoader[Batch]:
        batches = []
        for number in range(count):
            features, lengths = speech_like(self.sizes.utterances, self.sizes.frames, self.dim, seed + number)
            zeros = torch.zeros(len(lengths), dtype=torch.int64)
            batches.append(Batch(features, lengths, zeros, zeros, zeros, torch.zeros(len(lengths), 1)))
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type] # a list serves as data set

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return eight batches."""
        return self._loader(10, 8)


def training(machine: Machine, sizes: Sizes) -> None:
    """One epoch of each phase of a codec's training by Lightning's trainer."""
    quantizer = GroupedResidualVQ(sizes.groups, sizes.layers, sizes.codewords, coarse=1, prediction=True)
    task = CodecTask(quantizer, LightModel(64, knots=10), 1, 1, sample_frames=sizes.utterances * sizes.frames)
    cuda = machine.device.type == "cuda"
    trainer = pl.Trainer(
        accelerator="cuda" if cuda else "cpu", devices=[machine.device.index or 0] if cuda else 1, max_epochs=3,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begun = time.perf_counter()
        trainer.fit(task, _Frames(sizes))
        machine.wait()
    taken = time.perf_counter() - begun
    count = 3 * 8 * sizes.utterances * sizes.frames
    speed, memory = f"{count / taken:,.0f} frames/s", f"{machine.memory():,.0f}"
    print(f"| fit: an epoch of each phase | {1000 * taken:,.0f} | {speed} | | | {memory} | |", flush=True)


if __name__ == "__main__":
    rank(int(sys.argv[1]), *sys.argv[2:])
