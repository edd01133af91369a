"""Frames to codes and back."""

from emoquant.quantization.grvq import GroupedResidualVQ

__all__ = ["GroupedResidualVQ"]
