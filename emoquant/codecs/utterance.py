"""Codes of whole utterances: all frames are decoded as one vector."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.codecs.ecvq import check_features
from emoquant.quantization.kmeans import kmeans, nearest
from emoquant.types import Coded, length_mask

#: Codewords of all stages together, at most; a file that asks for more is refused.
_MOST = 2**20


class UtteranceVQ(Codec):
    """Code only the time mean of an utterance, by a few stages of residual vector quantization.

    Every frame is decoded as the training mean plus one codeword of each transmitted stage (Juang & Gray 1982). Stage
    ``s`` codes the residual of the stages before it, so that every number of stages is an operating point of
    ``s log2 K`` bits an utterance, whatever its length. Points are these bits; codes of other stages are SKIP.

    Args:
        dim: Feature dimensions ``D``.
        stages: Stages ``S``.
        codewords: Codewords ``K`` of a stage, a power of two.
        points: Bits an utterance of each operating point; those of 1, 2, ... ``S`` stages by default.
        name: Name in the tables.

    Attributes:
        mean: Training mean of the frames, ``(D,)``.
        books: Codewords of the stages, ``(S, K, D)``.
        ready: Whether it was fitted.

    Raises:
        ValueError: A number is out of range, or a point is no number of whole stages.
    """

    mean: Tensor
    books: Tensor
    ready: Tensor

    def __init__(
        self,
        dim: int,
        stages: int = 8,
        codewords: int = 16,
        points: Sequence[float] | None = None,
        name: str = "utterance",
    ) -> None:
        super().__init__()
        if min(dim, stages) < 1 or codewords < 2 or codewords & (codewords - 1) or stages * codewords > _MOST:
            raise ValueError(
                f"dim and stages must be at least 1, codewords a power of two from 2, got {dim}, {stages}, {codewords}"
            )
        self.dim, self.positions, self.codewords, self.name = dim, stages, codewords, name
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("books", torch.zeros(stages, codewords, dim))
        self.register_buffer("ready", torch.tensor(False))
        bits = math.log2(codewords)
        self.points = tuple(bits * stage for stage in range(1, stages + 1))
        self.points = self.points if points is None else tuple(map(float, points))
        self._stages(self.points)

    def settings(self) -> dict[str, Any]:
        """Return the constructor arguments; see :meth:`Codec.settings`."""
        return {"dim": self.dim, "stages": self.positions, "codewords": self.codewords}

    def check_weights(self) -> None:
        """Check weights that came out of a file; see :meth:`Codec.check_weights`."""
        if not bool(self.ready):
            raise ValueError("saved before its codebooks were fitted: train it for one epoch")

    def skip_vector(self) -> Tensor:
        """Return what all-SKIP decodes to: the training mean, ``(D,)``."""
        return self.mean

    def _stages(self, points: Sequence[float]) -> list[int]:
        """Return the stages that each point sends."""
        counts = [point / math.log2(self.codewords) for point in points]
        wrong = [point for point, count in zip(points, counts, strict=True) if count not in range(self.positions + 1)]
        if wrong or not counts:
            raise ValueError(
                f"an utterance cannot be coded in {', '.join(f'{point:g}' for point in wrong) or 'no'} bits: expected "
                f"multiples of {math.log2(self.codewords):g} up to {self.positions * math.log2(self.codewords):g}"
            )
        return [int(count) for count in counts]

    @torch.no_grad()
    def fit(self, vectors: Tensor, mean: Tensor, seed: int = 0, rounds: int = 50) -> None:
        """Fit the stages one after the other by k-means.

        Args:
            vectors: Time means of training utterances, ``(N, D)``.
            mean: Mean of all training frames, ``(D,)``.
            seed: Seed of the first codewords.
            rounds: Iterations of each k-means.

        Raises:
            ValueError: There are fewer than two utterances, or they are not finite.
        """
        if len(vectors) < 2 or not bool(vectors.isfinite().all()):
            raise ValueError(f"expected at least 2 training utterances with finite features, got {len(vectors)}")
        generator = torch.Generator().manual_seed(seed)
        self.mean.copy_(mean)
        residual = (vectors - mean).unsqueeze(0)
        for book in self.books:
            means, _ = kmeans(residual, self.codewords, rounds, generator)
            book.copy_(means[0])
            residual = residual - book[nearest(residual, means)]
        self.ready.fill_(True)

    @torch.no_grad()
    def forward(self, features: Tensor, lengths: Tensor, points: Sequence[float] | None = None) -> Coded:
        """Code a batch at every operating point; see :meth:`Codec.forward`.

        The codes of an utterance are repeated in each of its frames, and its bits are spread evenly over them.
        """
        check_features(features, lengths, self.dim)
        stages = self._stages(self.points if points is None else points)
        lengths = lengths.to(features.device)
        inside = length_mask(lengths, features.shape[1])
        left = (features.float() * inside.unsqueeze(-1)).sum(1) / lengths.unsqueeze(1) - self.mean
        codes, decoded, sums = [], [self.mean.expand_as(left)], self.mean.expand_as(left)
        for book in self.books:
            codes.append(nearest(left.unsqueeze(0), book.unsqueeze(0))[0])
            left, sums = left - book[codes[-1]], sums + book[codes[-1]]
            decoded.append(sums)
        sent = torch.tensor(stages, device=features.device)
        skip = torch.arange(self.positions, device=features.device) >= sent[:, None, None]
        kept = torch.stack(codes, -1).expand(len(stages), -1, -1).masked_fill(skip, self.codewords)
        rows = torch.stack([decoded[stage] for stage in stages]).unsqueeze(2) * inside.unsqueeze(-1)
        frames = kept.unsqueeze(2).expand(-1, -1, features.shape[1], -1).masked_fill(~inside.unsqueeze(-1), -1)
        bits = sent[:, None, None] * math.log2(self.codewords) * inside / lengths.unsqueeze(1)
        return Coded(frames.to(torch.int16), rows, bits.float())
