"""Fit of a quantizer's smoothing at the end of a training."""

from collections.abc import Callable, Iterable

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from emoquant.quantization.codebooks import share_buffers
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import Batch

#: Lambdas at which every training utterance is coded.
LAMBDAS = 4


@torch.no_grad()
def fit_smoothing(
    quantizer: GroupedResidualVQ,
    batches: Iterable[Batch],
    search: Callable[[Batch], Tensor],
    strategy: Strategy,
) -> None:
    """Fit the smoothing of a quantizer to coded training utterances; nothing happens where it has none.

    Args:
        quantizer: The quantizer, with the codebooks that it will keep.
        batches: Batches of this process's training utterances.
        search: Returns codes of a batch, ``(B, T, P)``, -1 past the end of an utterance, at other lambdas each time.
        strategy: The trainer's, which sums over all processes.
    """
    smoother = quantizer.smoother
    if smoother is None:
        return
    sums = smoother.no_sums()
    for batch in batches:
        aim = quantizer.transform(batch.features)
        for _ in range(LAMBDAS):
            codes = search(batch).long()
            smoother.add(sums, quantizer.components_of(codes), codes, aim)
    smoother.fit(strategy.reduce(sums.to(strategy.root_device), reduce_op="sum"))
    share_buffers(smoother)
