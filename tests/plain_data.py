"""A data module that is there and says nothing, for tests that need some of its members only."""

from types import SimpleNamespace

import numpy as np
from lightning.pytorch import LightningDataModule

from emoquant.types import Batch


def plain_split(utterances, emotions=(), speakers=(), lengths=()):
    """Return a split of utterances (which may be anything with an `id`, or numbers)."""
    return SimpleNamespace(
        utterances=utterances,
        emotions=np.asarray(emotions, np.int64),
        speakers=np.asarray(speakers, np.int64),
        lengths=np.asarray(lengths, np.int64),
        ids=lambda: [getattr(utterance, "id", str(utterance)) for utterance in utterances],
    )


class PlainData(LightningDataModule):
    """All members of :class:`emoquant.interfaces.access.EmotionData`; tests override what they are about."""

    batch_type = Batch
    name, emotions, speakers, budget = "plain", [], [], 1
    dim, encoder, origin, training_shares, fold = 1, None, None, {}, None

    def dataset(self, split):
        return plain_split(range(1))

    def reference_dataloader(self):
        return self.train_dataloader()

    def share_test(self, number, count, done=0):
        raise NotImplementedError("this data module has no shares")
