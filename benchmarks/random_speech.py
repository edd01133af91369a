"""Random features and random batches of a voice for benchmarks that need sizes and no corpus."""

from types import SimpleNamespace

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from emoquant.audio.mel import MelSettings
from emoquant.types import Batch, StyleReference, TTSBatch


def speech_like(utterances: int, frames: int, dim: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return frames with memory, as an encoder's have, ``(B, T, D)``, and their lengths."""
    generator = torch.Generator().manual_seed(seed)
    state, found = torch.zeros(utterances, dim), []
    scale = torch.linspace(3, 0.1, dim)
    for _ in range(frames):
        state = 0.9 * state + 0.44 * torch.randn(utterances, dim, generator=generator)
        found.append(state * scale)
    return torch.stack(found, 1), torch.full((utterances,), frames)


def spoken(utterances: int, phones: int, mels: int = 80, dim: int = 768, seed: int = 0) -> TTSBatch:
    """Return a batch of random utterances."""
    generator = torch.Generator().manual_seed(seed)
    shape = utterances, phones
    durations = torch.randint(2, 9, shape, generator=generator)
    lengths = durations.sum(1)
    longest = int(lengths.max())
    inside = torch.arange(longest) < lengths.unsqueeze(1)
    frames = (torch.randn(utterances, longest, mels, generator=generator) - 3) * inside.unsqueeze(-1)
    place = torch.arange(longest).expand(utterances, -1)
    style = StyleReference(frames, lengths, (place // 5 + 1) * inside, (place // 20 + 1) * inside)
    emotion = torch.randn(utterances, 60, dim, generator=generator)
    return TTSBatch(
        phones=torch.randint(1, 60, shape, generator=generator),
        phone_lengths=torch.full((utterances,), phones),
        durations=durations,
        words=(torch.arange(phones) // 4 + 1).expand(shape).contiguous(),
        mels=frames,
        mel_lengths=lengths,
        f0=(120 + 40 * torch.rand(utterances, longest, generator=generator)) * inside,
        voiced=inside & (place % 3 > 0),
        style=style,
        emotion_frames=emotion,
        emotion_lengths=torch.full((utterances,), 60),
        speaker_vectors=nn.functional.normalize(torch.randn(utterances, 256, generator=generator), dim=1),
        emotions=torch.zeros(utterances, dtype=torch.int64),
        speakers=torch.zeros(utterances, dtype=torch.int64),
        utterances=torch.arange(utterances),
    )


class RandomData(LightningDataModule):
    """One batch again and again, another one on every rank, with all that codecs and voices read of a data module.

    Args:
        kind: ``"features"`` or ``"voice"``.
        utterances: Utterances of a batch.
        batches: Batches of an epoch.
        dim: Feature dimensions.
    """

    def __init__(self, kind: str, utterances: int, batches: int, dim: int = 768) -> None:
        super().__init__()
        self.batch_type = TTSBatch if kind == "voice" else Batch
        self.name, self.budget, self.encoder, self.origin = "random", utterances, None, None
        self.kind, self.utterances, self.batches, self.dim = kind, utterances, batches, dim
        self.phones, self.front_end = [f"p{number}" for number in range(60)], "random"
        self.mel, self.encoder_name, self.speaker_dim = MelSettings.generspeech(), "random", 256
        self.f0_mean, self.f0_std = 150.0, 30.0
        self.emotion_mean, self.emotion_std = torch.zeros(dim), torch.ones(dim)
        self.emotions, self.speakers = ["angry", "happy", "neutral", "sad", "surprise"], ["one", "two"]
        self.speaker_centroids = nn.functional.normalize(torch.randn(2, 256), dim=1)

    def dataset(self, split: str) -> SimpleNamespace:
        """Return the numbers of a split's utterances."""
        return SimpleNamespace(utterances=range(self.utterances * self.batches))

    def reference_dataloader(self) -> DataLoader[Batch | TTSBatch]:
        """Return the training batches."""
        return self.train_dataloader()

    def share_test(self, number: int, count: int, done: int = 0) -> None:
        """Refuse: the interface of data modules asks for this method, but random data have no test split."""
        raise NotImplementedError("random data have no test split")

    def train_dataloader(self) -> DataLoader[Batch | TTSBatch]:
        """Return the batches of this rank."""
        rank = self.trainer.global_rank if self.trainer is not None else 0
        if self.kind == "voice":
            batch: Batch | TTSBatch = spoken(self.utterances, 80, dim=self.dim, seed=rank)
        else:
            features, lengths = speech_like(self.utterances, 150, self.dim, rank)
            rows = torch.arange(self.utterances)
            zeros = torch.zeros_like(rows)
            batch = Batch(features, lengths, zeros, zeros, rows, torch.zeros(len(rows), 5))
        return DataLoader([batch] * self.batches, batch_size=None)  # type: ignore[arg-type]  # a list is a data set
