"""Residual vector quantization of whole frames at fixed length, cut after some of its layers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.ecvq import OnCodebooks, check_features
from emoquant.devices.precision import full_float32
from emoquant.entropy.base import frames_before
from emoquant.types import Batch, Coded, Counted, length_mask


class FirstLayers(OnCodebooks):
    """Code frames by the nearest codewords of the first layers of a residual quantizer, at several numbers of layers.

    Every code costs ``log2 K`` bits, and none is SKIP: this is the quantizer of Zhou et al. 2026
    (https://arxiv.org/abs/2603.21224), which has no entropy model. The bits of the codec's own entropy model for the
    same codes at lambda 0 are counted, too (``entropy_coded``). Codes of unused layers are SKIP.

    Args:
        codec: An :class:`ECVQ` of one group, without coarse stages and prediction, whose entropy model sees no earlier
            frames: those would have layers that a decoder of a few layers does not know.
        layers: Numbers of layers, the operating points; powers of 2 up to all of them by default.
        name: Name in the tables; the codec's by default.

    Raises:
        ValueError: The codec is of another kind, or a number of layers is none that it has.
    """

    def __init__(self, codec: Codec, layers: Sequence[int] | None = None, name: str | None = None) -> None:
        super().__init__(codec, "a cut after some layers", name=name)
        quantizer = self.codec.quantizer
        if quantizer.groups != 1 or quantizer.coarse or quantizer.predictive or self.codec.entropy.memory:
            raise ValueError(
                f"codec {codec.name!r} cannot be cut after some layers: expected one group, no coarse stage, no "
                "prediction and an entropy model of memory 0, as configs/train/rvq.yaml has them"
            )
        whole = quantizer.layers
        chosen = [2**n for n in range(int(math.log2(whole)) + 1)] if layers is None else list(layers)
        chosen = sorted({*chosen, *([whole] if layers is None else [])})
        if not chosen or chosen[0] < 1 or chosen[-1] > whole:
            raise ValueError(
                f"layers is {list(layers or ())}: expected numbers from 1 to the {whole} of {codec.name!r}"
            )
        self.points = tuple(float(count) for count in chosen)

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of other ways of counting bits: what the entropy model would spend."""
        return ("entropy_coded",)

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch; see :meth:`Codec.forward`. The points are numbers of layers."""
        check_features(features, lengths, self.dim)
        grid = [int(point) for point in (self.points if points is None else points)]
        quantizer = self.codec.quantizer
        with full_float32(features.device):
            whole, _ = quantizer.assign(quantizer.transform(features.float()), skip=False)
            ended = ~length_mask(lengths.to(features.device), features.shape[1])
            codes = []
            for count in grid:
                kept = whole.clone()
                kept[..., count:] = self.codewords
                codes.append(kept.masked_fill(ended[..., None], -1))
            decoded = torch.stack([quantizer.decode(each) for each in codes])
        bits = torch.stack([(~ended).float() * count * math.log2(self.codewords) for count in grid])
        return Coded(torch.stack(codes).to(torch.int16), decoded, bits)

    def count(self, batch: Batch) -> Counted:
        """Return what :meth:`code` returns, and the bits that the entropy model would spend."""
        coded = self.code(batch)
        longest = int(torch.tensor(self.points).argmax())
        codes = coded.codes[longest].long()  # (B, T, P)
        valid = (codes >= 0).all(-1)
        rows = codes[valid]
        with full_float32(codes.device):
            spent = self.codec.entropy.bits(rows, frames_before(codes, 0)[valid], rows.new_zeros(len(rows)).float())
        sums = spent.cumsum(-1)
        bits = coded.bits.new_zeros(*coded.bits.shape, 1)
        for place, layers in enumerate(self.points):
            bits[place, valid, 0] = sums[:, int(layers) - 1]
        return Counted(coded, bits)
