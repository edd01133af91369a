"""The codebook of a local style encoder."""

from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce
from vector_quantize_pytorch import VectorQuantize

from emoquant.ranks import world_size


class Bottleneck(NamedTuple):
    """Styles after their codebook.

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


def code_perplexity(codes: Tensor, codewords: int) -> Tensor:
    """Return 2^entropy of the histogram of codes (any shape, int64; -1 is not counted), a scalar float32."""
    counts = torch.bincount(codes[codes >= 0], minlength=codewords).float()
    share = counts / counts.sum().clamp(min=1)
    return torch.exp(torch.special.entr(share).sum())


class SegmentNorm(nn.Module):
    """Brings every channel to mean 0 and variance 1 over the real segments of a batch, of all processes together.

    Commitment pulls styles towards codewords that are of little use at first, and all of them into one point; behind
    this norm they cannot go there. Evaluation takes running statistics (Ioffe & Szegedy 2015).

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
    """A codebook trained by moving averages (k-means initialisation, dead codewords revived), always in float32.

    Until the first call in training with ``quantize`` the styles pass unchanged. So they do in a training step in which
    a style of any process is NaN or infinite, as half precision may make it: the loss scaling of fp16 leaves such a
    step out, but a codebook that had followed it would be lost.

    Whether the codebook is kept equal over processes is looked up at every call: vector-quantize-pytorch settles it
    when it is built, which may be before the processes know of each other, and then the codebooks of the processes
    drift apart; here it is built again in that case, with the same codewords.

    Args:
        hidden: Width of the styles.
        codewords: Codewords ``K``.
        decay: Decay of the moving averages.
        commitment: Weight of the commitment loss.
        norm: Whether styles are normalised before (:class:`SegmentNorm`).

    Attributes:
        started: Whether the codebook has been trained, a scalar bool.
    """

    started: Tensor

    def __init__(self, hidden: int, codewords: int, decay: float, commitment: float = 0.25, norm: bool = False) -> None:
        super().__init__()
        self.norm = SegmentNorm(hidden) if norm else None
        self.settings = {
            "dim": hidden,
            "codebook_size": codewords,
            "decay": decay,
            "commitment_weight": commitment,
            "kmeans_init": True,
            "threshold_ema_dead_code": 2,
            "rotation_trick": False,
        }
        self.codewords = codewords
        self.synced = world_size() > 1
        self.codebook = VectorQuantize(**self.settings, sync_codebook=self.synced)
        self.register_buffer("started", torch.tensor(False))

    def forward(self, styles: Tensor, mask: Tensor, quantize: bool = True) -> Bottleneck:
        """Quantize styles.

        Args:
            styles: Styles of the segments, ``(B, S, H)``.
            mask: Real segments, ``(B, S)`` bool; the others neither count nor change anything.
            quantize: Whether the codebook is in use in training; outside of training it is once it has started.
        """
        if self.norm is not None:
            styles = self.norm(styles, mask)
        in_use = quantize and (not _overflown(styles) if self.training else bool(self.started))
        if not in_use:
            zero = styles.new_zeros((), dtype=torch.float32)
            return Bottleneck(styles, torch.full_like(mask, -1, dtype=torch.int64), zero, zero)
        if self.synced != (world_size() > 1):
            self._rebuild()
        with torch.autocast(styles.device.type, enabled=False):
            coded, codes, commitment = self.codebook(styles.float(), mask=mask)
        if self.training:
            self.started.fill_(True)
        return Bottleneck(coded, codes, commitment.float().sum(), code_perplexity(codes, self.codewords))

    def _rebuild(self) -> None:
        self.synced = world_size() > 1
        fresh = VectorQuantize(**self.settings, sync_codebook=self.synced).to(self.started.device)
        fresh.load_state_dict(self.codebook.state_dict())
        self.codebook = fresh.train(self.training)


def _overflown(styles: Tensor) -> bool:
    """Return whether a style of any process is NaN or infinite."""
    bad = (~torch.isfinite(styles).all()).float()
    if world_size() > 1:
        distributed.all_reduce(bad, distributed.ReduceOp.MAX)
    return bool(bad)
