"""Quantizers: frame features to codes and back, and the training of their codebooks."""

from emoquant.quantization.grvq import GroupedResidualVQ

__all__ = ["GroupedResidualVQ"]
