"""A bound on what building a module may take, so that a small file cannot ask for a large one."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: Elements and calls of torch functions that building takes at most besides what is in proportion to the weights.
_FEW_ELEMENTS, _FEW_CALLS = 1_000_000, 1000

#: Elements for each element of the weights, and calls for each of their tensors.
_ELEMENTS, _CALLS = 2, 200

_BY_SHAPE = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full)
_BY_COUNT = (torch.arange, torch.linspace, torch.logspace, torch.randperm)


class SizeLimit(TorchFunctionMode):
    """Context in which a module may be built that has about the size of given weights, and no much larger one.

    New tensors are counted before they take memory.

    Args:
        state: The weights that the module is to have.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__()
        elements = sum(value.numel() for value in state.values() if isinstance(value, Tensor))
        self._elements = _ELEMENTS * elements + _FEW_ELEMENTS
        self._calls = _CALLS * len(state) + _FEW_CALLS

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - torch calls it so
        """Count a call of a torch function; a ValueError if it goes beyond the limit."""
        kwargs = kwargs or {}
        if func is torch._C._set_grad_enabled:  # also how no_grad ends, on the way out of an error, too
            return func(*args, **kwargs)
        self._calls -= 1
        self._elements -= _elements(func, args, kwargs)
        if self._calls < 0 or self._elements < 0:
            raise ValueError("it is larger than the weights that are there")
        return func(*args, **kwargs)


def _elements(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:  # noqa: ANN401 - any function
    """Return the elements of the tensor that a function is about to make; 0 for one that makes none by its size."""
    if func in _BY_SHAPE:
        shape = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
        return abs(math.prod(shape))
    if func is torch.eye:
        return abs(math.prod([*args, *args][:2]))
    if func in _BY_COUNT:
        return max((abs(int(value)) for value in (*args, kwargs.get("steps", 0)) if math.isfinite(value)), default=0)
    return 0
