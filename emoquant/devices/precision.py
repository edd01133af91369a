"""Full float32 on every device, whatever precision the trainer or the user has chosen for the rest."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Compute in float32 as written: no autocast, and products and convolutions without shorter mantissas.

    On CUDA devices from Ampere on, convolutions use TF32 (10 bits of mantissa) by default, and products do so after
    ``torch.set_float32_matmul_precision("high")``; on some CPUs that call turns products to bfloat16. Features and
    codes of a GPU would then not be those of a CPU.

    Args:
        device: Device that is computed on.
    """
    kinds = _kinds(device.type)
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        known = torch.amp.is_autocast_available(device.type)
        with torch.autocast(device.type, enabled=False) if known else nullcontext():
            yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


def running_sums(values: torch.Tensor, dim: int) -> torch.Tensor:
    """Return cumulative sums along an axis; deterministic on a GPU, too, where torch is asked for that.

    Example:
        >>> running_sums(torch.tensor([1.0, 2.0, 3.0]), 0).tolist()
        [1.0, 3.0, 6.0]
    """
    if values.device.type == "cuda" and torch.are_deterministic_algorithms_enabled():
        return values.cpu().cumsum(dim).to(values.device)  # CUDA's own adds in an order that changes
    return values.cumsum(dim)


def _kinds(device: str) -> tuple[Any, ...]:
    """Return torch's switches for products, convolutions and recurrent layers on a kind of device."""
    if device == "cuda":
        backend: Any = torch.backends.cudnn
        return torch.backends.cuda.matmul, backend.conv, backend.rnn
    if device == "cpu":
        backend = torch.backends.mkldnn
        return backend.matmul, backend.conv, backend.rnn
    return ()
