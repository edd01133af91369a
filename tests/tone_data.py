"""A data module of tones in noise: emotions are pitches, so that encoders have something to learn."""

import torch
from plain_data import PlainData, plain_split
from torch.utils.data import DataLoader

from emoquant.types import AudioBatch


class ToneData(PlainData):
    """Batches of six utterances, of other ones on every rank."""

    batch_type = AudioBatch
    name, emotions, speakers = "tones", ["angry", "neutral", "sad"], ["one", "two"]
    sample_rate = 16_000

    def __init__(self, batches=2, samples=6400):
        super().__init__()
        self.batches, self.samples = batches, samples

    def dataset(self, split):
        rows = torch.arange(6)
        return plain_split(range(6), rows % 3, rows % 2, torch.full((6,), self.samples))

    def _batch(self, seed):
        generator, rows = torch.Generator().manual_seed(seed), torch.arange(6)
        time = torch.arange(self.samples) / 16_000
        pitch = torch.tensor([320.0, 110.0, 200.0])[rows % 3, None]
        waveforms = 0.1 * torch.sin(6.283 * pitch * time) + 0.01 * torch.randn(6, self.samples, generator=generator)
        lengths = self.samples - 320 * (rows % 3)
        waveforms = waveforms * (torch.arange(self.samples) < lengths[:, None])
        return AudioBatch(waveforms, lengths, rows % 3, rows % 2, rows)

    def _loader(self, seed):
        rank = self.trainer.global_rank if self.trainer else 0
        return DataLoader([self._batch(100 * rank + seed + each) for each in range(self.batches)], batch_size=None)

    def train_dataloader(self):
        return self._loader(0)

    def val_dataloader(self):
        return self._loader(10)

    def test_dataloader(self):
        return self._loader(20)
