"""Features with planted emotions, a codec that pulls them to a chosen point, and a classifier that knows the truth."""

from pathlib import Path

import numpy as np
import soundfile
import torch
from plain_data import PlainData, plain_split
from torch.utils.data import DataLoader

from emoquant.codecs.base import Codec
from emoquant.data.base import Utterance
from emoquant.encoders.base import EmotionHead
from emoquant.types import Batch, Coded

EMOTIONS = ["angry", "happy", "neutral", "sad"]
DIM = 8
CENTROIDS = 3 * torch.eye(DIM)[: len(EMOTIONS)] + 1.0


def planted_batches(count=60, size=7, seed=0, speakers=12, emotions=4, spread=0.5):
    """Return batches of utterances around the centroid of their emotion; emotions and speakers take turns."""
    random = torch.Generator().manual_seed(seed)
    batches = []
    for begin in range(0, count, size):
        rows = torch.arange(begin, min(count, begin + size))
        lengths = torch.randint(2, 9, (len(rows),), generator=random)
        emotion = rows % emotions
        features = CENTROIDS[emotion][:, None] + spread * torch.randn(len(rows), 8, DIM, generator=random)
        features[torch.arange(8) >= lengths[:, None]] = 0.0
        votes = 0.75 * torch.eye(len(EMOTIONS))[emotion] + 0.25 * torch.eye(len(EMOTIONS))[(emotion + rows % 3) % 4]
        longest = int(lengths.max())
        batches.append(Batch(features[:, :longest], lengths, emotion, (rows // emotions) % speakers, rows, votes))
    return batches


def joined(batches):
    """Return all batches as one."""
    longest = max(batch.features.shape[1] for batch in batches)
    pad = [torch.nn.functional.pad(b.features, (0, 0, 0, longest - b.features.shape[1])) for b in batches]
    parts = list(zip(*batches, strict=True))[1:]
    return Batch(torch.cat(pad), *(None if part[0] is None else torch.cat(part) for part in parts))


class PullCodec(Codec):
    """Moves every frame to a point: not at all at lambda 0, all the way at infinity."""

    def __init__(self, target, points=(0.0, 1.0, 9.0), name="pull"):
        super().__init__()
        self.name, self.dim, self.positions, self.codewords = name, DIM, 2, 4
        self.points = tuple(points)
        self.register_buffer("target", target)

    def skip_vector(self):
        return self.target

    def forward(self, features, lengths, points=None):
        lmbdas = torch.tensor(self.points if points is None else points, device=features.device)[:, None, None]
        left = 1 / (1 + lmbdas)
        real = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
        moved = (left[..., None] * features + (1 - left[..., None]) * self.target) * real[..., None]
        codes = (features[..., :2].abs() * left[..., None] * 2).long().clamp(0, 3)
        codes[(left[..., None] < 0.2).expand(codes.shape)] = 4
        codes[:, ~real] = -1
        return Coded(codes.short(), moved, 10 * left * real)


class CentroidHead(EmotionHead):
    """Chooses the nearest centroid."""

    def __init__(self, dim=DIM):
        super().__init__()
        self.dim, self.labels = dim, ["生气/angry", "厌恶/disgusted", "开心/happy", "中立/neutral", "难过/sad"]
        centroids = torch.cat([CENTROIDS[:1], torch.full((1, DIM), -9.0), CENTROIDS[1:]])
        self.register_buffer("centroids", centroids)

    def forward(self, vectors):
        return -(vectors[..., None, :] - self.centroids).square().sum(-1)


class TinyData(PlainData):
    """The planted batches as a data module with all that tasks and callbacks read of one."""

    def __init__(self, count=60, folder=None, emotions=4):
        super().__init__()
        self.name, self.dim, self.emotions = "tiny", DIM, list(EMOTIONS)
        self.speakers = [f"s{index:02d}" for index in range(12)]
        splits = enumerate(("train", "validation", "test"))
        self.batches = {split: planted_batches(count, seed=seed, emotions=emotions) for seed, split in splits}
        self._share = 0, 1, 0
        self.folder = None if folder is None else Path(folder)

    def dataset(self, split):
        batch = joined(self.batches[split])
        path = Path("missing.wav")
        if self.folder is not None:
            path = self.folder / "tone.wav"
            soundfile.write(path, 0.1 * np.sin(np.arange(3200) / 5), 16_000)
        utterances = [
            Utterance(f"{split}-{row}", path, EMOTIONS[emotion], self.speakers[speaker], split)
            for row, emotion, speaker in zip(batch.utterances, batch.emotions, batch.speakers, strict=True)
        ]
        return plain_split(utterances, batch.emotions, batch.speakers, batch.lengths)

    def _loader(self, split):
        return DataLoader(self.batches[split], batch_size=None)

    def train_dataloader(self):
        return self._loader("train")

    def val_dataloader(self):
        return self._loader("validation")

    def test_dataloader(self):
        number, count, done = self._share
        return DataLoader(self.batches["test"][number::count][done:], batch_size=None)

    def share_test(self, number, count, done=0):
        self._share = number, count, done

    def reference_dataloader(self):
        return self._loader("train")
