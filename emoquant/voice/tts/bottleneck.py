"""The vector-quantization bottleneck of a local style encoder."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional
from vector_quantize_pytorch import VectorQuantize

from emoquant.devices.ranks import world_size


class Bottleneck(NamedTuple):
    """Hold quantized styles with their codes and the commitment loss.

    Attributes:
        styles: Styles, ``(B, S, H)``; zeros outside the mask.
        codes: Codeword of each segment, ``(B, S)`` int64; -1 outside the mask and where the codebook is not in use.
        commitment: Weighted commitment loss, a scalar float32; 0 where the codebook is not in use.
        perplexity: 2^entropy of the codes of this batch, a scalar float32 in [1, K]; 0 where it is not in use.
    """

    styles: Tensor
    codes: Tensor
    commitment: Tensor
    perplexity: Tensor


def count_codes(codes: Tensor, codewords: int) -> Tensor:
    """Return how often each code occurs, ``(K,)`` float32; the codes have any shape, -1 is not counted."""
    counts = torch.zeros(codewords + 1, device=codes.device)
    return counts.scatter_add_(0, codes.flatten() + 1, torch.ones_like(codes.flatten(), dtype=torch.float32))[1:]


def code_perplexity(codes: Tensor, codewords: int) -> Tensor:
    """Return 2^entropy of the histogram of codes (any shape, int64; -1 is not counted), a scalar float32."""
    counts = count_codes(codes, codewords)
    share = counts / counts.sum().clamp(min=1)
    return torch.exp(torch.special.entr(share).sum())


class SegmentNorm(nn.Module):
    """Normalise every channel to mean 0 and variance 1 over the real segments of a batch, of all processes together.

    This is batch normalisation without scale and shift (Ioffe & Szegedy 2015); evaluation uses running statistics.
    Without it the commitment loss can pull all styles into one point while the codewords are still of little use.

    Args:
        hidden: Channels.
        momentum: Weight of a batch in the running statistics.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, hidden: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(hidden))
        self.register_buffer("variance", torch.ones(hidden))

    def forward(self, styles: Tensor, mask: Tensor) -> Tensor:
        """Return styles ``(B, S, H)`` float32; zeros outside the mask ``(B, S)`` bool."""
        with torch.autocast(styles.device.type, enabled=False):
            styles, weight = styles.float(), mask.unsqueeze(-1)
            mean, variance = self._batch(styles * weight, weight) if self.training else (self.mean, self.variance)
            return (styles - mean) * torch.rsqrt(variance + 1e-5) * weight

    def _batch(self, styles: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        sums = torch.stack([weight.float().expand_as(styles), styles, styles.square()]).sum((1, 2))
        if world_size() > 1:
            sums = all_reduce(sums)
        count, total, squares = sums
        mean = total / count.clamp(min=1)
        variance = (squares / count.clamp(min=1) - mean.square()).clamp(min=0)
        with torch.no_grad():
            finite = torch.isfinite(squares).all()  # of all processes, so that they agree
            for running, found in ((self.mean, mean), (self.variance, variance)):
                running.copy_(torch.where(finite, running.lerp(found, self.momentum), running))
        return mean, variance


class StyleCodebook(nn.Module):
    """Quantize styles by a codebook of moving averages (k-means initialisation, dead codewords replaced), in float32.

    Styles pass unchanged

    - before the first training call with ``quantize``;
    - in a training step in which a style of any process is NaN or infinite, as can happen in half precision. fp16's
      loss scaling skips such a step, but a codebook updated with it would be lost.

    vector-quantize-pytorch decides when it is built whether codebooks are averaged over processes. If the process group
    is made later, the library's codebook is built again with the same codewords, so that processes do not diverge.

    Args:
        hidden: Width of the styles.
        codewords: Codewords ``K``.
        decay: Decay of the moving averages.
        commitment: Weight of the commitment loss.
        norm: Whether styles are normalised before quantization (:class:`SegmentNorm`).

    Attributes:
        started: Whether the codebook has been trained, a scalar bool.
    """

    started: Tensor

    def __init__(self, hidden: int, codewords: int, decay: float, commitment: float = 0.25, norm: bool = False) -> None:
        super().__init__()
        self.norm = SegmentNorm(hidden) if norm else None
        self.commitment = commitment
        self.settings = {
            "dim": hidden,
            "codebook_size": codewords,
            "decay": decay,
            "commitment_weight": 0.0,  # added here, since the library's own waits for the device
            "kmeans_init": True,
            "threshold_ema_dead_code": 2,
            "rotation_trick": False,
        }
        self.codewords = codewords
        self.synced = world_size() > 1
        self.codebook = VectorQuantize(**self.settings, sync_codebook=self.synced)
        self.register_buffer("started", torch.tensor(False))
        self._started = False  # known without asking the device
        self._samples: tuple[Tensor, Tensor] | None = None

    def forward(self, styles: Tensor, mask: Tensor, quantize: bool = True) -> Bottleneck:
        """Quantize styles; in training update the codebook, too.

        Args:
            styles: Styles of the segments, ``(B, S, H)``.
            mask: Real segments, ``(B, S)`` bool; padded ones have no influence.
            quantize: Whether a training call quantizes; evaluation quantizes if the codebook has been trained.
        """
        styles = self.normalised(styles, mask)
        if self.training and quantize:
            quantize = not any_overflow([styles])
        found = self.quantize(styles, mask, quantize)
        revive_codewords([self])
        return found

    def normalised(self, styles: Tensor, mask: Tensor) -> Tensor:
        """Return styles ``(B, S, H)`` ready for the codebook: normalised if it has a norm."""
        return styles if self.norm is None else self.norm(styles, mask)

    def quantize(self, styles: Tensor, mask: Tensor, in_use: bool) -> Bottleneck:
        """Quantize normalised styles; dead codewords are replaced later, by :func:`revive_codewords`.

        Args:
            styles: Normalised styles, ``(B, S, H)``.
            mask: As for :meth:`forward`.
            in_use: Whether a training call quantizes; it must be False if a style of any process is not finite.
        """
        if not (in_use if self.training else self._has_started()):
            zero = styles.new_zeros((), dtype=torch.float32)
            return Bottleneck(styles, torch.full_like(mask, -1, dtype=torch.int64), zero, zero)
        if self.synced != (world_size() > 1):
            self._rebuild()
        with torch.autocast(styles.device.type, enabled=False):
            styles = styles.float()
            coded, codes, _ = self._codebook_of(styles)(styles, mask=mask)
            squares = (coded.detach() - styles).square().mean(-1) * mask
            commitment = self.commitment * squares.sum() / mask.sum()
        if self.training:
            self.started.fill_(True)
            self._started = True
        return Bottleneck(coded, codes, commitment, code_perplexity(codes, self.codewords))

    def _has_started(self) -> bool:
        """Whether the codebook has been trained; the device is asked until it has."""
        self._started = self._started or bool(self.started)
        return self._started

    def _codebook_of(self, styles: Tensor) -> VectorQuantize:
        """Return the library's codebook without its waits for the device."""
        book = self.codebook._codebook
        if self.training:
            if self._started or bool(book.initted):
                book.init_embed_ = _nothing
            book.expire_codes_ = self._remember
        return self.codebook

    def _remember(self, batch_samples: Tensor, seq_mask: Tensor | None = None) -> None:
        """Keep what dead codewords may be replaced by."""
        real = torch.ones_like(batch_samples[..., 0], dtype=torch.bool) if seq_mask is None else seq_mask
        self._samples = batch_samples.detach().flatten(0, -2), real.flatten()

    def candidates(self) -> Tensor:
        """Return up to ``K`` random vectors of the last batch to replace dead codewords by, ``(K, H + 1)`` float32.

        The last column is a random key by which rows are sorted in falling order; -1 marks rows without a vector.
        """
        assert self._samples is not None
        samples, real = self._samples
        key, chosen = (
            torch.rand(len(real), device=real.device).masked_fill(~real, -1.0).topk(min(len(real), self.codewords))
        )
        rows = torch.cat([samples[chosen], key.unsqueeze(1)], 1)
        return functional.pad(rows, (0, 0, 0, self.codewords - len(rows)), value=-1.0)

    def revive(self, candidates: Tensor) -> None:
        """Replace dead codewords by candidates (:meth:`candidates`), as long as there are any."""
        book = self.codebook._codebook
        dead = book.cluster_size[0] < book.threshold_ema_dead_code
        rows = candidates[(dead.cumsum(0) - 1).clamp(min=0)]
        vectors, taken = rows[:, :-1], dead & (rows[:, -1] >= 0)
        size = float(book.reset_cluster_size)
        book.cluster_size[0].masked_fill_(taken, size)
        for held, fresh in ((book.embed, vectors), (book.embed_avg, size * vectors)):
            held[0].copy_(torch.where(taken.unsqueeze(1), fresh, held[0]))

    def _load_from_state_dict(self, *args: Any) -> None:  # noqa: ANN401 - torch's hook
        super()._load_from_state_dict(*args)
        self._started = False
        vars(self.codebook._codebook).pop("init_embed_", None)

    def _rebuild(self) -> None:
        self.synced = world_size() > 1
        fresh = VectorQuantize(**self.settings, sync_codebook=self.synced).to(self.started.device)
        fresh.load_state_dict(self.codebook.state_dict())
        self.codebook = fresh.train(self.training)


def any_overflow(styles: Sequence[Tensor]) -> bool:
    """Return whether any style of any process is NaN or infinite, by one collective call and one device wait."""
    bad = torch.stack([~torch.isfinite(each).all() for each in styles]).any().float()
    if world_size() > 1:
        distributed.all_reduce(bad, distributed.ReduceOp.MAX)
    return bool(bad)


def revive_codewords(codebooks: Sequence[StyleCodebook]) -> None:
    """Replace the dead codewords of codebooks in training by random vectors of the last batch of all processes.

    Every process offers as many candidates as there are codewords, whether any is dead or not. So the sizes of the
    collective call are known without waiting for the device and do not differ between processes.

    Args:
        codebooks: Codebooks of one size.
    """
    trained = [book for book in codebooks if book.training and book._samples is not None]
    if not trained:
        return
    rows = torch.stack([book.candidates() for book in trained])
    if world_size() > 1:
        parts = [torch.empty_like(rows) for _ in range(world_size())]
        distributed.all_gather(parts, rows)
        rows = torch.cat(parts, 1)
        first = rows[..., -1].topk(rows.shape[1] // world_size()).indices
        rows = rows.gather(1, first.unsqueeze(-1).expand(-1, -1, rows.shape[-1]))
    for book, offered in zip(trained, rows, strict=True):
        book.revive(offered)
        book._samples = None


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""
