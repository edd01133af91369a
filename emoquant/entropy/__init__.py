"""Entropy models: probabilities of codes, by which rates are estimated and codes are coded."""

from emoquant.entropy.autoregressive import AutoregressiveModel
from emoquant.entropy.base import EntropyModel, Layout
from emoquant.entropy.factorized import FactorizedModel
from emoquant.entropy.light import LightModel

__all__ = ["AutoregressiveModel", "EntropyModel", "FactorizedModel", "Layout", "LightModel"]
