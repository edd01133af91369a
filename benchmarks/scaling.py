"""Step rate of two processes with gloo against one, both with one thread each, the same batch on every process.

``python benchmarks/scaling.py`` trains codebooks and entropy model of the full size on random frames, in one process
and then in two (``--processes``), and prints the frames a second of all processes together. Where steps are bound by
arithmetic, two processes on two idle cores should reach nearly 2; the table says how much of the time the cores were
ours, since other work on the machine is not idle time of the processes.
"""

import argparse
import copy
import os
import socket
import time

import torch
from torch import distributed, multiprocessing, nn

from emoquant.codecs.search import layout_of
from emoquant.entropy import LightModel
from emoquant.entropy.base import frames_before
from emoquant.quantization import GroupedResidualVQ
from emoquant.quantization.training import initialise, train_step

WORK = ("codebook step", "entropy step")


def speech_like(utterances: int, frames: int, dim: int, seed: int) -> torch.Tensor:
    """Return frames with memory."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(utterances, frames, dim, generator=generator).cumsum(1) / 10


def process(
    rank: int, world: int, port: int, options: argparse.Namespace, results: "multiprocessing.Queue[object]"
) -> None:
    """Do what one process does, and report steps, seconds and seconds of its processor."""
    torch.set_num_threads(1)
    if world > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        distributed.init_process_group("gloo", rank=rank, world_size=world)
    features = speech_like(options.utterances, 150, options.dim, rank)
    lengths = torch.full((options.utterances,), 150)
    quantizer = GroupedResidualVQ(options.groups, 3, 128, coarse=1, dim=options.dim)
    initialise(quantizer, features[:8], lengths[:8], rounds=1)
    model = LightModel(64)
    model.build(layout_of(quantizer))
    codes = quantizer(features, lengths).codes
    rows = (
        codes.flatten(0, 1),
        frames_before(codes, model.memory).flatten(0, 1),
        torch.full((codes[..., 0].numel(),), 5.0),
    )
    bits: nn.Module = _Bits(copy.deepcopy(model))
    bits = nn.parallel.DistributedDataParallel(bits) if world > 1 else bits
    optimizer = torch.optim.Adam(bits.parameters(), 1e-4)

    def codebook_step(step: int) -> None:
        train_step(quantizer, features, lengths, torch.Generator().manual_seed(step))

    def entropy_step(step: int) -> None:
        optimizer.zero_grad()
        bits(*rows).backward()
        optimizer.step()

    for name, step in zip(WORK, (codebook_step, entropy_step), strict=True):
        step(0)
        if world > 1:
            distributed.barrier()
        begun, own = time.perf_counter(), time.process_time()
        for number in range(options.steps):
            step(number + 1)
        results.put((name, rank, time.perf_counter() - begun, time.process_time() - own))
    if world > 1:
        distributed.destroy_process_group()


class _Bits(nn.Module):
    """The loss as a module's forward, which is what DistributedDataParallel wraps."""

    def __init__(self, model: LightModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: torch.Tensor, before: torch.Tensor, lmbda: torch.Tensor) -> torch.Tensor:
        """Return the mean bits of a frame."""
        return self.model.bits(codes, before, lmbda).sum(-1).mean()


def measured(world: int, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Return seconds of a step and the share of a core that each process had, for each kind of work."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    runs = [context.Process(target=process, args=(rank, world, port, options, results)) for rank in range(world)]
    for run in runs:
        run.start()
    found = [results.get(timeout=3000) for _ in range(world * len(WORK))]
    for run in runs:
        run.join()
    table = {}
    for name in WORK:
        wall = max(each[2] for each in found if each[0] == name)
        own = sum(each[3] for each in found if each[0] == name) / world
        table[name] = wall / options.steps, own / wall
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--utterances", type=int, default=32, help="of 150 frames, on every process")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--groups", type=int, default=12)
    options = parser.parse_args()
    one, many = measured(1, options), measured(options.processes, options)
    print(f"| work | one, s a step | {options.processes}, s a step | rate | share of a core: one, each |")
    print("|---|---|---|---|---|")
    for name in WORK:
        rate = options.processes * one[name][0] / many[name][0]
        own = rate * one[name][1] / many[name][1]
        shares = f"{one[name][1]:.0%}, {many[name][1]:.0%}"
        print(
            f"| {name} | {one[name][0]:.3f} | {many[name][0]:.3f} | x {rate:.2f} (x {own:.2f} of own time) | {shares} |"
        )


if __name__ == "__main__":
    main()
