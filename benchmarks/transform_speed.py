"""Speed of the transform codec: a sweep over frames of 768 dimensions, files of a trained codec, one utterance alone.

Run ``python benchmarks/transform_speed.py --codec runs/NAME --source YAML``. Times are processor time of one core; a
sweep of 75,000 frames is what the measured frames say. The sweep is of the synthetic source S1 (``sources.py``) with
the variance of the codec's features, at the study's lambdas, by a codec whose contexts were counted, not learnt.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sources
import torch
from torch import Tensor
from transform import load_bits

from emoquant.codecs import TransformCodec
from emoquant.codecs.base import STUDY_LAMBDAS
from emoquant.codecs.transform.bands import no_moments
from emoquant.codecs.transform.learning import draw_jobs, no_counts, run_jobs, take_counts


def made_codec(train: list[Tensor]) -> TransformCodec:
    """Return a codec of utterances ``(T, D)`` whose tables are counted twice."""
    codec, frames = TransformCodec(train[0].shape[1]), torch.cat(train)
    codec.transform.mean.copy_(frames.mean(0))
    moments = no_moments(codec.dim)
    for each in train:
        codec.transform.add(each, moments)
    codec.transform.fit(moments, float((frames - codec.transform.mean).square().mean()))
    for seed in range(2):
        counts = no_counts()
        run_jobs(draw_jobs(codec, train, np.random.default_rng(seed)), counts)
        take_counts(codec.contexts, counts)
    return codec.eval()


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Return the least processor time of several runs."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codec", required=True, help="run or checkpoint of a transform codec")
    parser.add_argument("--source", required=True, help="YAML of the data module it was trained on")
    parser.add_argument("--lambdas", type=float, nargs="*", default=[2.0, 10.0, 50.0], help="of the files")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    codec = load_bits(arguments.codec)
    test = sources.load(arguments.source, 10**9).test[:64]
    frames, one = sum(map(len, test)), test[len(test) // 2]
    codec.decompress(codec.compress(one, 1.0))
    print(f"{frames} frames of {len(test)} utterances; the one has {len(one)} frames; {arguments.source}\n")
    print(
        "| lambda | bits a frame | compress, frames/s | decompress | compress one | decompress one |\n"
        + "|---" * 6
        + "|"
    )
    for lmbda in arguments.lambdas:
        data = codec.compress_batch(test, lmbda)
        bits = sum(float(each.bits.sum()) for each in codec.encode_batch(test, lmbda)) / frames
        cells = [
            frames / seconds(lambda lmbda=lmbda: codec.compress_batch(test, lmbda), arguments.repeats),
            frames / seconds(lambda data=data: codec.decompress_batch(data), arguments.repeats),
            len(one) / seconds(lambda lmbda=lmbda: codec.compress(one, lmbda), 5),
            len(one) / seconds(lambda lmbda=lmbda: codec.decompress(codec.compress(one, lmbda)), 5),
        ]
        print(f"| {lmbda:g} | {bits:.1f} | " + " | ".join(f"{cell:,.0f}" for cell in cells) + " |", flush=True)
    source = sources.GaussianSource(768, 0.8, (0.35, 0.06, 0.06), (0.92, 0.5), 0.85)
    scale = codec.variance**0.5
    wide = made_codec([scale * each for each in source.sample(40, 150, 1)])
    features = scale * torch.stack(source.sample(4, 150, 2))
    lengths = torch.full((4,), 150)
    print("\n| states | s for 14 lambdas over 75,000 frames, one core | two cores |\n|---|---|---|")
    for states in (8, 4, 1):
        wide.states = states
        wide(features[:1], lengths[:1], STUDY_LAMBDAS)
        spent = seconds(lambda: wide(features, lengths, STUDY_LAMBDAS), arguments.repeats) * 75_000 / 600
        print(f"| {states} | {spent:.0f} | {spent / 2:.0f} |", flush=True)


if __name__ == "__main__":
    main()
