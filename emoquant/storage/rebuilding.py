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
WRONG = (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError,
         AssertionError, RecursionError)  # fmt: skip


class Budget(TorchFunctionMode):
    """Limits the tensors that are created in a context to what a file can fill; beyond that a ValueError is raised.

    Args:
        state: The weights that the file has.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__()
        sizes = [value.numel() for value in state.values() if isinstance(value, Tensor)]
        self.elements = 4 * sum(sizes) + _SPARE_ELEMENTS
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
        if (value.is_floating_point() or value.is_complex()) and not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"{source} holds NaN or infinity in {name!r}: the training diverged or the file is damaged; train "
                "again, or copy an earlier one"
            )
    return state


def build(
    make: Callable[[], ModuleT], state: Mapping[str, Any], source: Path | str, what: str = "its model"
) -> ModuleT:
    """Return a module that a file describes, its weights not yet filled in.

    Args:
        make: Builds it.
        state: The weights that the file has for it; nothing is allocated that they could not fill.
        source: The file, for messages.
        what: What it describes, for messages.

    Raises:
        ValueError: The description is wrong, or of something larger than the weights.
    """
    try:
        with Budget(state):
            return make()
    except WRONG as error:
        raise ValueError(f"{source} describes {what} wrongly: {error or type(error).__name__}") from error


def require_shapes(module: nn.Module, state: Mapping[str, Any], source: Path | str) -> None:
    """Check that weights have the names and shapes of a module's; a ValueError names the first that has not."""
    wanted, given = (
        {name: tuple(value.shape) for name, value in each.items() if isinstance(value, Tensor)}
        for each in (module.state_dict(), state)
    )
    if wanted != given:
        name = next(each for each in [*wanted, *given] if wanted.get(each) != given.get(each))
        raise ValueError(
            f"the weights in {source} do not fit their description: {name!r} is {given.get(name, 'missing')}, "
            f"expected {wanted.get(name, 'none')}"
        )


def fill(module: nn.Module, state: Mapping[str, Any], source: Path | str) -> None:
    """Put weights into a module.

    Raises:
        ValueError: One is missing, too many, of another shape, NaN or infinite.
    """
    require_shapes(module, state, source)
    try:
        module.load_state_dict(dict(state))
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"the weights in {source} do not fit their description: {error}") from error
    tensors = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    require_weights(tensors, source)  # beside them a module may have a state of its own
