"""Classes as a user writes them outside the project."""

from pathlib import Path

import torch

from emoquant.codecs import Codec
from emoquant.entropy import FactorizedModel
from emoquant.quantization import GroupedResidualVQ
from emoquant.types import Coded


class OwnModel(FactorizedModel):
    """A histogram whose logits a trained temperature scales."""

    def __init__(self, slope=1.0, knots=12, low=1e-4, high=32.0):
        super().__init__(knots, low=low, high=high)
        self.slope = slope
        self.temperature = torch.nn.Parameter(torch.tensor(1.0))

    def settings(self):
        return {"slope": self.slope, **super().settings()}

    def forward(self, codes, previous, lmbda):
        return torch.log_softmax(super().forward(codes, previous, lmbda) * self.temperature * self.slope, -1)


class OwnQuantizer(GroupedResidualVQ):
    """The quantizer with one more buffer."""

    def build(self, dim):
        super().build(dim)
        self.register_buffer("note", torch.arange(3.0))


class Forgetful(FactorizedModel):
    """Its settings leave out an argument."""

    def __init__(self, extra=3, knots=12, low=1e-4, high=32.0):
        super().__init__(knots, low=low, high=high)


class Foreign(FactorizedModel):
    """One of its settings is no primitive."""

    def __init__(self, where=Path("a"), knots=12, low=1e-4, high=32.0):
        super().__init__(knots, low=low, high=high)
        self.where = where

    def settings(self):
        return {"where": self.where, **super().settings()}


class Growing(FactorizedModel):
    """Its weights are of a shape that the settings do not decide."""

    sizes = iter(range(1, 100))

    def build(self, layout):
        if self._check_layout(layout):
            self.bias = torch.nn.Parameter(torch.zeros(self.knots, layout.positions, layout.vocabulary))
            self.more = torch.nn.Parameter(torch.zeros(next(self.sizes)))


class Scaling(Codec):
    """A whole codec: features scaled by a trained gain, at a price of 3 bits a frame."""

    def __init__(self, dim, points=(0.5, 1.0)):
        super().__init__()
        self.name, self.dim, self.positions, self.codewords, self.points = "scaling", dim, 0, 0, tuple(points)
        self.gain = torch.nn.Parameter(torch.ones(dim))

    def settings(self):
        return {"dim": self.dim, "points": list(self.points)}

    def forward(self, features, lengths, points=None):
        grid = self.points if points is None else points
        valid = (torch.arange(features.shape[1]) < lengths.unsqueeze(1)).unsqueeze(-1)
        out = torch.stack([features * self.gain * point * valid for point in grid])
        codes = torch.zeros(*out.shape[:3], 0, dtype=torch.int16)
        return Coded(codes, out, 3.0 * valid[..., 0].expand(out.shape[:3]))


class Plain(Scaling):
    """A codec without settings."""

    settings = Codec.settings


class Stranger:
    """No codec."""
