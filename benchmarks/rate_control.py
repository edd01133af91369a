"""Rate control: what it costs to meet a target, and how often it is missed (``python benchmarks/rate_control.py``).

Compared: the study's bisection on log lambda; a sweep of 32 lambdas of the utterance itself, interpolation and 1 to 3
refining encodes; a curve of 48 lambdas measured once on a few other utterances and 1 to 4 encodes; and a fixed lambda
(the one at which the corpus meets the target). A miss is more than one bit a frame.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import given
import numpy as np
from rate_ways import encode_by_bisection, encode_by_sweep, encode_corpus

from emoquant.codecs.rate_control import Controlled, encode_by_curve
from emoquant.codecs.rate_curves import Target, lmbda_grid, sweep


def row(name: str, target: Target, run: Callable[[], Controlled], extra: float = 0.0) -> None:
    """Print a line of the table; ``extra`` is wall time spent before, in seconds."""
    started = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - started + extra
    miss = np.abs([float(each.bits.double().mean()) - target.value for each in found.encodings])
    count = len(miss)
    cells = f"{target.value:g}", name, f"{np.mean(found.encodes):.2f}", f"{1000 * seconds / count:.0f}"
    print("| " + " | ".join(cells) + f" | {100 * (miss > 1).mean():.1f} % | {miss.mean():.2f} | {miss.max():.1f} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    given.add_arguments(parser)
    parser.add_argument("--targets", type=float, nargs="+", default=[5, 20, 50, 100], help="bits a frame")
    parser.add_argument("--without-bisection", action="store_true", help="leave out the way that takes longest")
    arguments = parser.parse_args()
    codec, utterances, others = given.load(arguments)
    started = time.perf_counter()
    curves = sweep(codec, utterances)
    own = time.perf_counter() - started
    curve = sweep(codec, others[:16], lmbda_grid(codec, 48))
    rises = np.diff(curves.bits_per_frame, axis=1) > 1e-3
    print(f"{len(utterances)} utterances, {sum(map(len, utterances))} frames; the rate rises with lambda in", end=" ")
    print(f"{100 * rises.mean():.2f} % of the sweep's steps\n")
    heads = "target", "method", "encodes an utterance", "ms an utterance", "missed", "mean miss, bits/frame", "largest"
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for value in arguments.targets:
        target = Target(value)
        if not arguments.without_bisection:
            row("bisection", target, partial(encode_by_bisection, codec, utterances, target))
        for count in (1, 2, 3):
            way = partial(encode_by_sweep, codec, utterances, target, count, curves)
            row(f"own sweep, {count} refining", target, way, own)
        for count in (1, 2, 3, 4):
            way = partial(encode_by_curve, codec, utterances, target, curve, count)
            row(f"common curve, at most {count}", target, way)
        row("fixed lambda", target, partial(encode_corpus, codec, utterances, target, curve))


if __name__ == "__main__":
    main()
