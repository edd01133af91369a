"""Rate and distortion of our codecs against the study's recipe, faiss and the bounds.

Run ``python benchmarks/rate_distortion.py --source s1`` (or ``s2``, or the YAML of a data module for real features).
Every codec is trained on the same frames and measured on others. dB: squared error over the variance of the
test frames about the training mean, which is the distortion at rate 0.
"""

import argparse
import time
from types import SimpleNamespace
from typing import NamedTuple

import lightning.pytorch as pl
import numpy as np
import sources
import torch
from rivals import faiss_points, plain_points
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from emoquant.codecs import ECVQ, STUDY_LAMBDAS
from emoquant.entropy import EntropyModel, LightModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.tasks import CodecTask
from emoquant.types import Batch

RATIOS = (0.0, *np.geomspace(0.01, 600, 26).tolist())


class Curve(NamedTuple):
    """Points of a codec in falling order of rate: bits a frame and distortion in dB; and what it was made in."""

    rate: np.ndarray
    db: np.ndarray
    rising: float  # share of an utterance's steps over the study's lambdas at which its rate rises at all
    rising_finely: float  # the same over RATIOS, by more than 0.2 % and 0.01 bits a frame
    minutes: float


def variance(features: sources.Features) -> float:
    """Mean square of the test frames about the training mean, per dimension."""
    return float((torch.cat(features.test) - torch.cat(features.train).mean(0)).square().mean())


class Memory(pl.LightningDataModule):
    """Utterances in memory, thirty a batch, of similar lengths."""

    def __init__(self, utterances: list[Tensor]) -> None:
        super().__init__()
        self.batch_type, self.name, self.budget, self.dim = Batch, "memory", 30, utterances[0].shape[1]
        self.emotions, self.speakers, self.encoder, self.origin = ["any"], ["any"], None, None
        self.utterances = utterances

    def train_dataloader(self) -> DataLoader:
        """Batches of thirty utterances in a new order every epoch."""
        order = sorted(range(len(self.utterances)), key=lambda row: len(self.utterances[row]))
        batches = [order[start : start + 30] for start in range(0, len(order), 30)]
        return DataLoader(batches, batch_size=None, shuffle=True, collate_fn=self._collate)

    def reference_dataloader(self) -> DataLoader:
        """Batches of the training utterances."""
        return self.train_dataloader()

    def dataset(self, split: str) -> SimpleNamespace:
        """The utterances, whatever the split."""
        return SimpleNamespace(utterances=self.utterances)

    def share_test(self, number: int, count: int, done: int = 0) -> None:
        """Refuse: the interface of data modules asks for this method, but this one is for training alone."""
        raise NotImplementedError("the test utterances are coded apart")

    def _collate(self, rows: list[int]) -> Batch:
        features, nothing = [self.utterances[row] for row in rows], torch.zeros(len(rows), dtype=torch.int64)
        lengths = torch.tensor([len(each) for each in features])
        return Batch(pad_sequence(features, batch_first=True), lengths, *[nothing] * 3, torch.zeros(len(rows), 1))


def trained(
    features: sources.Features, quantizer: GroupedResidualVQ, entropy: EntropyModel, epochs: int, beam: int = 1
) -> ECVQ:
    """Train a codec: codebooks for a quarter of the epochs, then the entropy model; the codebooks follow its codes."""
    pl.seed_everything(0, verbose=False)
    first = max(1, epochs // 4)
    joint = epochs // 3 if entropy.basis.knots > 1 else 0  # the study's codebooks stand when its entropy model learns
    settings = {"codebook_epochs": first, "gate_epochs": first, "joint_epochs": joint, "splits": 8, "beam": beam}
    task = CodecTask(quantizer, entropy, **settings)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(task, Memory(features.train))
    return ECVQ(quantizer, entropy)


def curve(codec: ECVQ, features: sources.Features, started: float) -> Curve:
    """Rate and distortion over lambda on the test utterances."""
    lengths = torch.tensor([len(each) for each in features.test])
    padded = pad_sequence(features.test, batch_first=True)
    coded = codec(padded, lengths, [ratio * codec.variance for ratio in RATIOS])
    rate = (coded.bits.sum((1, 2)) / lengths.sum()).numpy()
    error = (coded.features - padded).square().sum((1, 2, 3)) / lengths.sum() / padded.shape[2] / variance(features)
    finely = coded.bits.double().sum(2) / lengths
    rising_finely = float((finely.diff(dim=0) > 0.01 + 0.002 * finely[:-1]).float().mean())
    coded = codec(padded, lengths, STUDY_LAMBDAS)
    rising = float(((coded.bits.double().sum(2) / lengths).diff(dim=0) > 1e-6).float().mean())
    return Curve(rate, 10 * error.log10().numpy(), rising, rising_finely, (time.perf_counter() - started) / 60)


def bits_at(rate: np.ndarray, db: np.ndarray, wanted: float) -> float:
    """Bits a frame at a distortion in dB; NaN beyond the curve."""
    order = np.argsort(db)
    return float(np.interp(wanted, db[order], rate[order], np.nan, np.nan))


def bd_rate(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> float:
    """Mean difference of rate at equal distortion, in percent, where both curves are above one bit a frame."""
    spans = [db[rate > 1] for rate, db in (ours, theirs)]
    low, high = max(span.min() for span in spans), min(span.max() for span in spans)
    if low >= high:
        return float("nan")
    at = np.linspace(low, high, 200)[1:-1]
    logs = [[np.log(bits_at(rate, db, each)) for each in at] for rate, db in (ours, theirs)]
    return 100 * (np.exp(np.nanmean(np.subtract(*logs))) - 1)


def codecs(groups: int, dim: int) -> dict[str, tuple[GroupedResidualVQ, EntropyModel]]:
    """The schemes: quantizer and entropy model; the study's recipe first."""
    only_coarse = dim / groups / 2  # lambda over the variance: a codeword of a group of many dimensions saves more
    return {
        "study's recipe": (GroupedResidualVQ(groups, rotation="none"), LightModel(256, 0, False, knots=1)),
        "raw groups, intra-frame, lambda as condition": (
            GroupedResidualVQ(groups, rotation="none"),
            LightModel(256, 0, False, knots=10, high=2.0),
        ),
        "KLT groups, frame before": (GroupedResidualVQ(groups), LightModel(128)),
        "KLT groups, frame before, prediction": (GroupedResidualVQ(groups, prediction=True), LightModel(128)),
        "**the default: the same and a coarse stage**": (
            GroupedResidualVQ(groups, prediction=True, coarse=1),
            LightModel(128, high=only_coarse),
        ),
    }


def report(curves: dict[str, Curve], features: sources.Features) -> None:
    """Print the table of codecs."""
    bounds = {name: (rate, 10 * np.log10(error / variance(features))) for name, (rate, error) in
              ((name, points.T) for name, points in features.bounds)}  # fmt: skip
    study = next(iter(curves.values()))
    order = np.argsort(study.rate)
    at = {bits: float(np.interp(bits, study.rate[order], study.db[order])) for bits in (50, 100)}
    print(f"\n{features.name}: the study's recipe has {at[50]:.2f} dB at 50 and {at[100]:.2f} dB at 100 bits a frame\n")
    heads = "scheme", "dB at 10 / 25 / 50 / 100 / 150 bits", "bits at the study's 50 / 100-bit points", "BD-rate"
    heads += "bits, distortion / variance at the largest lambda", "rising steps, 14 lambdas / 27", "minutes"
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    everything = {name: (each.rate, each.db) for name, each in curves.items()} | bounds
    for name, (rate, db) in everything.items():
        order = np.argsort(rate)
        at_rates = " / ".join(f"{np.interp(bits, rate[order], db[order]):.2f}" for bits in (10, 25, 50, 100, 150))
        equal = [bits_at(rate, db, at[bits]) for bits in (50, 100)]
        saved = " / ".join(
            "-" if np.isnan(bits) else f"{bits:.1f} ({100 * bits / whole - 100:+.0f} %)"
            for bits, whole in zip(equal, (50, 100), strict=True)
        )
        made = curves.get(name)
        ends = f"{made.rate[-1]:.3f}, {10 ** (made.db[-1] / 10):.3f}" if made else ""
        rises = f"{100 * made.rising:.2f} / {100 * made.rising_finely:.2f} %" if made else ""
        rest = f"{rises} | {made.minutes:.1f}" if made else " | "
        gain = bd_rate((rate, db), (study.rate, study.db))
        print(f"| {name} | {at_rates} | {saved} | {gain:+.0f} % | {ends} | {rest} |")


def report_rivals(points: list[tuple[str, float, float]], best: Curve, unit: float) -> None:
    """Print what the best of our codecs needs for the distortion of each rival."""
    print("\n| rival | dB | its bits, entropy counted | ours at that distortion | difference |\n|---|---|---|---|---|")
    for name, bits, error in points:
        db = 10 * np.log10(error / unit)
        ours = bits_at(best.rate, best.db, db)
        print(f"| {name} | {db:.2f} | {bits:.1f} | {ours:.1f} | {100 * ours / bits - 100:+.0f} % |")


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="s1", help="s1, s2 or the YAML of a data module")
    parser.add_argument(
        "--utterances",
        type=int,
        default=200,
        help="training utterances; an eighth more are measured on, of a YAML a quarter",
    )
    parser.add_argument("--epochs", type=int, default=8, help="epochs of every codec")
    parser.add_argument("--groups", type=int, default=12, help="groups of all quantizers")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the schemes to run; the study's, 0, always is")
    parser.add_argument("--beam", type=int, default=4, help="beam of the last row, searched with the last scheme")
    parser.add_argument(
        "--trained-beam", type=int, default=1, help="beam of the search whose codes all but the study's learn"
    )
    parser.add_argument("--measured", type=int, help="test utterances to measure on, about; all by default")
    parser.add_argument("--without-faiss", action="store_true", help="leave out the rivals of faiss")
    arguments = parser.parse_args()
    features = sources.load(arguments.source, arguments.utterances)
    every = max(1, len(features.test) // (arguments.measured or len(features.test)))
    features = features._replace(test=features.test[::every])
    curves: dict[str, Curve] = {}
    for number, (name, (quantizer, entropy)) in enumerate(codecs(arguments.groups, features.train[0].shape[1]).items()):
        if number and arguments.only is not None and number not in arguments.only:
            continue
        started = time.perf_counter()
        codec = trained(features, quantizer, entropy, arguments.epochs, arguments.trained_beam if number else 1)
        curves[name] = curve(codec, features, started)
        print(f"{name}: " + " ".join(f"{r:.1f}:{d:.2f}" for r, d in zip(*curves[name][:2], strict=True)), flush=True)
        if not number:
            plain = plain_points(quantizer, torch.cat(features.train), torch.cat(features.test))
    best = list(curves.values())[-1]
    if arguments.beam > 1:
        codec.beam, started = arguments.beam, time.perf_counter()
        curves[f"the same, beam {arguments.beam}"] = curve(codec, features, started)
    if codec.quantizer.coarse:
        codec.beam, codec.survivors, started = 1, 16, time.perf_counter()
        curves["the default with look-ahead"] = curve(codec, features, started)
    report(curves, features)
    frames = torch.cat(features.train), torch.cat(features.test)
    points = plain + ([] if arguments.without_faiss else faiss_points(*frames, arguments.groups))
    report_rivals(points, best, variance(features))


if __name__ == "__main__":
    main()
