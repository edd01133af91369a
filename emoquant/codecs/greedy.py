"""The study's baseline: similarity is lowered directly, code by code, without an entropy model."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.compose import estimated_bits
from emoquant.codecs.ecvq import OnCodebooks, check_features
from emoquant.devices.precision import full_float32
from emoquant.types import Coded, length_mask

#: Similarity targets of the study's comparison.
STUDY_TARGETS = (0.94, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)


class Greedy(OnCodebooks):
    """Choose codes such that an utterance's similarity meets a target, without an entropy model.

    The operating points are the targets: cosines of the time means before and after coding. Frame by frame and position
    by position, the code is taken that brings the similarity of the frame, decoded so far, nearest to a level ``s``
    (the first of equally near ones). The level begins at the target and is then adapted for each utterance by regula
    falsi, until the utterance's similarity is within ``tolerance`` of the target or all ``rounds`` are used. The round
    nearest to the target is kept. If the codebooks cannot reach a target, the result is the nearest that they can.

    The bits are those of the codec's entropy model for these codes at lambda 0, for comparison with the rates of a
    sweep; they have no influence on the choice. They are high, as an entropy model that was trained on codes of its own
    search finds these codes unlikely; codes of fixed length would cost ``P log2 V``.

    Args:
        codec: The codec, an :class:`ECVQ`, whose codebooks and entropy model are used.
        points: Similarity targets in (-1, 1].
        rounds: Most passes over an utterance for each target.
        tolerance: Largest miss of a target that ends the search.
        name: Name in the tables.

    Raises:
        ValueError: A target is out of range, a number is not above 0, or the codec is no ECVQ.
    """

    def __init__(
        self,
        codec: Codec,
        points: Sequence[float] = STUDY_TARGETS,
        rounds: int = 6,
        tolerance: float = 0.005,
        name: str = "greedy",
    ) -> None:
        super().__init__(codec, "the direct reduction of similarity", check_targets(points), name)
        if rounds < 1 or tolerance <= 0:
            raise ValueError(f"rounds and tolerance must be above 0, not {rounds} and {tolerance}")
        self.rounds, self.tolerance = rounds, tolerance

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch at every target in one call; see :meth:`Codec.forward`."""
        check_features(features, lengths, self.dim)
        targets = torch.tensor(self.points if points is None else check_targets(points), device=features.device)
        count, batch = len(targets), len(features)
        lengths = lengths.to(features.device)
        with full_float32(features.device):
            features = features.float()
            codes = self._search(features.repeat(count, 1, 1), lengths.repeat(count), targets.repeat_interleave(batch))
            restored = self._decoded(codes, lengths.repeat(count))
            bits = estimated_bits(self.codec, codes, 0.0)
        shaped = (value.unflatten(0, (count, batch)) for value in (codes.to(torch.int16), restored, bits))
        return Coded(*shaped)

    def _search(self, features: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """Codes ``(N, T, P)`` of utterances whose similarity is nearest to each one's target."""
        wanted = targets.double()
        level, best = wanted.clone(), torch.full_like(wanted, math.inf)
        ends = torch.stack([torch.full_like(wanted, -1.0), torch.ones_like(wanted)])  # levels below and above
        values = ends.clone()  # their similarities
        codes = torch.zeros(*features.shape[:2], self.positions, dtype=torch.int64, device=features.device)
        open_rows = torch.arange(len(features), device=features.device)
        for _ in range(self.rounds):
            longest = int(lengths[open_rows].max())
            rows, ended = features[open_rows, :longest], lengths[open_rows]
            found = self._match(rows, ended, level[open_rows].float())
            reached = _similarity(rows, self._decoded(found, ended), ended)
            miss = (reached - wanted[open_rows]).abs()
            better = miss < best[open_rows]
            codes[open_rows[better], :longest] = found[better]
            codes[open_rows[better], longest:] = -1
            best[open_rows[better]] = miss[better]
            side = (reached > wanted[open_rows]).long()
            ends[side, open_rows], values[side, open_rows] = level[open_rows], reached
            open_rows = open_rows[miss > self.tolerance]
            if not len(open_rows):
                break
            share = (wanted - values[0]) / (values[1] - values[0]).clamp_min(1e-9)
            level = ends[0] + share.clamp(0.1, 0.9) * (ends[1] - ends[0])
        return codes

    def _match(self, features: Tensor, lengths: Tensor, level: Tensor) -> Tensor:
        """Codes ``(N, T, P)``, -1 at padding, whose frames come nearest to a level of similarity ``(N,)``."""
        quantizer = self.codec.quantizer
        zero = quantizer.transform(features.new_zeros(1, self.dim))
        offset = -zero[0]  # components of the mean, which every reconstruction begins with
        aim = quantizer.transform(features) + offset  # the frames themselves in the rotated axes
        state = torch.zeros_like(aim[:, 0])
        valid = length_mask(lengths, features.shape[1])
        frames = []
        for target in aim.unbind(1):
            forecast = quantizer.predictor * state if quantizer.predictive else torch.zeros_like(state)
            found = self._frame(target, forecast + offset, level)
            frames.append(found)
            if quantizer.predictive:
                state = forecast + quantizer.lookup(found)[1]
        return torch.stack(frames, 1).masked_fill(~valid.unsqueeze(-1), -1)

    def _frame(self, target: Tensor, start: Tensor, level: Tensor) -> Tensor:
        """Codes ``(N, P)`` of one frame, from what is decoded already, ``(N, D)``."""
        quantizer = self.codec.quantizer
        goal = level * target.norm(dim=-1)  # similarity s means <x, y> = s |x| |y|
        inner, square = (target * start).sum(-1), start.square().sum(-1)
        found = []
        places = [(table, slice(0, self.dim)) for table in quantizer.coarse_table()]
        size = self.dim // quantizer.groups
        for group, tables in enumerate(quantizer.fine_table()):
            places += [(table, slice(group * size, (group + 1) * size)) for table in tables]
        current = start.clone()
        for table, part in places:
            inners = inner.unsqueeze(1) + target[:, part] @ table.T  # (N, V)
            squares = square.unsqueeze(1) + 2 * current[:, part] @ table.T + table.square().sum(-1)
            off = inners / squares.clamp_min(1e-12).sqrt() - goal.unsqueeze(1)
            code = off.abs().argmin(-1, keepdim=True)
            found.append(code)
            inner, square = inners.gather(1, code).squeeze(1), squares.gather(1, code).squeeze(1)
            current[:, part] += table[code.squeeze(1)]
        return torch.cat(found, -1)

    def _decoded(self, codes: Tensor, lengths: Tensor) -> Tensor:
        valid = length_mask(lengths, codes.shape[1]).unsqueeze(-1)
        return self.codec.decode(codes.masked_fill(~valid, -1)) * valid


def _similarity(before: Tensor, after: Tensor, lengths: Tensor) -> Tensor:
    """Cosines ``(N,)`` float64 of the time means of frames ``(N, T, D)`` that are zero past the end."""
    valid = length_mask(lengths, before.shape[1]).unsqueeze(-1)
    one, other = ((each.double() * valid).sum(1) for each in (before, after))
    return torch.nn.functional.cosine_similarity(one, other, dim=-1)


def check_targets(points: Sequence[float]) -> tuple[float, ...]:
    """Return similarity targets as floats.

    Raises:
        ValueError: There is none, or one is outside (-1, 1].
    """
    targets = tuple(float(point) for point in points)
    if not targets or any(not -1 < target <= 1 for target in targets):
        raise ValueError(f"similarity targets must lie in (-1, 1], at least one of them; got {list(targets)}")
    return targets
