"""Number of items that are held at once on a device: fixed on a CPU, by free memory on a GPU."""

import torch


def fitting(device: torch.device, size: int, least: int, most: int, share: float = 0.25) -> int:
    """Return how many items fit into a share of a CUDA device's free memory; ``least`` on any other device.

    Args:
        device: The device.
        size: Bytes that an item takes.
        least: Smallest number that is returned.
        most: Largest number that is returned.
        share: Share of the free memory that may be taken.

    Example:
        >>> fitting(torch.device("cpu"), 1000, 16, 64)
        16
    """
    if device.type != "cuda" or not torch.cuda.is_available():
        return least
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + unused
    return min(most, max(least, int(free * share) // size))
