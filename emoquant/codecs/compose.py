"""Composed codecs: two codecs in sequence, and mixtures of several references by one codec."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.ecvq import ECVQ, OnCodebooks, check_features
from emoquant.devices.precision import full_float32
from emoquant.entropy.base import frames_before
from emoquant.storage.origin import require_origin
from emoquant.types import Coded, length_mask

Rule = Literal["average", "interpolate", "distance", "vote"]

#: Fractional part of the golden ratio: multiples of it fill the unit interval evenly.
GOLDEN = (math.sqrt(5) - 1) / 2


class Cascade(Codec):
    """Code features with one codec at a fixed point, and its reconstruction with another codec at every point.

    In the experiment "neutral first" the first codec has a codebook of neutral speech and a lambda at which the emotion
    is lost, the second one the codebook of the wanted emotion.

    Args:
        first: First codec, which removes the emotion.
        then: Second codec; its points are those of the cascade, and its codes are returned.
        at: Operating point of the first codec.
        name: Name in the tables; ``<first>@<at>><then>`` by default.
        count_both: Whether bits of both codecs are counted; by default only those of the second, whose codes are
            transmitted.

    Raises:
        ValueError: The codecs are of different feature dimensions or encoders.
    """

    def __init__(
        self, first: Codec, then: Codec, at: float = 10.0, name: str | None = None, count_both: bool = False
    ) -> None:
        super().__init__()
        if first.dim and then.dim and first.dim != then.dim:
            raise ValueError(
                f"a cascade needs codecs of one encoder: {first.name!r} has {first.dim} dimensions, "
                f"{then.name!r} {then.dim}"
            )
        self.first, self.then, self.at, self.count_both = first, then, float(at), count_both
        self.name = name or f"{first.name}@{at:g}>{then.name}"
        require_origin(f"codec {then.name!r}", then.origin, first.origin)
        self.dim, self.positions, self.codewords = then.dim or first.dim, then.positions, then.codewords
        self.origin = then.origin or first.origin
        self.points = then.points

    @property
    def trained_on(self) -> Mapping[str, float]:
        """Share of each emotion in the training of the second codec."""
        return self.then.trained_on

    @property
    def skip_vector(self) -> Callable[[], Tensor]:
        """What all-SKIP of the second codec decodes to, ``(D,)``, as a function; there only if that codec has it."""
        found: Callable[[], Tensor] = self.then.skip_vector  # type: ignore[assignment]  # a codec, as a module
        return found

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch; see :meth:`Codec.forward`."""
        begun = self.first(features, lengths, (self.at,))
        coded: Coded = self.then(begun.features[0], lengths, self.points if points is None else points)
        return coded._replace(bits=coded.bits + begun.bits) if self.count_both else coded


class Mixture(OnCodebooks):
    """Mix several references of an utterance, frame by frame, before or after quantization by one codec.

    An utterance of ``T`` frames holds ``R`` references of ``T / R`` frames one after the other, as the data option
    ``partners`` gives them. The mixed frames are returned ``R`` times, so that the output is as long as the input. The
    time mean of the input is the unweighted average of the references.

    ``rule`` is the rule by which frames are mixed:

    - ``"average"``: the features before quantization, weighted;
    - ``"interpolate"``: the features after quantization, weighted;
    - ``"distance"``: the same, but each frame's weight is multiplied by ``exp(-e / mean e)``, with ``e`` the squared
      error of the reference's frame, so that frames with a small error have more weight;
    - ``"vote"``: the codes, position by position: the code with the largest sum of weights is taken. Ties go to one
      reference, by a fixed sequence in which each reference comes in proportion to its weight, spread evenly over
      positions and frames.

    Bits are of the codes that a decoder needs: of the mixed codes (average, vote), or of the codes of all references.

    Args:
        codec: The codec, an :class:`ECVQ`.
        weights: Weight of each reference, ``R`` of them; only their ratios count.
        rule: See above.
        name: Name in the tables; the rule by default.

    Raises:
        ValueError: There are fewer than two weights, one is not above 0, the rule is unknown, or the codec is no ECVQ.
    """

    weights: Tensor

    def __init__(
        self, codec: Codec, weights: Sequence[float] = (1.0, 1.0), rule: Rule = "vote", name: str | None = None
    ) -> None:
        super().__init__(codec, "a mixture", name=name or rule)
        if len(weights) < 2 or any(not math.isfinite(weight) or weight <= 0 for weight in weights):
            raise ValueError(f"a mixture needs at least two weights above 0, got {list(weights)}")
        if rule not in ("average", "interpolate", "distance", "vote"):
            raise ValueError(f"rule is {rule!r}: expected 'average', 'interpolate', 'distance' or 'vote'")
        self.rule = rule
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32) / sum(weights))

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Mix and code a batch; see :meth:`Codec.forward`.

        Raises:
            ValueError: A length is no multiple of the number of references.
        """
        check_features(features, lengths, self.dim)
        with full_float32(features.device):
            return self._mix(features.float(), lengths, self.points if points is None else tuple(points))

    def _mix(self, features: Tensor, lengths: Tensor, grid: Sequence[float]) -> Coded:
        count = len(self.weights)
        if bool((lengths % count).any()):
            raise ValueError(
                f"a mixture of {count} references needs lengths that are multiples of {count}, not {lengths.tolist()}: "
                "give the data the option `partners`, as with --partners opposite"
            )
        each = lengths.to(features.device) // count
        parts = _apart(features, each, count)  # (R, B, n, D)
        if self.rule == "average":
            mixed = self.codec(torch.einsum("r,rbtd->btd", self.weights, parts), each, grid)
        else:
            coded = self.codec(parts.flatten(0, 1), each.repeat(count), grid)
            coded = coded.each(lambda value: value.unflatten(1, (count, len(each))))  # (O, R, B, n, ...)
            mixed = self._vote(coded, each, grid) if self.rule == "vote" else self._blend(parts, coded, each)
        return mixed.each(lambda value: _repeated(value, each, count, features.shape[1]))

    def _blend(self, parts: Tensor, coded: Coded, lengths: Tensor) -> Coded:
        """Interpolate after quantization; the codes reported are the first reference's."""
        weights = self.weights.view(-1, 1, 1).expand(coded.bits.shape)
        if self.rule == "distance":
            error = (coded.features - parts).square().sum(-1)
            valid = length_mask(lengths, error.shape[-1])
            scale = (error * valid).sum((1, 3), keepdim=True) / (len(self.weights) * lengths.view(-1, 1))
            weights = weights * torch.exp(-error / scale.clamp_min(1e-12))
            weights = weights / weights.sum(1, keepdim=True)
        features = (weights.unsqueeze(-1) * coded.features).sum(1)
        return Coded(coded.codes[:, 0], features, coded.bits.sum(1))

    def _vote(self, coded: Coded, lengths: Tensor, points: Sequence[float]) -> Coded:
        """Choose among the references' codes at every position."""
        codes = coded.codes.long()  # (O, R, B, n, P)
        same = (codes.unsqueeze(2) == codes.unsqueeze(1)).float()
        votes = torch.einsum("orsbtp,s->orbtp", same, self.weights)
        turn = torch.arange(codes.shape[3] * self.positions, device=codes.device, dtype=torch.float64)
        turn = turn.add(0.5).mul(GOLDEN).frac().view(-1, self.positions)
        owner = torch.searchsorted(self.weights.double().cumsum(0), turn).clamp(max=len(self.weights) - 1)  # (n, P)
        owned = torch.nn.functional.one_hot(owner, len(self.weights)).movedim(-1, 0).unsqueeze(1)  # (R, 1, n, P)
        winner = (votes + 1e-3 * owned).argmax(1, keepdim=True)
        chosen = codes.gather(1, winner).squeeze(1)
        valid = length_mask(lengths, chosen.shape[2])
        features = torch.stack([self.codec.decode(each) for each in chosen]) * valid.unsqueeze(-1)
        bits = torch.stack([estimated_bits(self.codec, c, p) for c, p in zip(chosen, points, strict=True)])
        return Coded(chosen.to(torch.int16), features, bits)


def estimated_bits(codec: ECVQ, codes: Tensor, lmbda: float) -> Tensor:
    """Return the bits of a codec's entropy model for given codes, also of other searches, ``(B, T)`` float32.

    Args:
        codec: The codec.
        codes: Codes, ``(B, T, P)``; -1 at padding, which costs nothing.
        lmbda: Lambda at which the entropy model is evaluated.
    """
    codes = codes.long()
    valid = (codes >= 0).all(-1)
    before = frames_before(codes, codec.entropy.memory)[valid]
    bits = codec.entropy.bits(codes[valid], before, torch.full((len(before),), float(lmbda), device=codes.device))
    spent = torch.zeros(valid.shape, device=codes.device)
    spent[valid] = bits.sum(-1)
    return spent


def _apart(features: Tensor, lengths: Tensor, count: int) -> Tensor:
    """Return the references ``(R, B, n, D)`` of utterances ``(B, T, D)`` with ``lengths`` frames each, zeros after."""
    longest = int(lengths.max())
    frame = torch.arange(longest, device=features.device)
    start = torch.arange(count, device=features.device).view(-1, 1, 1) * lengths.view(1, -1, 1)
    place = (start + frame).clamp(max=features.shape[1] - 1)  # (R, B, n)
    rows = torch.arange(len(lengths), device=features.device).view(1, -1, 1)
    return features[rows, place] * (frame < lengths.view(1, -1, 1)).unsqueeze(-1)


def _repeated(value: Tensor, lengths: Tensor, count: int, frames: int) -> Tensor:
    """Return values ``(O, B, n, ...)`` of mixed frames ``count`` times in a row; codes -1, others 0 after the end."""
    frame = torch.arange(frames, device=value.device).expand(len(lengths), -1)
    place = (frame % lengths.unsqueeze(1)).clamp(max=value.shape[2] - 1)
    rows = torch.arange(len(lengths), device=value.device).unsqueeze(1)
    out = value[:, rows, place]
    ended = (frame >= count * lengths.unsqueeze(1)).view(1, *frame.shape, *(1,) * (value.ndim - 3))
    return out.masked_fill(ended, -1 if value.dtype == torch.int16 else 0)
