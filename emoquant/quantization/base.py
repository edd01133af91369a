"""Base class of the quantizers of frame features."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from emoquant.types import Quantized


class Quantizer(nn.Module, ABC):
    """Quantize frames to codes and decode codes to frames; the choice of codes ignores what they cost in bits.

    Attributes:
        dim: Feature dimensions ``D``.
        positions: Code positions of a frame ``P``: how many codes each frame gets.
        codewords: Codewords ``K`` of a position; code ``K`` is SKIP, the zero codeword.
    """

    dim: int
    positions: int
    codewords: int

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Quantized:
        """Return the code of the nearest codeword at every position (SKIP is a candidate) and the reconstruction.

        Args:
            features: Frame features, ``(B, T, D)``.
            lengths: Frames of each utterance, ``(B,)`` int64.
        """

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes ``(..., T, P)`` in ``[0, K]`` to frames ``(..., T, D)`` float32; -1 (padding) gives zeros."""
