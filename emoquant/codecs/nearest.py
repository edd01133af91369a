"""Plain nearest-codeword quantization: no entropy model, one operating point."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.ecvq import check_features
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import Coded, length_mask


class Nearest(Codec):
    """Code frames by their nearest codewords at a fixed rate of ``P log2 V`` bits a frame.

    Args:
        quantizer: An initialised quantizer.
        name: Name in the tables.
    """

    def __init__(self, quantizer: GroupedResidualVQ, name: str = "nearest") -> None:
        super().__init__()
        self.quantizer, self.name, self.points = quantizer.requires_grad_(False), name, (0.0,)
        self.dim, self.positions, self.codewords = quantizer.dim, quantizer.positions, quantizer.codewords

    @property
    def mean(self) -> Tensor:
        """Training mean of the frames, ``(D,)``."""
        return self.quantizer.transform.mean

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch; the result is the same at all points. See :meth:`Codec.forward`."""
        check_features(features, lengths, self.dim)
        quantized = self.quantizer(features, lengths.to(features.device))
        valid = length_mask(lengths.to(features.device), features.shape[1])
        bits = valid.float() * (self.positions * math.log2(self.codewords + 1))
        count = len(self.points if points is None else points)
        repeated = (each.unsqueeze(0).expand(count, *each.shape) for each in quantized)
        codes, output = repeated
        return Coded(codes.to(torch.int16), output, bits.expand(count, *bits.shape))
