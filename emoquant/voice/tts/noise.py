"""Noise of the post-net, drawn independently for each item."""

import numpy as np
import torch
from torch import Tensor


def flow_noise(lengths: Tensor, size: int, mels: int, deviation: float, seeds: Tensor | None) -> Tensor:
    """Return Gaussian noise for pairs of mel frames.

    Each item's noise is drawn on the CPU by a generator with its own seed, frame after frame. So it depends neither on
    the batch nor on the device, and a longer rendering of the same item begins with the same noise.

    Args:
        lengths: Frames of each item, ``(B,)`` int64.
        size: Frames of the padded batch, ``T``.
        mels: Mel bands, ``M``.
        deviation: Standard deviation; 0 gives zeros.
        seeds: Seed of each item, ``(B,)`` int64, not negative; not read where the deviation is 0.

    Returns:
        Noise ``(B, ceil(T / 2), 2 M)`` float32, zeros past the end.
    """
    noise = torch.zeros(len(lengths), (size + 1) // 2, 2 * mels)
    if deviation > 0 and seeds is not None:
        for item, (length, seed) in enumerate(zip(lengths.tolist(), seeds.tolist(), strict=True)):
            drawn = np.random.default_rng(seed).standard_normal(((length + 1) // 2, 2 * mels), np.float32)
            noise[item, : len(drawn)] = torch.from_numpy(drawn) * deviation
    return noise.to(lengths.device)
