"""How likely codes are: what a rate is measured and coded with."""

from emoquant.entropy.autoregressive import AutoregressiveModel
from emoquant.entropy.base import EntropyModel, Layout
from emoquant.entropy.factorized import FactorizedModel
from emoquant.entropy.light import LightModel

__all__ = ["AutoregressiveModel", "EntropyModel", "FactorizedModel", "Layout", "LightModel"]
