"""Reconstruction of modules from files: never larger than the file, and with finite weights only."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

#: Functions that make a tensor of a size that is asked for.
_MAKERS = {
    getattr(torch, name)
    for name in ("empty", "zeros", "ones", "full", "rand", "randn", "arange", "linspace", "eye", "empty_strided",
                 "hann_window", "hamming_window", "randint", "normal", "logspace", "tril_indices", "triu_indices",
                 "randperm")
} | {getattr(Tensor, name) for name in ("new_empty", "new_zeros", "new_ones", "new_full")}  # fmt: skip
#: Elements and tensors that a module may make beside its weights (windows, masks, filters).
_SPARE_ELEMENTS, _SPARE_TENSORS = 2**24, 4096

ModuleT = TypeVar("ModuleT", bound=nn.Module)
#: What building from a wrong description may end in.
_WRONG = (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError,
          AssertionError, RecursionError)  # fmt: skip


class Budget(TorchFunctionMode):
    """Limits the tensors that are created in a context to what a file can fill; beyond that a ValueError is raised.

    Args:
        state: The weights that the file has.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.elements = 4 * sum(value.numel() for value in state.values()) + _SPARE_ELEMENTS
        self.tensors = 16 * len(state) + _SPARE_TENSORS

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401 - torch's own protocol
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's own protocol
        given = kwargs or {}
        if func in _MAKERS:
            size = func(*args, **{**given, "device": "meta"}).numel() if "out" not in given else 0
            self.elements -= size
            self.tensors -= 1
            if self.elements < 0 or self.tensors < 0:
                raise ValueError("it describes a model that is larger than its file; the file is damaged")
        return func(*args, **given)


def require_weights(state: object, source: Path | str) -> Mapping[str, Tensor]:
    """Return a state dict whose values are finite tensors.

    Args:
        state: What a file holds.
        source: The file, for messages.

    Raises:
        ValueError: It is no state dict, or a weight is NaN or infinite.
    """
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError(f"{source} holds no weights by name; it is damaged, or of another kind")
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(f"{source}: the weights {name} are NaN or infinite; train again, or copy an earlier one")
    return state


def build(make: Callable[[], ModuleT], state: Mapping[str, Tensor], source: Path | str) -> ModuleT:
    """Return a module that a file describes, its weights not yet filled in.

    Args:
        make: Builds it.
        state: The weights that the file has for it; nothing is allocated that they could not fill.
        source: The file, for messages.

    Raises:
        ValueError: The description is wrong, or of something larger than the weights.
    """
    try:
        with Budget(state):
            return make()
    except _WRONG as error:
        raise ValueError(f"{source} describes its model wrongly: {error or type(error).__name__}") from error


def fill(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Put weights into a module.

    Raises:
        ValueError: One is missing, too many, of another shape, NaN or infinite.
    """
    require_weights(state, source)
    try:
        module.load_state_dict(dict(state))
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"the weights in {source} do not fit their description: {error}") from error
