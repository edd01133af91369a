"""Fit of a quantizer's smoothing at the end of a training."""

from collections.abc import Callable

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from emoquant.interfaces.access import labelled_frames_of
from emoquant.quantization.codebooks import share_buffers
from emoquant.quantization.grvq import GroupedResidualVQ
from emoquant.types import Batch

#: Lambdas at which every training utterance is coded.
LAMBDAS = 2


@torch.no_grad()
def fit_smoothing(trainer: Trainer, quantizer: GroupedResidualVQ, search: Callable[[Batch], Tensor]) -> None:
    """Fit the smoothing of a quantizer to coded training utterances; nothing happens where it has none.

    Args:
        trainer: The trainer of a run, for the training utterances and sums over all processes.
        quantizer: The quantizer, with the codebooks that it will keep.
        search: Returns codes of a batch, ``(B, T, P)``, -1 past the end of an utterance, at other lambdas each time.
    """
    smoother, data, strategy = quantizer.smoother, labelled_frames_of(trainer), trainer.strategy
    loader = data.reference_dataloader() if data else trainer.train_dataloader
    if smoother is None or loader is None:
        return
    sums = smoother.no_sums()
    for each in loader:
        batch = strategy.batch_to_device(each)
        aim = quantizer.transform(batch.features)
        for _ in range(LAMBDAS):
            codes = search(batch).long()
            smoother.add(sums, quantizer.components_of(codes), codes, aim)
    smoother.fit(strategy.reduce(sums, reduce_op="sum"))
    share_buffers(smoother)
