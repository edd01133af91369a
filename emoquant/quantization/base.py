"""What every quantizer of frame features offers."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from emoquant.types import Quantized


class Quantizer(nn.Module, ABC):
    """Frames to codes and back, without regard to rate.

    Attributes:
        dim: Feature dimensions ``D``.
        positions: Codes of a frame ``P``.
        codewords: Codewords ``K`` of a position; code ``K`` is SKIP, the zero codeword.
    """

    dim: int
    positions: int
    codewords: int

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Quantized:
        """Return nearest-codeword codes, SKIP included, and their reconstruction.

        Args:
            features: Frame features, ``(B, T, D)``.
            lengths: Frames of each utterance, ``(B,)`` int64.
        """

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Return the frames ``(..., T, D)`` float32 of codes ``(..., T, P)`` in ``[0, K]``; -1 decodes to zeros."""
