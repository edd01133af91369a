"""How often 95 % intervals hold the truth about speakers who were not measured, on simulated corpora.

Each speaker has a level of their own, and one for each emotion, so that utterances of a speaker are alike. The truth
is the mean over all speakers there could be. Printed are the shares of corpora whose interval holds it, with Clopper
and Pearson's 95 % interval: of the intervals in the columns ``low`` and ``high`` (over utterances, from ten speakers on
over speakers), and of those clustered by speaker.

    python benchmarks/interval_coverage.py [--repetitions 1000] [--write emoquant/reports/coverage.csv]
"""

import argparse
import csv
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import beta, norm
from torch import Tensor

from emoquant.metrics.clustered import Clusters, with_clusters
from emoquant.metrics.intervals import Blocks
from emoquant.metrics.measures import Measure, Observation
from emoquant.metrics.ratios import Figure, Ratios
from emoquant.metrics.tabulate import Sampling, Subject, measure_rows
from emoquant.storage.results import Row

SPEAKERS = (4, 6, 10, 24)
EMOTIONS, UTTERANCES = 5, 10
#: Deviations of speakers, of speakers by emotion and of utterances; the true recall of each emotion.
OF_SPEAKER, OF_EMOTION, OF_UTTERANCE = 0.5, 0.5, 1.0
RECALLS = (0.9, 0.7, 0.6, 0.5, 0.4)


class Planted(Measure):
    """A mean of utterances, their share of hits by emotion, and the mean of these shares."""

    width = 3

    def sums(self, seen: Observation) -> Tensor:
        """Raise an error: values are planted."""
        raise NotImplementedError

    def figures(self, sums: Tensor, metrics: Collection[str] | None = None) -> list[Figure]:
        """Return the mean, the recall of each emotion and the UAR."""
        values, hits, counts = sums.unbind(-1)
        ratios = Ratios(metrics)
        ratios.add("mean", values, counts, counts)
        ratios.add("recall", hits, counts, counts, share=True)
        ratios.add_pooled("uar", (hits / counts).mean(-1), counts)
        return ratios.found


def simulate(speakers: int, seed: int) -> list[Row]:
    """Return the rows of one simulated corpus.

    Args:
        speakers: Speakers ``S``.
        seed: Seed of the corpus and of its bootstrap.
    """
    random = np.random.default_rng([speakers, seed])
    shape = speakers, EMOTIONS, UTTERANCES
    levels = OF_SPEAKER * random.normal(size=(speakers, 1, 1)) + OF_EMOTION * random.normal(
        size=(speakers, EMOTIONS, 1)
    )
    values = levels + OF_UTTERANCE * random.normal(size=shape)
    spread = np.sqrt(OF_SPEAKER**2 + OF_EMOTION**2 + OF_UTTERANCE**2)
    hits = values < spread * norm.ppf(RECALLS)[:, None]
    of = torch.from_numpy(np.stack([values, hits, np.ones(shape)], -1)).flatten(0, 2)
    speaker, emotion = (torch.from_numpy(each.ravel()) for each in np.indices(shape)[:2])
    rows = torch.arange(len(of))
    kinds = Blocks(range(speakers)), Blocks(range(speakers), least=2)
    found = [_by(blocks, speaker, emotion, rows, of) for blocks in kinds]
    subject = Subject("simulated", "none", (0.0,), tuple(f"emotion {number}" for number in range(EMOTIONS)))
    made = measure_rows(subject, [Planted()], *found[0], Sampling(kinds[0].kind, 1000, seed))
    return with_clusters(made, [Planted()], Clusters(*found[1]))


def _by(blocks: Blocks, speaker: Tensor, emotion: Tensor, rows: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
    cells = blocks.assign(speaker, rows) * EMOTIONS + emotion
    counts = torch.bincount(cells, minlength=blocks.number * EMOTIONS).view(blocks.number, EMOTIONS)
    sums = torch.zeros(blocks.number * EMOTIONS, of.shape[-1], dtype=torch.float64).index_add_(0, cells, of)
    return sums.view(blocks.number, EMOTIONS, 1, -1), counts


class Coverage(NamedTuple):
    """How often the intervals of a figure hold the truth.

    Attributes:
        speakers: Speakers of each corpus.
        metric: The figure.
        main: Shares of corpora of the intervals in ``low`` and ``high``.
        clustered: The same of those clustered by speaker.
        repetitions: Corpora (times emotions, for recalls).
    """

    speakers: int
    metric: str
    main: float
    clustered: float
    repetitions: int


def coverage(speakers: int, repetitions: int) -> list[Coverage]:
    """Return the coverage of every figure on corpora of so many speakers."""
    truth = {f"emotion {number}": share for number, share in enumerate(RECALLS)}
    held: dict[str, list[tuple[bool, bool]]] = {"mean": [], "recall": [], "uar": []}
    for seed in range(repetitions):
        for row in simulate(speakers, seed):
            if (row.metric == "recall") != (row.emotion != "all"):
                continue  # means and UAR over all, recalls by emotion
            true = {"mean": 0.0, "uar": float(np.mean(RECALLS))}.get(row.metric, truth.get(row.emotion, 0.0))
            held[row.metric].append((row.low <= true <= row.high, row.speaker_low <= true <= row.speaker_high))
    return [Coverage(speakers, metric, *np.mean(each, 0).tolist(), len(each)) for metric, each in held.items()]


def binomial(share: float, count: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 95 % interval of a share of so many draws."""
    hits = round(share * count)
    low = 0.0 if not hits else float(beta.ppf(0.025, hits, count - hits + 1))
    return low, 1.0 if hits == count else float(beta.ppf(0.975, hits + 1, count - hits))


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    found = [each for speakers in SPEAKERS for each in coverage(speakers, options.repetitions)]
    print("| speakers | figure | `low`, `high` | clustered by speaker |\n|---|---|---|---|")
    for each in found:
        texts = [
            f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
            for share in (each.main, each.clustered)
            for low, high in [binomial(share, each.repetitions)]
        ]
        print(f"| {each.speakers} | {each.metric} | {' | '.join(texts)} |")
    if options.write:
        with options.write.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Coverage._fields)
            writer.writerows(tuple(round(x, 4) if isinstance(x, float) else x for x in each) for each in found)


if __name__ == "__main__":
    main()
