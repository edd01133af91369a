"""The identity codec, by which unquantized features are in the same tables."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.types import Coded, length_mask


class Identity(Codec):
    """Return features unchanged: no codes, no bits, one operating point (NaN)."""

    def __init__(self, name: str = "none") -> None:
        super().__init__()
        self.name, self.dim, self.positions, self.codewords = name, 0, 0, 0
        self.points = (math.nan,)

    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Return the features, zeros past the end of an utterance; see :meth:`Codec.forward`."""
        count = len(self.points if points is None else points)
        valid = length_mask(lengths.to(features.device), features.shape[1])
        kept = torch.where(valid.unsqueeze(-1), features.float(), 0.0)
        codes = torch.zeros(count, *features.shape[:2], 0, dtype=torch.int16, device=features.device)
        return Coded(
            codes, kept.expand(count, *kept.shape), torch.zeros(count, *features.shape[:2], device=kept.device)
        )
