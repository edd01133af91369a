"""What is kept of emotion, speaker and words at few bits a second, by codecs aimed at a classifier and by others.

Train codecs first (``emoquant fit transform``, ``emoquant fit transform_for_head``), then run
``python benchmarks/task_bits.py --source YAML --codecs runs/A runs/B``. Bits are written ones, whole bytes, without
header. A share is chosen on ``--split validation``. Decisions are those of the encoder's own head, which a codec may be
aimed at, and of probes that no codec saw: discriminant analysis (LDA) and a linear support vector machine, trained on
the time means of the training split. Agreement: share of utterances whose decision is that before coding; KL: of the
probabilities from those before, in bits. Speakers are classified by an LDA that is fitted to half of the measured
utterances, words by one that is fitted to the training split.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import SVC
from torch import Tensor
from transform import load_bits

from emoquant.codecs.real_bits import RealBits

RATES = (3, 6, 12, 25, 50, 100, 250)
OCTAVES = np.arange(-2, 16.1, 0.5)
Array = NDArray[np.float64]


class Split(NamedTuple):
    """Utterances ``(T, D)`` with emotions, speakers and words as numbers."""

    features: list[Tensor]
    emotions: NDArray[np.int64]
    speakers: NDArray[np.int64]
    words: NDArray[np.int64]

    def means(self) -> Array:
        """Return time means, ``(N, D)``."""
        return torch.stack([each.mean(0) for each in self.features]).numpy()


def read_splits(path: Path, measured: str) -> tuple[LightningDataModule, Split, Split]:
    """Return the data module of a YAML, its training split and the one that is measured, by name."""
    parser = ArgumentParser()
    parser.add_subclass_arguments(LightningDataModule, "data")
    module = parser.instantiate(parser.parse_args([f"--data={path}"])).data
    module.prepare_data()
    module.setup("fit")
    module.setup("test")
    texts: dict[str, int] = {}
    asked = module.test_dataloader() if measured == "test" else module.val_dataloader()
    loaders = (("train", module.train_dataloader()), (measured, asked))
    splits = []
    for name, loader in loaders:
        utterances, rows = module.dataset(name).utterances, []
        for batch in loader:
            for i, length in enumerate(batch.lengths.tolist()):
                text = texts.setdefault(utterances[int(batch.utterances[i])].text, len(texts))
                rows.append((batch.features[i, :length].clone(), int(batch.emotions[i]), int(batch.speakers[i]), text))
        features, *labels = zip(*rows, strict=True)
        splits.append(Split(list(features), *map(np.array, labels)))
    return module, splits[0], splits[1]


def divergence(before: Array, after: Array) -> float:
    """Return the mean Kullback-Leibler divergence of rows of probabilities, in bits."""
    return float((before * (np.log2(before + 1e-12) - np.log2(after + 1e-12))).sum(1).mean())


class Judges:
    """The classifiers, fitted once; each measurement is of the time means of the coded test utterances."""

    def __init__(self, head: Callable[[Tensor], Tensor], train: Split, test: Split) -> None:
        self.head, self.test = head, test
        known, self.before = train.means(), test.means()
        self.lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(known, train.emotions)
        self.svm = SVC(kernel="linear", C=0.01).fit(known, train.emotions)
        self.half = np.arange(len(self.before)) % 2 == 0
        several = len(np.unique(test.speakers)) > 1
        self.speaker = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto") if several else None
        if self.speaker is not None:
            self.speaker.fit(self.before[self.half], test.speakers[self.half])
        told = len(np.unique(train.words)) > 1 and set(test.words) <= set(train.words)
        self.words = (
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(known, train.words) if told else None
        )

    def shares(self, vectors: Array) -> Array:
        """Return the probabilities of the head."""
        return self.head(torch.from_numpy(vectors).float()).double().softmax(-1).numpy()

    def measure(self, after: Array) -> list[float]:
        """Return agreement and KL of the head, of the LDA, agreement of the SVM, speakers and words recognised."""
        pairs = [(self.shares(self.before), self.shares(after))]
        pairs.append((self.lda.predict_proba(self.before), self.lda.predict_proba(after)))
        found = []
        for one, other in pairs:
            found += [float((one.argmax(1) == other.argmax(1)).mean()), divergence(one, other)]
        found.append(float((self.svm.predict(self.before) == self.svm.predict(after)).mean()))
        other, told = ~self.half, self.speaker
        found.append(float(told.score(after[other], self.test.speakers[other])) if told is not None else float("nan"))
        found.append(float(self.words.score(after, self.test.words)) if self.words is not None else float("nan"))
        return found


HEADS = ("head: agreement", "KL", "LDA: agreement", "KL", "SVM: agreement", "speaker", "words")


def curve(codec: RealBits, judges: Judges, frame_rate: float) -> tuple[Array, Array]:
    """Return bits a second in rising order, and what is measured there, ``(points, 7)``."""
    features, rows = judges.test.features, []
    seconds = sum(map(len, features)) / frame_rate
    for octave in OCTAVES:
        encodings = codec.encode_batch(features, codec.variance * 2.0**octave)
        bits = 8.0 * sum(len(packet.payload) for packet in codec.packets(encodings))
        after = torch.stack([each.features.mean(0) for each in encodings]).numpy()
        rows.append([bits / seconds, *judges.measure(after)])
        if bits == 0:
            break
    found = np.array(sorted(rows))
    return found[:, 0], found[:, 1:]


def needed(rate: Array, agreement: Array, least: float = 0.9) -> float:
    """Return the bits a second above which agreement is never below ``least``."""
    below = np.flatnonzero(agreement < least)
    if not len(below):
        return float(rate[0])
    at = int(below[-1])
    if at + 1 == len(rate):
        return float("nan")
    way = (least - agreement[at]) / (agreement[at + 1] - agreement[at])
    return float(np.exp(np.log(max(rate[at], 0.1)) * (1 - way) + np.log(max(rate[at + 1], 0.1)) * way))


def main() -> None:
    """Print a table for each codec, and the bits for agreement of 0.9."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, type=Path, help="YAML of a data module")
    parser.add_argument("--split", default="test", choices=("test", "validation"), help="what is measured")
    parser.add_argument("--codecs", required=True, nargs="+", help="runs or checkpoints of codecs that write bits")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    module, train, test = read_splits(arguments.source, arguments.split)
    judges = Judges(module.encoder.head(), train, test)
    print(f"{arguments.source}: {len(test.features)} {arguments.split} utterances; bits a second\n")
    whole = judges.measure(judges.before)
    print("uncoded: " + ", ".join(f"{name} {value:.2f}" for name, value in zip(HEADS, whole, strict=True)) + "\n")
    print("| codec | bits/s | " + " | ".join(HEADS) + " |\n" + "|---" * 9 + "|")
    lines = []
    for path in arguments.codecs:
        rate, found = curve(load_bits(path), judges, module.encoder.frame_rate)
        for asked in RATES:
            cells = [
                np.interp(np.log(asked), np.log(np.maximum(rate, 0.1)), column, np.nan, np.nan) for column in found.T
            ]
            shown = " | ".join(
                f"{cell:.3f}" if name == "KL" else f"{cell:.2f}" for name, cell in zip(HEADS, cells, strict=True)
            )
            print(f"| {Path(path).name} | {asked} | {shown} |", flush=True)
        bits = [needed(rate, found[:, place]) for place in (0, 2, 4)]
        lines.append(f"| {Path(path).name} | " + " | ".join(f"{each:.1f}" for each in bits) + " |")
    print("\n| bits/s for agreement of 0.9 | head | LDA | SVM |\n|---|---|---|---|\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
