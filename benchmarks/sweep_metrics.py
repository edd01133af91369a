"""What the measures of a sweep cost beside the search, and how their memory grows with the utterances.

Run ``python benchmarks/sweep_metrics.py --utterances 500 2500``: random features, codes and reconstructions of the
full size (768 dimensions, 36 positions of 129 codes, 14 lambdas) go through the sweep's measures. Times are of the
processor, on one thread, without the making of the random batches.
"""

import argparse
import resource
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from emoquant.codecs.base import STUDY_LAMBDAS, Codec
from emoquant.labels import STUDY_EMOTIONS
from emoquant.metrics import References, SweepMetrics
from emoquant.types import Batch, Coded

DIM, POSITIONS, CODEWORDS, EMOTIONS, LABELS = 768, 36, 128, 5, 9


class RandomCodec(Codec):
    """Random codes and shrunken features; counts the time it takes itself."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.dim, self.positions, self.codewords = "random", DIM, POSITIONS, CODEWORDS
        self.points, self.seconds = STUDY_LAMBDAS, 0.0

    def skip_vector(self) -> Tensor:
        """Return a point of feature space."""
        return torch.full((DIM,), 0.1)

    def forward(self, features: Tensor, lengths: Tensor, points: object = None) -> Coded:
        """Return something of the shapes of a coded batch."""
        begin = time.process_time()
        count, (batch, frames, _) = len(self.points), features.shape
        real = torch.arange(frames) < lengths[:, None]
        codes = torch.randint(0, CODEWORDS + 1, (count, batch, frames, POSITIONS), dtype=torch.int16)
        codes[:, ~real] = -1
        left = torch.linspace(1, 0.1, count)[:, None, None, None]
        coded = Coded(codes, left * features + 0.01 * real[..., None], torch.rand(count, batch, frames) * real)
        self.seconds += time.process_time() - begin
        return coded


class Head(torch.nn.Linear):
    """A classifier of random weights with the classes of emotion2vec."""

    labels = (*STUDY_EMOTIONS, "fear", "disgust", "other", "unknown")
    dim = DIM


def batches(utterances: int) -> Iterator[Batch]:
    """Yield batches of 16 utterances of 50 to 249 frames."""
    for begin in range(0, utterances, 16):
        rows = torch.arange(begin, min(utterances, begin + 16))
        lengths = torch.randint(50, 250, (len(rows),))
        features = torch.randn(len(rows), int(lengths.max()), DIM)
        features[torch.arange(features.shape[1]) >= lengths[:, None]] = 0.0
        yield Batch(features, lengths, rows % EMOTIONS, rows % 3, rows, torch.zeros(len(rows), EMOTIONS))


def main() -> None:
    """Measure sweeps of the sizes asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, nargs="+", default=[500, 2500])
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    references = References(
        torch.randn(EMOTIONS, DIM).double(), torch.randn(DIM).double(), torch.ones(EMOTIONS, dtype=torch.int64)
    )
    print(f"{'utterances':>10}{'frames':>10}{'measures s':>12}{'rows s':>8}{'peak MiB':>10}")
    for utterances in options.utterances:
        codec, frames, spent = RandomCodec(), 0, 0.0
        sweep = SweepMetrics([codec], STUDY_EMOTIONS, references, Head(DIM, LABELS))
        for batch in batches(utterances):
            begin = time.process_time()
            sweep.update(batch)
            spent += time.process_time() - begin
            frames += int(batch.lengths.sum())
        begin = time.process_time()
        sweep.compute()
        rows = time.process_time() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{utterances:>10}{frames:>10}{spent - codec.seconds:>12.2f}{rows:>8.2f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
