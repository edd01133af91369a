"""Conditions of a whole utterance: emotion and speaker vectors, projected to the width of the model."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoquant.voice.tts.architecture import EmotionNorm

#: Least standard deviation that a dimension is divided by.
_LEAST_DEVIATION = 1e-5


def or_null(values: Tensor, null: Tensor, dropped: Tensor) -> Tensor:
    """Replace the values ``(B, T, H)`` of dropped items, ``(B,)`` bool, by a learned vector ``(H,)``."""
    return torch.where(dropped[:, None, None], null.to(values.dtype), values)


class SpeakerProjection(nn.Module):
    """Project speaker vectors to the width of the model; items without a speaker get a learned vector.

    Args:
        dim: Dimensions of a speaker vector.
        hidden: Width of the model.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, hidden)
        self.null = nn.Parameter(torch.zeros(hidden))

    def forward(self, vectors: Tensor, dropped: Tensor) -> Tensor:
        """Return conditions ``(B, 1, H)``.

        Args:
            vectors: Speaker vectors, ``(B, S)``.
            dropped: Items that get the learned vector instead, ``(B,)`` bool.
        """
        return or_null(self.linear(vectors).unsqueeze(1), self.null, dropped)


class EmotionProjection(nn.Module):
    """Project emotion vectors to the width of the model; items without an emotion get a learned vector.

    The vectors are time means of the frames of an emotion encoder, quantized or not. Vectors of emotion2vec are not of
    unit length, and quantization shortens them. ``l2`` hides that from the model, ``standardize`` does not.

    Args:
        dim: Dimensions of an emotion vector.
        hidden: Width of the model.
        norm: ``none``, ``l2`` (unit length) or ``standardize`` (by the training split's mean and standard deviation,
            set with :meth:`set_statistics`).

    Attributes:
        mean: Training mean of the vectors, ``(D,)``.
        deviation: Training standard deviation of each dimension, ``(D,)``.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int, hidden: int, norm: EmotionNorm) -> None:
        super().__init__()
        self.norm = norm
        self.linear = nn.Linear(dim, hidden)
        self.null = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def set_statistics(self, mean: Tensor, deviation: Tensor) -> None:
        """Set the training mean and standard deviation ``(D,)`` that ``standardize`` uses.

        Raises:
            ValueError: The shapes do not fit the projection.
        """
        if mean.shape != self.mean.shape or deviation.shape != self.mean.shape:
            raise ValueError(
                f"statistics of shape {tuple(mean.shape)} and {tuple(deviation.shape)} do not fit emotion vectors of "
                f"{len(self.mean)} dimensions; compute them with the encoder that the model is built for"
            )
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp(min=_LEAST_DEVIATION))

    def forward(self, vectors: Tensor, dropped: Tensor) -> Tensor:
        """Return conditions ``(B, 1, H)``.

        Args:
            vectors: Emotion vectors, ``(B, D)``, as they come from the encoder or the codec.
            dropped: Items that get the learned vector instead, ``(B,)`` bool.
        """
        with torch.autocast(vectors.device.type, enabled=False):
            vectors = vectors.float()
            if self.norm == "l2":
                vectors = functional.normalize(vectors, dim=-1)
            elif self.norm == "standardize":
                vectors = (vectors - self.mean.float()) / self.deviation.float()
        return or_null(self.linear(vectors).unsqueeze(1), self.null, dropped)
