"""A small codec with real bits."""

import torch

from emoquant.codecs import ECVQ
from emoquant.codecs.search import layout_of
from emoquant.entropy import LightModel
from emoquant.quantization import GroupedResidualVQ

DIM = 8


def make_codec(seed=0):
    torch.manual_seed(seed)
    quantizer = GroupedResidualVQ(groups=4, layers=2, codewords=15, rotation="none", dim=DIM)
    quantizer.fine.set(torch.randn_like(quantizer.fine.vectors))
    quantizer.ready.fill_(True)
    model = LightModel(8, knots=2)
    model.build(layout_of(quantizer))
    model.requires_grad_(False).blocks[0].bias[..., 15] = 4.0
    return ECVQ(quantizer, model)
