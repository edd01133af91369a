"""The transform codec on the test utterances of a corpus, against a plain one and a Gaussian reference with memory.

Train one first (``emoquant fit transform --data YAML``), then run
``python benchmarks/transform.py --source YAML --codec runs/NAME``. Bits are those that the range coder wrote, without
the header of a file; of the plain codec and the reference they are ideal. dB: squared error over the variance of the
test frames about the training mean, interpolated over the logarithm of the rate.
"""

import argparse
import time

import numpy as np
import sources
import torch
from klt_dct import PlainTransform, plain_codec
from numpy.typing import NDArray
from torch import Tensor

from emoquant.codecs import load_codec
from emoquant.codecs.real_bits import RealBits, require_real_bits

RATES = (0.2, 0.5, 1, 2, 5, 20, 50, 100, 200)
OCTAVES = np.arange(-10.5, 8.1, 1.0)  # of lambda over the variance of the features
Points = NDArray[np.float64]


def load_bits(path: str, options: dict[str, object] | None = None) -> RealBits:
    """Return a codec that writes bits."""
    return require_real_bits(load_codec(path, any_encoder=True, options=options), "this benchmark")


def measured(codec: RealBits, utterances: list[Tensor]) -> Points:
    """Return coded bits and squared error a frame over lambda, ``(O, 2)``."""
    lmbdas = [codec.variance * 2.0**octave for octave in OCTAVES]
    sums = np.zeros((len(lmbdas), 2))
    for first in range(0, len(utterances), 16):
        part = utterances[first : first + 16]
        lengths = torch.tensor([len(each) for each in part])
        padded = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
        coded = codec(padded, lengths, lmbdas)
        valid = torch.arange(padded.shape[1]) < lengths[:, None]
        error = ((coded.features - padded).square().sum(-1) * valid).double().sum((1, 2))
        sums += torch.stack([codec.coded_bits(coded, lengths, lmbdas).sum(1), error], 1).numpy()
    return sums / sum(map(len, utterances))


def decibels(points: Points, whole: float) -> tuple[Points, Points]:
    """Return bits a frame in rising order, and dB."""
    order = np.argsort(points[:, 0])
    return points[order, 0], 10 * np.log10(points[order, 1] / whole)


def at_rates(rate: Points, db: Points) -> list[float]:
    """Return dB at :data:`RATES`; NaN outside of the curve."""
    return np.interp(np.log(RATES), np.log(np.maximum(rate, 1e-9)), db, np.nan, np.nan).tolist()


def bd_rate(ours: tuple[Points, Points], theirs: tuple[Points, Points]) -> float:
    """Return the mean difference of rate at equal distortion in percent, from 0.2 to 200 bits a frame."""
    spans = [db[(rate > 0.2) & (rate < 200)] for rate, db in (ours, theirs)]
    at = np.linspace(max(span.min() for span in spans), min(span.max() for span in spans), 200)
    logs = [np.interp(at, db[::-1], np.log(np.maximum(rate, 1e-9))[::-1]) for rate, db in (ours, theirs)]
    return float(100 * (np.exp(np.mean(logs[0] - logs[1])) - 1))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="YAML of a data module")
    parser.add_argument("--codec", required=True, help="run or checkpoint of a transform codec trained on it")
    parser.add_argument("--others", nargs="*", default=[], help="runs of other codecs, measured in the same way")
    parser.add_argument("--measured", type=int, default=1000, help="test utterances at most, evenly spread")
    parser.add_argument("--states", type=int, nargs="*", default=[8], help="states of dependent quantization")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    features = sources.load(arguments.source, 10**9)
    count = min(arguments.measured, len(features.test))
    test = [features.test[row * len(features.test) // count] for row in range(count)]
    mean = torch.cat(features.train).mean(0)
    whole = float((torch.cat(test) - mean).square().sum() / sum(map(len, test)))
    curves: dict[str, tuple[Points, Points]] = {}
    kinds = [(f"transform codec, {states} states", states, "whole") for states in arguments.states]
    for name, states, form in [*kinds, ("the same as a stream", arguments.states[0], "stream")]:
        started = time.process_time()
        codec = load_bits(arguments.codec, {"states": states, "form": form})
        curves[name] = decibels(measured(codec, test), whole)
        print(f"{name}: {time.process_time() - started:.0f} CPU s", flush=True)
    for other in arguments.others:
        curves[other] = decibels(measured(load_bits(other), test), whole)
    wide = [[each.double().numpy() for each in part] for part in (features.train, test)]
    steps = np.geomspace(0.08, 60, 18) * np.sqrt(codec.variance)
    plain = curves["KLT + DCT, plain"] = decibels(plain_codec(*wide, steps), whole)
    own = PlainTransform(wide[1]).reference([len(each) for each in test])
    curves["Gaussian reference with memory (no bound)"] = decibels(own, whole)
    print(f"\n{features.name}: {count} test utterances, {sum(map(len, test))} frames\n")
    print("| bits a frame | " + " | ".join(f"{rate:g}" for rate in RATES) + " | BD-rate |\n" + "|---" * 11 + "|")
    for name, curve in curves.items():
        cells = [f"{db:.2f}" for db in at_rates(*curve)]
        print(f"| {name} | " + " | ".join(cells) + f" | {bd_rate(curve, plain):+.0f} % |", flush=True)


if __name__ == "__main__":
    main()
