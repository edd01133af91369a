"""Grouped residual vector quantization with SKIP, fused over groups and exact under several processes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from emoquant.devices.precision import full_float32
from emoquant.quantization.codebooks import EmaCodebooks
from emoquant.quantization.smoothing import Smoother
from emoquant.quantization.transform import FrameTransform, Kind
from emoquant.types import Quantized, length_mask

#: Codewords of a position at most: codes, of which SKIP is one more, are kept as int16.
MOST_CODEWORDS = 32_767


def default_groups(dim: int) -> int:
    """Return the default number of groups for features of ``dim`` dimensions.

    - 12, as in the study, if 12 divides the dimension;
    - else the divisor nearest to 12 whose groups have at least 8 dimensions; of two equally near ones the larger;
    - else the same with groups of at least 2 dimensions.

    Raises:
        ValueError: The dimension has no such divisor.

    Example:
        >>> [default_groups(dim) for dim in (192, 256, 768, 1024, 512, 100, 10)]
        [12, 16, 12, 16, 16, 10, 5]
    """
    if dim > 0 and dim % 12 == 0:
        return 12
    divisors = [groups for groups in range(2, min(dim // 2, 1024) + 1) if dim % groups == 0]
    candidates = [groups for groups in divisors if dim // groups >= 8] or divisors
    if not candidates:
        raise ValueError(f"no number of groups divides {dim} feature dimensions: give groups: 1, or choose an encoder")
    return min(candidates, key=lambda groups: (abs(groups - 12), -groups))


class GroupedResidualVQ(nn.Module):
    """Quantize a frame as a sum of codewords: optional coarse stages over all dimensions, then ``L`` layers per group.

    A frame is turned into components (:class:`FrameTransform`), which are divided into ``G`` groups of ``D / G``. The
    order of code positions is: the ``coarse`` stages, the layers of group 0, the layers of group 1 and so on, so that
    ``P = coarse + G L``. Every position has ``K`` codewords and SKIP (code ``K``), the zero codeword. With
    ``prediction`` the groups code the error of a linear prediction from the frame before: with ``w`` the components and
    ``C`` the coarse codewords, ``e_t = a e_{t-1} + codewords_t`` and ``w_t = C_t + e_t``; SKIP then keeps the forecast.

    The study's quantizer is ``rotation="none"``, ``coarse=0``, ``prediction=False`` (Zeghidour et al. 2021 for residual
    VQ; Yang et al. 2023, HiFi-Codec, for groups).

    Args:
        groups: Groups ``G``; must divide the feature dimension. None to choose them in :meth:`build`
            (:func:`default_groups`): 12 for 192 or 768 dimensions, 16 for 256 or 1024.
        layers: Residual layers ``L`` of a group.
        codewords: Codewords ``K`` of a position, without SKIP; 32,767 at most.
        coarse: Stages over all dimensions before the groups.
        rotation: ``"klt"`` (interleaved), ``"contiguous"`` or ``"none"``; see :class:`FrameTransform`.
        prediction: Whether the groups code the error of a prediction from the frame before.
        decay: Decay of the codebooks' moving averages.
        dead_below: A codeword with a moving count below it is replaced.
        dim: Feature dimensions ``D``; 0 to leave them open until :meth:`build`.
        smoothing: Frames that a decoded frame is estimated from (:class:`Smoother`), an odd number; 0 for none.

    Attributes:
        ready: Whether the codebooks were initialised, a boolean scalar.
        scale: Variance of the training frames per dimension, in squared feature units, a scalar.
        predictor: Prediction coefficient of each component, ``(D,)``; zeros without prediction.
        fine: Codebooks of the groups, ``(G L, K, D / G)``.
        rough: Codebooks of the coarse stages, ``(coarse, K, D)``, in components.
        smoother: Weights of the smoothing, zeros until they are fitted; None without smoothing.
    """

    ready: Tensor
    scale: Tensor
    predictor: Tensor

    def __init__(
        self,
        groups: int | None = None,
        layers: int = 3,
        codewords: int = 128,
        coarse: int = 0,
        rotation: Kind = "klt",
        prediction: bool = False,
        decay: float = 0.99,
        dead_below: float = 2.0,
        dim: int = 0,
        smoothing: int = 0,
    ) -> None:
        super().__init__()
        if min(1 if groups is None else groups, layers, codewords) < 1:
            raise ValueError(f"groups, layers and codewords must be at least 1, not {groups}, {layers}, {codewords}")
        if coarse < 0:
            raise ValueError(f"coarse must be at least 0, not {coarse}")
        if codewords > MOST_CODEWORDS:
            raise ValueError(f"codewords must be at most {MOST_CODEWORDS}, since codes are int16, not {codewords}")
        self.groups, self.layers, self.codewords, self.coarse = groups or 0, layers, codewords, coarse
        self.positions = coarse + self.groups * layers if groups else 0
        self.rotation: Kind = rotation
        self.prediction, self.decay, self.dead_below, self.dim = prediction, decay, dead_below, 0
        self.smoothing = smoothing
        self.smoother: Smoother | None = None
        if dim:
            self.build(dim)

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments of a quantizer of the same shape."""
        names = "layers", "codewords", "coarse", "rotation", "prediction", "decay", "dead_below", "dim", "smoothing"
        return {"groups": self.groups or None} | {name: getattr(self, name) for name in names}

    def build(self, dim: int) -> None:
        """Allocate codebooks, transform and smoothing for ``dim`` feature dimensions, unless that was done before.

        Raises:
            ValueError: The groups do not divide the dimension, there is no default number of groups for it, or the
                quantizer was built for another dimension.
        """
        if self.dim == dim:
            return
        if self.dim:
            raise ValueError(
                f"the quantizer has {self.dim} dimensions, the features have {dim}: train it on these features"
            )
        groups = self.groups or default_groups(dim)
        if dim < 1 or dim % groups:
            raise ValueError(f"{groups} groups do not divide {dim} feature dimensions: choose a divisor of {dim}")
        self.dim, self.groups, self.positions = dim, groups, self.coarse + groups * self.layers
        self.transform = FrameTransform(self.rotation, dim, self.groups)
        fine = self.groups * self.layers
        self.fine = EmaCodebooks(fine, self.codewords, dim // self.groups, self.decay, self.dead_below)
        self.rough = EmaCodebooks(self.coarse, self.codewords, dim, self.decay, self.dead_below)
        if self.smoothing:
            self.smoother = Smoother(self.smoothing, dim, self.coarse, self.codewords)
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("predictor", torch.zeros(dim))

    @property
    def predictive(self) -> bool:
        """Whether a frame's reconstruction depends on the codes of the frame before."""
        return self.prediction

    def fine_table(self) -> Tensor:
        """Return the groups' codewords with SKIP, ``(G, L, K + 1, D / G)``."""
        padded = nn.functional.pad(self.fine.vectors, (0, 0, 0, 1))
        return padded.view(self.groups, self.layers, self.codewords + 1, -1)

    def coarse_table(self) -> Tensor:
        """Return the coarse codewords with SKIP, ``(coarse, K + 1, D)``."""
        return nn.functional.pad(self.rough.vectors, (0, 0, 0, 1))

    def forward(self, features: Tensor, lengths: Tensor) -> Quantized:
        """Return the code of the nearest codeword at every position (SKIP is a candidate) and the reconstruction.

        Args:
            features: Frame features, ``(B, T, D)``.
            lengths: Frames of each utterance, ``(B,)`` int64.
        """
        features = self._checked(features, lengths)
        with full_float32(features.device):
            codes, _ = self.assign(self.transform(features), skip=True)
            codes = codes.masked_fill(~length_mask(lengths, features.shape[1]).unsqueeze(-1), -1)
            return Quantized(codes, self.decode(codes))

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes ``(..., T, P)`` to frames ``(..., T, D)`` float32; frames with a code -1 give zeros.

        Raises:
            ValueError: A code is outside ``[-1, K]`` or the last axis is not ``P``.
        """
        self._check_codes(codes)
        flat = codes.reshape(-1, *codes.shape[-2:]).long()
        valid = (flat >= 0).all(-1, keepdim=True)
        with full_float32(codes.device):
            features = self.restore(self.components_of(flat), flat) * valid
        return features.view(*codes.shape[:-1], self.dim)

    def components_of(self, codes: Tensor) -> Tensor:
        """Decode codes ``(N, T, P)`` int64 to components ``(N, T, D)`` without smoothing; -1 counts as SKIP."""
        coarse, fine = self.lookup(codes.masked_fill(codes < 0, self.codewords))
        if self.predictive:
            state = torch.zeros_like(fine[:, 0])
            for frame in range(fine.shape[1]):
                state = torch.addcmul(fine[:, frame], self.predictor, state)
                fine[:, frame] = state
        return coarse + fine

    def restore(self, components: Tensor, codes: Tensor) -> Tensor:
        """Smooth reconstructed components ``(N, T, D)`` of codes ``(N, T, P)`` and turn them into frames."""
        return self.transform.inverse(components if self.smoother is None else self.smoother(components, codes))

    def lookup(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums of the coarse and of the fine codewords of codes ``(..., P)``, each ``(..., D)``."""
        rough, fine = codes[..., : self.coarse], codes[..., self.coarse :]
        coarse = torch.zeros(*codes.shape[:-1], self.dim, device=codes.device)
        for stage, table in enumerate(self.coarse_table()):
            coarse = coarse + table[rough[..., stage]]
        table = self.fine_table()
        size = self.dim // self.groups
        slot = torch.arange(self.groups * self.layers, device=codes.device) * (self.codewords + 1)
        chosen = table.view(-1, size)[fine + slot].view(*codes.shape[:-1], self.groups, self.layers, size)
        total = chosen[..., 0, :]
        for layer in range(1, self.layers):
            total = total + chosen[..., layer, :]
        return coarse, total.reshape(*codes.shape[:-1], self.dim)

    @torch.no_grad()
    def assign(self, components: Tensor, skip: bool) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Choose the nearest codeword at every position, stage after stage, without looking at later stages.

        Args:
            components: Components of frames, ``(B, T, D)`` float32.
            skip: Whether SKIP may be chosen.

        Returns:
            Codes ``(B, T, P)`` int64, and the residual vectors that were quantized: those of the coarse stages
            ``(B, T, coarse, D)`` and those of the groups' layers ``(B, T, G L, D / G)``.
        """
        tables = [_table(each.unsqueeze(0), skip) for each in self.coarse_table()]
        layers = [_table(each.contiguous(), skip) for each in self.fine_table().unbind(1)]
        if not self.predictive:
            codes, inputs, _ = self._assign_frames(components.reshape(-1, self.dim), tables, layers)
            shape = components.shape[:2]
            return codes.view(*shape, -1), (inputs[0].unflatten(0, shape), inputs[1].unflatten(0, shape))
        state = torch.zeros_like(components[:, 0])
        frames = []
        for frame in components.unbind(1):
            forecast = self.predictor * state
            codes, inputs, fine = self._assign_frames(frame - forecast, tables, layers)
            state = forecast + fine
            frames.append((codes, *inputs))
        codes, rough, fine = (torch.stack(each, 1) for each in zip(*frames, strict=True))
        return codes, (rough, fine)

    def _assign_frames(
        self, residual: Tensor, tables: Sequence["_Table"], layers: Sequence["_Table"]
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Return codes ``(N, P)``, what chose them, and the sum of the groups' codewords ``(N, D)``."""
        rough, codes = [], []
        for table in tables:
            rough.append(residual)
            code = _nearest(residual.unsqueeze(0), table)[0]
            codes.append(code)
            residual = residual - table.words[0].index_select(0, code)
        grouped = residual.view(len(residual), self.groups, -1).transpose(0, 1).contiguous()  # (G, N, d)
        fine, chosen = [], []
        words: list[Tensor] = []
        for table in layers:
            fine.append(grouped - words[-1] if words else grouped)
            grouped = fine[-1]
            code = _nearest(grouped, table)
            chosen.append(code)
            words.append(table.words.gather(1, code.unsqueeze(-1).expand(-1, -1, grouped.shape[-1])))
        codes.extend(torch.stack(chosen, 1).flatten(0, 1))  # (G, L, N): group-major
        inputs = torch.stack(fine, 1).flatten(0, 1).transpose(0, 1)
        coarse = torch.stack(rough, 1) if rough else residual.new_zeros(len(residual), 0, self.dim)
        total = words[0]
        for word in words[1:]:
            total = total + word
        return torch.stack(codes, -1), (coarse, inputs), total.transpose(0, 1).flatten(1)

    def _checked(self, features: Tensor, lengths: Tensor) -> Tensor:
        if features.ndim != 3 or features.shape[-1] != self.dim:
            raise ValueError(f"features must be (B, T, {self.dim}) for this quantizer, not {tuple(features.shape)}")
        if lengths.shape != features.shape[:1] or not len(lengths):
            raise ValueError(
                f"lengths must be ({len(features)},) with at least one utterance, not {tuple(lengths.shape)}"
            )
        return features.float()

    def _check_codes(self, codes: Tensor) -> None:
        if codes.ndim < 2 or codes.shape[-1] != self.positions:
            raise ValueError(f"codes must be (..., T, {self.positions}) for this quantizer, not {tuple(codes.shape)}")
        if codes.numel() and (codes.min() < -1 or codes.max() > self.codewords):
            raise ValueError(f"codes must lie in [-1, {self.codewords}]: these are of another quantizer or damaged")


class _Table(NamedTuple):
    """Codewords ``(Q, K + 1, d)``, those on offer transposed, and half the squared norms of these."""

    words: Tensor
    offered: Tensor
    half_norms: Tensor


def _table(words: Tensor, skip: bool) -> _Table:
    offered = words if skip else words[:, :-1]
    return _Table(words, offered.transpose(1, 2), (0.5 * offered.square().sum(-1)).unsqueeze(1))


def _nearest(vectors: Tensor, table: _Table) -> Tensor:
    """Nearest rows ``(Q, N)`` of the codewords on offer to vectors ``(Q, N, d)``."""
    missing = max(0, 8 - vectors.shape[1])
    padded = nn.functional.pad(vectors, (0, 0, 0, missing)) if missing else vectors
    return torch.baddbmm(table.half_norms, padded, table.offered, alpha=-1).argmin(-1)[:, : vectors.shape[1]]
