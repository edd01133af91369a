"""A data module of random voice batches, with all that training a voice reads of one."""

import torch
from plain_data import PlainData
from torch.utils.data import DataLoader
from voice_batches import voice_batch

from emoquant.audio.mel import MelSettings
from emoquant.types import TTSBatch


class VoiceData(PlainData):
    """Batches of other utterances on every rank."""

    batch_type = TTSBatch

    def __init__(self, batches: int = 3, phones: int = 10):
        super().__init__()
        self.batches = batches
        self.phones = [f"p{index}" for index in range(phones)]
        self.front_end, self.mel, self.encoder_name = "test", MelSettings(mels=8), "random"
        self.dim, self.speaker_dim, self.f0_mean, self.f0_std = 6, 5, 140.0, 20.0
        self.speaker_log_f0, self.log_f0_std = torch.tensor([4.7, 5.3]), 0.2
        self.emotion_mean, self.emotion_std = torch.zeros(6), torch.ones(6)
        self.emotions, self.speakers = ["angry", "happy", "neutral", "sad", "surprise"], ["one", "two"]
        self.speaker_centroids = torch.nn.functional.normalize(torch.randn(2, 5), dim=1)

    def _loader(self, seed):
        rank = self.trainer.global_rank if self.trainer else 0
        seeds = [1000 * rank + seed + index for index in range(self.batches)]
        return DataLoader([voice_batch(counts=(5, 7, 4 + each % 2), seed=each) for each in seeds], batch_size=None)

    def train_dataloader(self):
        return self._loader(0)

    def val_dataloader(self):
        return self._loader(100)
