"""Our codecs and rivals in one loop: rate, distortion, and the mean difference of rate with intervals over utterances.

Run ``python benchmarks/all_rivals.py --source YAML --codec RUN --others RUN ...`` (``s1`` and ``s2`` as sources train
transform codec and default codec first). All are trained on the same utterances and measured on the same others. Bits
of the transform codec are written ones without header; all others are ideal code lengths: of the transform rivals by
their own contexts, of quantizers of other libraries at order 0 and by this project's light model trained on their
codes. Codecs with codebooks search with look-ahead. Bounds and references are ideal, too.

BD-rate: mean difference of the rate at equal distortion between the first codec and each other one (negative: the first
needs fewer bits), where both have points, for low (0.2 to 2 bits a frame of the first), middle (2 to 20) and high rates
(20 to 200); the interval holds 95 of 100 resamples of the test utterances. ``--save`` keeps the points.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import klt_dct
import klt_dpcm
import lightning.pytorch as pl
import numpy as np
import sources
import torch
from coded_quantizers import faiss_codes, histogram_bits, model_bits, vector_quantize_codes
from jsonargparse import ArgumentParser
from numpy.typing import NDArray
from rate_distortion import Memory
from torch import Tensor
from transform import OCTAVES, RATES, at_rates, load_bits

from emoquant.codecs import ECVQ
from emoquant.codecs.real_bits import RealBits
from emoquant.storage.documents import read_config
from emoquant.storage.shipped import CONFIGS

#: Bits and squared errors of every test utterance at each operating point, ``(O, N, 2)``.
Points = NDArray[np.float64]
BANDS = {"low": (0.2, 2.0), "middle": (2.0, 20.0), "high": (20.0, 200.0)}
REPLICATES = 300


def codec_points(codec: RealBits, utterances: list[Tensor]) -> tuple[Points, Points]:
    """Return the points of a codec over lambda: with ideal code lengths, and with written ones but for codebooks."""
    lmbdas, found = [codec.variance * 2.0**octave for octave in OCTAVES], []
    if isinstance(codec, ECVQ):
        codec.survivors = 16
    for first in range(0, len(utterances), 16):
        part = utterances[first : first + 16]
        lengths = torch.tensor([len(each) for each in part])
        padded = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
        coded = codec(padded, lengths, lmbdas)
        valid = torch.arange(padded.shape[1]) < lengths[:, None]
        error = ((coded.features - padded).square().sum(-1) * valid).double().sum(2)
        ideal = coded.bits.double().sum(2)
        written = ideal if isinstance(codec, ECVQ) else codec.coded_bits(coded, lengths, lmbdas)
        found.append(torch.stack([ideal, written, error], 2).numpy())
    points = np.concatenate(found, 1)
    return points[..., [0, 2]], points[..., [1, 2]]


def rival_points(
    train: list[Tensor], test: list[Tensor], steps: NDArray[np.float64], quantizers: bool
) -> Iterator[tuple[str, Points]]:
    """Yield names and points of the rivals, of other libraries' quantizers on demand; faiss's where it is installed."""
    wide = [[each.double().numpy() for each in part] for part in (train, test)]
    yield "KLT + DCT", klt_dct.utterance_points(*wide, steps)
    yield "KLT + DPCM", klt_dpcm.utterance_points(*wide, steps)
    if not quantizers:
        return
    mean = torch.cat(train).mean(0)
    known, asked = (torch.cat(part) - mean for part in (train, test))
    lengths = [len(each) for each in train], [len(each) for each in test]
    curves: dict[str, list[Points]] = {}
    for source in (vector_quantize_codes, faiss_codes):
        try:
            for coded in source(known, asked):
                for counted, bits in (("order 0", histogram_bits(coded)), ("our model", model_bits(coded, lengths))):
                    sums = [[float(each.sum()) for each in values.split(lengths[1])] for values in (bits, coded.error)]
                    name = f"{coded.name.rpartition(', ')[0]}, {counted}"
                    curves.setdefault(name, []).append(np.array(sums).T[None])
        except ImportError:
            print('faiss is not installed (pip install -e ".[bench]"): its quantizers are LEFT OUT', flush=True)
    yield from ((name, np.concatenate(points)) for name, points in curves.items())


def curve(points: Points, chosen: NDArray[np.int64], frames: NDArray[np.float64]) -> tuple[Points, Points]:
    """Return the logarithm of the rate and that of the distortion in rising order of the rate, of some utterances."""
    bits, error = points[:, chosen].sum(1).T / frames[chosen].sum()
    order = np.argsort(bits)
    return np.log(np.maximum(bits[order], 1e-9)), np.log(error[order])


def difference(ours: tuple[Points, Points], theirs: tuple[Points, Points], band: tuple[float, float]) -> float:
    """Return the mean difference of the rate at equal distortion in percent; NaN where the curves do not meet.

    Args:
        ours: Logarithms of rate and distortion of the first codec.
        theirs: Those of the other.
        band: Rates of the first codec between which it is taken.
    """
    ends = np.interp(np.log(band), *ours)
    worst, best = min(ends[0], theirs[1].max()), max(ends[1], theirs[1].min())
    if worst - best < 0.05:  # 0.2 dB
        return float("nan")
    at = np.linspace(best, worst, 50)
    rates = [np.interp(at, np.minimum.accumulate(error)[::-1], rate[::-1]) for rate, error in (ours, theirs)]
    return float(100 * np.expm1(np.mean(rates[0] - rates[1])))


def row(name: str, points: Points, first: Points, frames: NDArray[np.float64], whole: float) -> str:
    """Return a line of the table: dB at rates, and differences of the first codec from this one with intervals."""
    random, count = np.random.default_rng(0), len(frames)
    rate, error = curve(points, np.arange(count), frames)
    db = np.interp(np.log(RATES), rate, 10 * (error - np.log(whole)) / np.log(10), np.nan, np.nan)
    cells = [" | ".join("" if np.isnan(each) else f"{each:.2f}" for each in db)]
    draws = [random.integers(0, count, count) for _ in range(REPLICATES)]
    for band in BANDS.values():
        value = difference(*(curve(each, np.arange(count), frames) for each in (first, points)), band)
        if np.isnan(value) or points is first:
            cells.append("")
            continue
        spread = [difference(*(curve(each, draw, frames) for each in (first, points)), band) for draw in draws]
        low, high = np.nanpercentile(spread, [2.5, 97.5])
        cells.append(f"{value:+.0f} % ({low:+.0f} to {high:+.0f})")
    return f"| {name} | " + " | ".join(cells) + " |"


def references(features: sources.Features, test: list[Tensor]) -> Iterator[tuple[str, Points]]:
    """Yield bits and squared error a frame that codecs are read against, ``(points, 2)``.

    Of a synthetic source they are bounds. Of real features the reference with memory knows rotation and spectra of the
    test utterances, and is no bound.
    """
    for name, points in features.bounds:
        yield name, points * [1, test[0].shape[1]]  # errors a dimension to errors a frame
    if len(features.bounds) == 1:
        own = klt_dct.PlainTransform([each.double().numpy() for each in test])
        yield "Gaussian reference with memory (no bound)", own.reference([len(each) for each in test])


def trained(name: str, features: sources.Features, folder: Path) -> str:
    """Train the codec of a configuration on a source and return its checkpoint."""
    config = read_config(CONFIGS / "train" / f"{name}.yaml")
    parser = ArgumentParser()
    parser.add_subclass_arguments(pl.LightningModule, "model")
    pl.seed_everything(0, verbose=False)
    task = parser.instantiate_classes(parser.parse_object({"model": config["model"]})).model
    trainer = pl.Trainer(
        max_epochs=config["trainer"]["max_epochs"], accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(task, Memory(features.train))
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(folder / f"{name}.ckpt")
    return str(folder / f"{name}.ckpt")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="s1, s2 or YAML of a data module")
    parser.add_argument(
        "--codec", help="run or checkpoint of a transform codec; this and `codec` are trained here if left out"
    )
    parser.add_argument("--others", nargs="*", default=[], help="runs of other codecs that write bits")
    parser.add_argument("--utterances", type=int, default=10**9, help="training utterances at most, evenly spread")
    parser.add_argument("--measured", type=int, default=1000, help="test utterances at most, evenly spread")
    parser.add_argument("--transforms", action="store_true", help="leave out quantizers of other libraries")
    parser.add_argument("--save", type=Path, default=Path("runs/rivals"), help="folder of points and trained codecs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    features = sources.load(arguments.source, arguments.utterances)
    count = min(arguments.measured, len(features.test))
    test = [features.test[row * len(features.test) // count] for row in range(count)]
    frames = np.array([len(each) for each in test], float)
    whole = float((torch.cat(test) - torch.cat(features.train).mean(0)).square().sum() / frames.sum())
    folder = arguments.save / Path(arguments.source).stem
    codec = load_bits(arguments.codec or trained("transform", features, folder))
    others = arguments.others or ([] if arguments.codec else [trained("codec", features, folder)])
    ideal, first = codec_points(codec, test)
    print(f"\n{features.name}: {count} test utterances, {int(frames.sum())} frames\n")
    print("| bits a frame | " + " | ".join([*(f"{rate:g}" for rate in RATES), *BANDS]) + " |\n" + "|---" * 13 + "|")
    print(row("**transform codec**", first, first, frames, whole), flush=True)
    print(row("the same, ideal code lengths", ideal, first, frames, whole), flush=True)
    for name, points in references(features, test):
        order = np.argsort(points[:, 0])
        rate, db = points[order, 0], 10 * np.log10(points[order, 1] / whole)
        cells = [f"{each:.2f}" for each in at_rates(rate, db)]
        print(f"| {name} | " + " | ".join([*cells, "", "", ""]) + " |", flush=True)
    ours = ((Path(each).stem, codec_points(load_bits(each, {}), test)[0]) for each in others)
    steps, saved = np.geomspace(0.08, 60, 18) * np.sqrt(codec.variance), {"transform codec": first}
    for source in (ours, rival_points(features.train, test, steps, not arguments.transforms)):
        for name, points in source:
            saved[name] = points
            print(row(name, points, first, frames, whole), flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "points.npz", frames=frames, whole=whole, **saved)
    print(f"\n{time.process_time():.0f} CPU s")


if __name__ == "__main__":
    main()
