"""Utterance embeddings before and after coding in the logger: TensorBoard's projector, or a table."""

from collections.abc import Sequence

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from emoquant.callbacks.live import CodecCallback
from emoquant.callbacks.media import media_of
from emoquant.codecs.base import Codec
from emoquant.interfaces.access import data_of
from emoquant.metrics import utterance_vectors
from emoquant.types import Batch

HEADER = ["emotion", "speaker", "lmbda", "utterance"]


class EmbeddingProjector(CodecCallback):
    """Shows time means of utterances before coding and after it at some operating points, in validation or test.

    The task's part is its attribute ``codec`` (None while there is none yet). With several processes the utterances are
    those of rank zero.

    Args:
        points: Operating points.
        max_utterances: Utterances shown, each of them once more for every point.
        every_n_epochs: Epochs from one projection to the next in training.

    Raises:
        ValueError: A number is below 1 or there are no points.
    """

    def __init__(
        self, points: Sequence[float] = (0.0, 5.0, 50.0), max_utterances: int = 200, every_n_epochs: int = 10
    ) -> None:
        super().__init__(every_n_epochs, tests=True)
        if min(max_utterances, len(points)) < 1:
            raise ValueError("points and max_utterances must be at least 1")
        self.points, self.max_utterances = tuple(points), max_utterances
        self._wanted = 0
        self._vectors: list[Tensor] = []
        self._labels: list[list[str]] = []

    def begin(self, trainer: Trainer, module: LightningModule, codec: Codec) -> None:
        """Begin to collect, where there is a place to show it."""
        self._wanted = 0 if media_of(trainer) is None else self.max_utterances
        self._vectors, self._labels = [], []

    @torch.no_grad()
    def see(self, trainer: Trainer, codec: Codec, batch: Batch, split: str) -> None:
        """Collect the utterances of a batch."""
        room = self._wanted - len(self._vectors)
        if room <= 0:
            return
        data = data_of(trainer)
        rows = data.dataset(split).utterances
        batch = batch.part(0, room)
        coded = codec(batch.features, batch.lengths, self.points)
        after = utterance_vectors(coded.features, batch.lengths)  # (O, B, D)
        vectors = torch.cat([utterance_vectors(batch.features, batch.lengths)[None], after])
        self._vectors += vectors.movedim(1, 0).cpu().unbind(0)  # of each utterance (1 + O, D)
        for emotion, speaker, row in zip(batch.emotions, batch.speakers, batch.utterances, strict=True):
            names = [data.emotions[emotion], data.speakers[speaker], rows[row].id]
            self._labels += [[*names[:2], point, names[2]] for point in ("none", *(f"{p:g}" for p in self.points))]

    def end(self, trainer: Trainer, module: LightningModule, split: str) -> None:
        """Write what was collected."""
        media = media_of(trainer)
        if media is not None and self._vectors:
            vectors = torch.cat(self._vectors)
            media.embedding(f"utterances_{split}", vectors, self._labels, HEADER, trainer.global_step)
        self._vectors, self._labels = [], []
