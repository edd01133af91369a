"""Prediction of F0 and voicing by two predictors whose outputs are added, and the embedding of F0."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from emoquant.voice.tts.durations import ConvPredictor

_LOWEST, _HIGHEST, _BINS = 50.0, 1100.0, 256


class Melody(NamedTuple):
    """Hold predicted F0 and voicing.

    Attributes:
        f0: Normalised F0, ``(B, T)`` float32; :meth:`~emoquant.voice.tts.model.GenerSpeech.hertz` converts it to Hz.
        voicing: Logit of a frame being voiced, ``(B, T)`` float32.
    """

    f0: Tensor
    voicing: Tensor


def mel_scale(f0: Tensor) -> Tensor:
    """Convert frequencies from Hz to mel, ``1127 ln(1 + f / 700)``."""
    return 1127 * torch.log1p(f0 / 700)


def pitch_bins(f0: Tensor, voiced: Tensor) -> Tensor:
    """Quantize F0 to pitch bins, the rows of the pitch embedding.

    Args:
        f0: Fundamental frequency in Hz, any shape.
        voiced: Which frames are voiced, same shape, bool.

    Returns:
        Bins, same shape, int64: 1 for unvoiced frames and F0 up to 50 Hz, 255 from 1100 Hz on, evenly spaced in mel
        between.

    Example:
        >>> pitch_bins(torch.tensor([200.0, 30.0, 200.0, 9000.0]), torch.tensor([True, True, False, True])).tolist()
        [54, 1, 1, 255]
    """
    low, high = (1127 * math.log1p(hertz / 700) for hertz in (_LOWEST, _HIGHEST))
    place = 1 + (mel_scale(f0.float().clamp(min=0)) - low) * (_BINS - 2) / (high - low)
    return torch.where(voiced, place.clamp(1, _BINS - 1).round().long(), 1)


class PitchPredictorPair(nn.Module):
    """Predict F0 and voicing as the sum of two predictions: from content alone, and from content with all conditions.

    Args:
        hidden: Width of the model.
        dropout: Dropout of the style-agnostic predictor.
        styled_dropout: Dropout of the style-specific predictor.
    """

    def __init__(self, hidden: int, dropout: float, styled_dropout: float) -> None:
        super().__init__()
        self.agnostic = ConvPredictor(hidden, 2, layers=2, kernel=5, dropout=dropout)
        self.specific = ConvPredictor(hidden, 2, layers=3, kernel=5, dropout=styled_dropout)

    def forward(self, content: Tensor, styled: Tensor, mask: Tensor) -> Melody:
        """Predict normalised F0 and voicing of each frame.

        Args:
            content: Content of each frame, ``(B, T, H)``.
            styled: Content with every condition added, ``(B, T, H)``.
            mask: Real frames, ``(B, T)`` bool.
        """
        both = self.agnostic(content, mask) + self.specific(styled, mask)
        return Melody(*both.float().unbind(-1))


class PitchEmbedding(nn.Module):
    """Embed F0 by a learned vector for each pitch bin (:func:`pitch_bins`).

    Args:
        bins: Rows of the table; row 0 stands for padding.
        hidden: Width of the model.
    """

    def __init__(self, bins: int, hidden: int) -> None:
        super().__init__()
        self.table = nn.Embedding(bins, hidden, padding_idx=0)
        nn.init.normal_(self.table.weight[1:], std=hidden**-0.5)

    def forward(self, f0: Tensor, voiced: Tensor, mask: Tensor) -> Tensor:
        """Return embeddings ``(B, T, H)`` of F0 in Hz ``(B, T)`` and voicing ``(B, T)``; zeros outside the mask."""
        return self.table(torch.where(mask, pitch_bins(f0, voiced), 0))
