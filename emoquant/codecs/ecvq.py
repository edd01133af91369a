"""The entropy-constrained codec: a quantizer, an entropy model and a search at any lambda."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from emoquant.codecs.base import STUDY_LAMBDAS, Codec
from emoquant.codecs.code_bits import CodeBits
from emoquant.codecs.search import Search, layout_of, rows_that_fit
from emoquant.devices.precision import full_float32
from emoquant.entropy.base import EntropyModel
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import Coded, length_mask


class ECVQ(CodeBits):
    """Code frames by entropy-constrained vector quantization (Chou, Lookabaugh and Gray 1989) at several lambdas.

    ``lmbda`` is in squared feature units per bit; larger means fewer bits. At 0 every code is that of the nearest
    codeword, with SKIP as a candidate.

    Args:
        quantizer: An initialised quantizer.
        entropy: An entropy model trained for it.
        points: Lambdas that an evaluation runs.
        name: Name in the tables.
        beam: Paths that the search keeps within a frame; 1 for greedy search.
        survivors: Paths of coarse codes that the search keeps over time: 16 for look-ahead, 1 for a search frame by
            frame. It has no effect without a coarse stage, or if the entropy model depends on no earlier frame or not
            on lambda.
        rows: Number of utterances times lambdas (without context: frames times lambdas) that are searched in parallel;
            more rows take more memory and less time and give the same result. None for 1,024, on a CUDA device up to 16
            (without context 64) times as many, as its free memory allows.
    """

    def __init__(
        self,
        quantizer: GroupedResidualVQ,
        entropy: EntropyModel,
        points: Sequence[float] = STUDY_LAMBDAS,
        name: str = "ecvq",
        beam: int = 1,
        rows: int | None = None,
        survivors: int = 1,
    ) -> None:
        super().__init__()
        if rows is not None and rows < 1:
            raise ValueError(f"rows must be at least 1, not {rows}")
        entropy.build(layout_of(quantizer))
        self.quantizer, self.entropy = quantizer.requires_grad_(False), entropy
        self.name, self.points, self.rows = name, check_lambdas(points), rows
        self.beam, self.survivors = beam, survivors
        self.dim, self.positions, self.codewords = quantizer.dim, quantizer.positions, quantizer.codewords

    @property
    def mean(self) -> Tensor:
        """Training mean of the frames, ``(D,)``."""
        return self.quantizer.transform.mean

    @property
    def variance(self) -> float:
        """Variance of the training frames per dimension, in squared feature units: the scale of lambda."""
        return float(self.quantizer.scale)

    def skip_vector(self) -> Tensor:
        """Return the frame that SKIP at every position decodes to, ``(D,)``."""
        device = self.quantizer.transform.mean.device
        codes = torch.full((1, 1, self.positions), self.codewords, device=device)
        return self.decode(codes)[0, 0]

    def decode(self, codes: Tensor) -> Tensor:
        """Return the frames ``(..., T, D)`` of codes ``(..., T, P)``; see :meth:`GroupedResidualVQ.decode`."""
        return self.quantizer.decode(codes)

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch at every lambda in one call; see :meth:`Codec.forward`."""
        check_features(features, lengths, self.dim)
        lambdas = torch.tensor(self.points if points is None else check_lambdas(points), dtype=torch.float64)
        with full_float32(features.device):
            return self._code(features.float(), lengths.to(features.device), lambdas.float().to(features.device))

    def rows_at_once(self, device: torch.device, frames: int) -> int:
        """Return how many rows of up to ``frames`` frames are searched side by side on a device."""
        return self.rows or rows_that_fit(self.quantizer, self.entropy, device, frames)

    def _code(self, features: Tensor, lengths: Tensor, lambdas: Tensor) -> Coded:
        batch, frames, _ = features.shape
        count = len(lambdas)
        rows = self.rows_at_once(features.device, frames)
        search = Search(self.quantizer, self.entropy, self.beam, self.survivors, rows)
        components = self.quantizer.transform(features)
        order = lengths.argsort(descending=True, stable=True)
        each = max(1, rows // count if search.sequential else rows // (count * frames))
        codes = torch.full((count, batch, frames, self.positions), -1, dtype=torch.int16, device=features.device)
        bits = features.new_zeros(count, batch, frames)
        output = features.new_zeros(count, batch, frames, self.dim)
        for chosen in order.split(each):
            longest = int(lengths[chosen].max())
            rows = components[chosen, :longest].repeat_interleave(count, 0)
            found = search(rows, lengths[chosen].repeat_interleave(count), lambdas.repeat(len(chosen)))
            restored = self.quantizer.restore(found.components, found.codes)
            for whole, part in zip((codes, bits, output), (found.codes, found.bits, restored), strict=True):
                whole[:, chosen, :longest] = part.unflatten(0, (len(chosen), count)).transpose(0, 1)
        output.mul_(length_mask(lengths, frames).unsqueeze(-1))
        return Coded(codes, output, bits)


class OnCodebooks(Codec):
    """Base class of codecs that use the codebooks of an :class:`ECVQ` with another choice of codes.

    Args:
        codec: The codec, an :class:`ECVQ`.
        use: What needs the codec, as the beginning of an error message.
        points: Operating points; the codec's by default.
        name: Name in the tables; the codec's by default.

    Raises:
        ValueError: The codec is no ECVQ.
    """

    def __init__(self, codec: Codec, use: str, points: Sequence[float] | None = None, name: str | None = None) -> None:
        super().__init__()
        self.codec = require_ecvq(codec, use)
        self.name, self.points, self.origin = name or codec.name, tuple(points or codec.points), codec.origin
        self.dim, self.positions, self.codewords = codec.dim, codec.positions, codec.codewords

    @property
    def trained_on(self) -> Mapping[str, float]:
        """Share of each emotion in the training of the codec."""
        return self.codec.trained_on

    def skip_vector(self) -> Tensor:
        """Return what all-SKIP decodes to, ``(D,)``."""
        return self.codec.skip_vector()


def require_ecvq(codec: Codec, use: str) -> ECVQ:
    """Return a codec after checking that it is an :class:`ECVQ`.

    Args:
        codec: The codec.
        use: What needs the codec, for the error message: ``"a mixture"``.

    Raises:
        ValueError: The codec is of another kind.
    """
    if not isinstance(codec, ECVQ):
        raise ValueError(
            f"{use} needs codebooks and an entropy model: expected a codec that CodecTask or EntropyTask trained, not "
            f"{codec.name!r}, a {type(codec).__name__}"
        )
    return codec


def check_lambdas(points: Sequence[float]) -> tuple[float, ...]:
    """Return the lambdas as floats.

    Raises:
        ValueError: There is none, or one is negative or not finite.
    """
    lambdas = tuple(float(point) for point in points)
    wrong = [point for point in lambdas if not math.isfinite(point) or point < 0]
    if wrong or not lambdas:
        raise ValueError(
            f"lambdas must be finite and at least 0, at least one of them; these are not: {wrong or 'none'}"
        )
    return lambdas


def check_features(features: Tensor, lengths: Tensor, dim: int) -> None:
    """Check a batch of frame features.

    Raises:
        ValueError: The shapes or lengths do not fit, or a feature within an utterance is not finite.
    """
    if features.ndim != 3 or features.shape[-1] != dim:
        raise ValueError(
            f"features must be (B, T, {dim}) for this codec, not {tuple(features.shape)}: it was trained on an encoder "
            f"of {dim} dimensions; use that encoder or train a codec for this one"
        )
    if lengths.shape != features.shape[:1] or not len(lengths):
        raise ValueError(f"lengths must be ({len(features)},) with at least one utterance, not {tuple(lengths.shape)}")
    if int(lengths.min()) < 1 or int(lengths.max()) > features.shape[1]:
        raise ValueError(
            f"lengths must lie in [1, {features.shape[1]}], the frames that there are, not {lengths.tolist()}"
        )
    if not bool(torch.isfinite(features[length_mask(lengths.to(features.device), features.shape[1])]).all()):
        raise ValueError("features hold NaN or infinity within an utterance: check what made them")
