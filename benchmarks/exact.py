"""Files of random codecs, written under one set of CPU instructions and read under the others: are codes the same?

Run ``python benchmarks/exact.py``. A configuration is a codec with random weights (a transform codec or a grouped
residual quantizer with the light model), a lambda, 1 to 64 utterances of 1 to 40 frames, 1 to 16 threads to write with
and others to read with. torch chooses its kernels by ``ATEN_CPU_CAPABILITY``, which holds for a process: each of
default, avx2 and avx512 writes a third of the files, and each reads what another one wrote, in batches of other sizes
and orders. What counts are codes; features of transform codecs must be those of one decoder bit by bit in any
batch.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from emoquant.codecs import ECVQ, TransformCodec
from emoquant.codecs.real_bits import RealBits
from emoquant.codecs.search import layout_of
from emoquant.codecs.transform.bands import no_moments
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ

CAPABILITIES = ("default", "avx2", "avx512")
LONGEST = 40


def random_codec(number: int) -> RealBits:
    """Return a codec with random weights: odd numbers are transform codecs, even ones grouped residual quantizers."""
    torch.manual_seed(number)
    random = np.random.default_rng(number)
    dim = int(random.choice([8, 12, 24]))
    return random_transform(dim, random) if number % 2 else random_quantizer(dim, random)


def random_transform(dim: int, random: np.random.Generator) -> RealBits:
    """Return a transform codec with a random network, tables and rotations."""
    codec = TransformCodec(dim, int(random.choice([1, 4, 8])), "stream" if random.random() < 0.5 else "whole")
    moments = no_moments(dim)
    for _ in range(6):
        codec.transform.add(torch.randn(40, dim).cumsum(0) @ torch.randn(dim, dim), moments)
    codec.transform.fit(moments)
    contexts = codec.contexts.requires_grad_(False)
    for parameter in (*contexts.hidden.parameters(), *contexts.output.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    contexts.probabilities.copy_(torch.rand(contexts.probabilities.shape).pow(4) + 1e-6)
    contexts.probabilities.div_(contexts.probabilities.sum(-1, keepdim=True))
    contexts.offsets.uniform_(-0.3, 0.3)[..., 0] = 0
    return codec


def random_quantizer(dim: int, random: np.random.Generator) -> RealBits:
    """Return a grouped residual quantizer with random codebooks and a random light model."""
    quantizer = GroupedResidualVQ(
        int(random.choice([1, 2, 4])), int(random.integers(1, 4)), int(random.integers(2, 40)),
        coarse=int(random.integers(0, 2)), prediction=bool(random.integers(2)), dim=dim, smoothing=3,
    )  # fmt: skip
    for books in (quantizer.fine, quantizer.rough):
        books.set(torch.randn(books.vectors.shape))
    quantizer.predictor.uniform_(0, 0.9 if quantizer.prediction else 1e-9)
    quantizer.ready.fill_(True)
    assert quantizer.smoother is not None
    quantizer.smoother.weights.normal_(std=0.1)
    entropy = LightModel(int(random.choice([8, 16])), int(random.integers(0, 3)), bool(random.integers(2)))
    entropy.build(layout_of(quantizer))
    for parameter in entropy.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return ECVQ(quantizer, entropy.requires_grad_(False))


def write(number: int) -> tuple[bytes, list[bytes], list[bytes]]:
    """Return the codec of a configuration, its files and the bytes of their codes."""
    codec, random = random_codec(number), np.random.default_rng([number, 1])
    stored = pickle.dumps(codec)
    torch.set_num_threads(int(random.integers(1, 17)))
    count = int(random.choice([1, 2, 3, 8, 64], p=[0.3, 0.2, 0.2, 0.25, 0.05]))
    lengths = random.integers(1, LONGEST + 1, count)
    features = [torch.randn(length, codec.dim).cumsum(0) * 0.5 for length in lengths]
    lmbda = float(random.choice([0.0, 2.0 ** random.uniform(-6, 8)]))
    encodings = codec.encode_batch(features, lmbda * codec.variance)
    return stored, codec.write(encodings), [each.codes.numpy().tobytes() for each in encodings]


def read(number: int, reader: int, stored: bytes, files: list[bytes], codes: list[bytes]) -> tuple[bool, bool]:
    """Return whether codes are those that were written, and whether features depend on the batch."""
    codec, random = pickle.loads(stored), np.random.default_rng([number, 2 + reader])
    torch.set_num_threads(int(random.integers(1, 17)))
    order, size = random.permutation(len(files)), int(random.integers(1, 65))
    same = alike = True
    for first in range(0, len(order), size):
        chosen = order[first : first + size].tolist()
        found = codec.read([files[i] for i in chosen])
        same &= all(each.numpy().tobytes() == codes[i] for each, i in zip(found, chosen, strict=True))
        together = codec.decompress_batch([files[i] for i in chosen])
        alone = codec.decompress(files[chosen[0]])
        alike &= torch.equal(together[0], alone) or not isinstance(codec, TransformCodec)
    return same, alike


def part(own: int, folder: Path, numbers: range, stage: str) -> None:
    """Write this process's files, or read those of the next."""
    if stage == "write":
        made = {number: write(number) for number in numbers[own :: len(CAPABILITIES)]}
        (folder / f"{own}.pickle").write_bytes(pickle.dumps(made))
        return
    files = pickle.loads((folder / f"{(own + 1) % len(CAPABILITIES)}.pickle").read_bytes())
    results = [read(number, own, *each) for number, each in files.items()]
    wrong, apart = (sum(not each[place] for each in results) for place in (0, 1))
    print(f"read under {CAPABILITIES[own]}: {len(results)} configurations, {wrong} with other codes, "
          f"{apart} with features that depend on the batch; torch used {torch.backends.cpu.get_cpu_capability()}",
          flush=True)  # fmt: skip


def main() -> None:
    """Write and read in a process for each set of instructions; exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="configurations")
    parser.add_argument("--first", type=int, default=0, help="number of the first one, to run them in parts")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        own, folder, stage = arguments.part
        part(int(own), Path(folder), range(arguments.first, arguments.first + arguments.count), stage)
        return
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        for stage in ("write", "read"):
            for own, capability in enumerate(CAPABILITIES):
                numbers = ["--count", str(arguments.count), "--first", str(arguments.first)]
                command = [sys.executable, __file__, *numbers, "--part", str(own), folder, stage]
                done = subprocess.run(
                    command, env=os.environ | {"ATEN_CPU_CAPABILITY": capability}, check=True, stdout=subprocess.PIPE,
                    text=True,
                )  # fmt: skip
                print(done.stdout, end="", flush=True)
                wrong |= stage == "read" and ", 0 with other codes, 0 with features" not in done.stdout
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
