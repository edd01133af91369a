"""A device under measurement: its clock, its bounds, and how far its results are from the CPU's."""

import resource
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

#: What was off the CPU's results.
FAILED: list[str] = []


class Machine:
    """The device, its clock and its bounds."""

    def __init__(self, device: str, product: int) -> None:
        self.device = torch.device(device)
        self.peaks = {str(kind)[6:]: self._peak(product, kind) for kind in (torch.float32, torch.bfloat16)}
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        self.peaks["tf32"] = self._peak(product, torch.float32) if self.device.type == "cuda" else self.peaks["float32"]
        torch.set_float32_matmul_precision(before)

    def wait(self) -> None:
        """Wait until the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, run: Callable[[], object], times: int = 3) -> float:
        """Return the least time of some runs, after one that does not count."""
        run()
        taken = []
        for _ in range(times):
            self.wait()
            begun = time.perf_counter()
            run()
            self.wait()
            taken.append(time.perf_counter() - begun)
        return min(taken)

    def _peak(self, size: int, kind: torch.dtype) -> float:
        left, right = (torch.randn(size, size, device=self.device, dtype=kind) for _ in range(2))
        return 2 * size**3 / self.seconds(lambda: left @ right)

    def memory(self) -> float:
        """Return the peak of memory since the last call in MiB; on a CPU that of the process."""
        if self.device.type != "cuda":
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        peak = torch.cuda.max_memory_allocated(self.device) / 2**20
        torch.cuda.reset_peak_memory_stats(self.device)
        return peak

    def row(self, name: str, run: Callable[[], object], units: float, unit: str, kind: str, agree: str) -> None:
        """Measure something and print its line.

        Args:
            name: What it is.
            run: Does it once.
            units: How much of the unit that is.
            unit: What a second's work is counted in.
            kind: Precision of its products and convolutions: ``float32``, ``tf32`` or ``bfloat16``.
            agree: How far it is from the CPU's results.
        """
        with FlopCounterMode(display=False) as counter, Operations() as operations:
            run()
        taken = self.seconds(run)
        share = counter.get_total_flops() / taken / self.peaks[kind]
        cells = f"{1000 * taken:,.1f}", f"{units / taken:,.0f} {unit}", f"{operations.count:,}", f"{share:.1%} {kind}"
        print(f"| {name} | {' | '.join(cells)} | {self.memory():,.0f} | {agree} |", flush=True)


class Operations(TorchDispatchMode):
    """Counts dispatched operations that compute something: views and empty tensors are free."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - torch
        """Count an operation and compute it."""
        name = func._schema.name.split("::")[-1]
        free = func.is_view or name.startswith(("empty", "new_empty", "detach", "_unsafe_view"))
        self.count += not free
        return func(*args, **(kwargs or {}))


def relative(one: Tensor, other: Tensor) -> float:
    """Return the distance of two results relative to the second."""
    other = other.double().cpu()
    return float((one.double().cpu() - other).norm() / other.norm().clamp_min(1e-30))


def checked(found: float, bound: float, what: str) -> str:
    """Return a cell of the table; a result that is off is marked and counted."""
    if found <= bound:
        return f"{what} {found:.1e}"
    FAILED.append(f"{what}: {found:.2e} where at most {bound:.0e} is allowed")
    return f"**{what} {found:.1e}**"
