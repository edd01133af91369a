"""What an evaluation takes from the training split before it measures: centroids, and what rates vectors."""

import torch
from lightning.fabric.utilities import move_data_to_device
from torch import nn

from emoquant.interfaces.protocols import EmotionData
from emoquant.metrics import References, ReferenceVectors
from emoquant.metrics.dimensions import RatingRegression


def training_points(data: EmotionData, device: torch.device) -> tuple[References, nn.Module | None]:
    """Return centroids and mean of the training split, of which each rank reads its share, and what rates vectors.

    The latter gives arousal, valence and dominance of utterance vectors: the encoder's own head, where it has one, else
    a regression on the ratings of the training split; None without either.

    Args:
        data: The data module.
        device: Device of the sums.

    Raises:
        ValueError: An emotion has no utterance in the training split.
    """
    own = None if data.encoder is None else data.encoder.dimension_head()
    vectors = ReferenceVectors(data.emotions, data.dim).to(device)
    ratings = RatingRegression(data.dim).to(device)
    for batch in data.reference_dataloader():
        moved = move_data_to_device(batch, device)
        vectors.update(moved)
        if own is None:
            ratings.update(moved)
    references: References = vectors.compute()
    return references, own if own is not None else ratings.compute()
