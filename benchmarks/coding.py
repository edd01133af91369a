"""Real bits: length over the estimate, exactness and speed (``python benchmarks/coding.py --help``).

The estimate is the float model's rate that the search used; the coded length is that of the codes with their
termination, the file's has the header too. Every round trip is checked code by code, in one batch, one by one, and on
one and two threads.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import given
import numpy as np
import torch

from emoquant.codecs.bitstream import header_bytes
from emoquant.codecs.real_bits import RealBits


def fastest(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Least time of a few runs, and the result: wall time, or with one thread processor time, whatever else runs."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times = []
    for _ in range(repeats):
        started = clock()
        result = run()
        times.append(clock() - started)
    return min(times), result


def check(codec: RealBits, data: list[bytes], encodings: list[Any]) -> None:
    """Decode in one batch, one by one and on other numbers of threads; every code must be the encoder's."""
    threads = torch.get_num_threads()
    for count in (1, 2):
        torch.set_num_threads(count)
        found = codec.read(data) + [codec.read([each])[0] for each in data[:6]]
        for codes, encoding in zip(found, [*encodings, *encodings[:6]], strict=True):
            if not torch.equal(codes, encoding.codes):
                raise AssertionError("a code came back changed")
    torch.set_num_threads(threads)


def row(codec: RealBits, utterances: list[torch.Tensor], lmbda: float, repeats: int) -> str:
    """A line of the table at one lambda."""
    frames = sum(map(len, utterances))
    searched, encodings = fastest(lambda: codec.encode_batch(utterances, lmbda), repeats)
    coded, data = fastest(lambda: codec.write(encodings), repeats)
    decoded, _ = fastest(lambda: codec.decompress_batch(data), repeats)
    alone, _ = fastest(lambda: codec.decompress(codec.compress(utterances[0], lmbda)), repeats)
    check(codec, data, encodings)
    estimate = np.array([float(each.bits.double().sum()) for each in encodings])
    length = np.array([8 * (len(d) - header_bytes(len(u))) for d, u in zip(data, utterances, strict=True)])
    files = sum(map(len, data)) * 8
    over = length - estimate
    cells = [
        f"{lmbda:g}",
        f"{estimate.sum() / frames:.3f}",
        f"{length.sum() / frames:.3f}",
        f"{files / frames:.3f}",
        f"{over.mean():.1f} / {over.max():.1f}",
        f"{100 * over.sum() / estimate.sum():.3f} %",
        f"{(length - 1.003 * estimate).max():.1f}",
        f"{frames / (searched + coded):,.0f}",
        f"{frames / coded:,.0f}",
        f"{frames / decoded:,.0f}",
        f"{len(utterances[0]) / alone:,.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    given.add_arguments(parser)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--ratios", type=float, nargs="+", default=[0, 0.1, 0.5, 1, 2, 5, 10, 30], help="lambda / variance"
    )
    arguments = parser.parse_args()
    codec, utterances, _ = given.load(arguments)
    started = time.perf_counter()
    codec.twin()
    print(f"integer twin and fingerprint made in {time.perf_counter() - started:.2f} s")
    print(f"{len(utterances)} utterances, {sum(map(len, utterances))} frames, {torch.get_num_threads()} threads")
    print("speeds by processor time\n" if torch.get_num_threads() == 1 else "speeds by wall time\n")
    heads = ["lambda", "estimated bits/frame", "coded", "file", "coded - estimated, bits an utterance, mean / worst"]
    heads += ["over", "worst beyond 0.3 %, bits", "compress, frames/s", "(coder alone)", "decompress"]
    heads.append("one utterance there and back")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for ratio in arguments.ratios:
        print(row(codec, utterances, ratio * codec.variance, arguments.repeats), flush=True)
    print("\nEvery code came back unchanged: in one batch, one by one, on 1 and 2 threads.")


if __name__ == "__main__":
    main()
