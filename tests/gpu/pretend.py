"""Tensors that say they are on ``cuda:0``, hold CPU values, compute, and fail where CUDA fails.

They raise where devices are mixed, where a CPU generator draws on CUDA, on products of integers, and on what exists on
a CPU only. They count operations, waits of the host and uploads. Autocast dispatches as on CUDA, backward passes run
node by node. Not covered: cuDNN (recurrent layers take CUDA's cell without it), kernels' rounding, and time.
"""

import collections
import contextlib
import os
import traceback

import torch
import torch.utils._mode_utils
from backward import backward
from recurrent import KERNELS
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map
from torchmetrics import Metric

CUDA = torch.device("cuda", 0)
WAITS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim",
         "unique_consecutive", "bincount", "histc"}  # fmt: skip
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "addmv", "mv", "dot", "addbmm"}
#: Without a deterministic implementation on CUDA (torch.use_deterministic_algorithms).
RANDOM_ORDER = {"reflection_pad1d_backward", "reflection_pad2d_backward", "replication_pad1d_backward",
                "upsample_linear1d_backward", "adaptive_avg_pool2d_backward", "kthvalue", "histc"}  # fmt: skip
FREE = {"view", "_unsafe_view", "transpose", "t", "permute", "expand", "unsqueeze", "squeeze", "slice", "select",
        "detach", "split", "split_with_sizes", "as_strided", "alias", "unbind", "empty", "empty_like", "empty_strided",
        "new_empty", "new_empty_strided", "_reshape_alias", "view_as_real", "view_as_complex", "lift_fresh",
        "diagonal", "unfold", "resize_", "set_", "real", "imag"}  # fmt: skip
COPIES = {"copy_", "_to_copy", "lift_fresh", "_has_compatible_shallow_copy_type"}
PACKAGE = f"{os.sep}emoquant{os.sep}"


class WrongDeviceError(RuntimeError):
    """What CUDA refuses."""


class Counts:
    """Operations, waits of the host and uploads by the place that caused them."""

    def __init__(self):
        self.operations, self.waits, self.uploads = (collections.Counter() for _ in range(3))

    def clear(self):
        for each in (self.operations, self.waits, self.uploads):
            each.clear()

    def totals(self):
        return tuple(sum(each.values()) for each in (self.operations, self.waits, self.uploads))


COUNTS = Counts()


def place():
    for frame in reversed(traceback.extract_stack(limit=60)):
        if PACKAGE in frame.filename or "vector_quantize" in frame.filename or "torchmetrics" in frame.filename:
            return f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.line[:90]}"
    return "?"


class Cuda(torch.Tensor):
    """A tensor on the pretended device."""

    @staticmethod
    def __new__(cls, held):
        assert not isinstance(held, Cuda)
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            layout=held.layout, device=CUDA,
        )  # fmt: skip
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __repr__(self):
        return f"Cuda({self.held})"

    def item(self):
        return torch.ops.aten._local_scalar_dense(self.detach())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def __bool__(self):
        return bool(self.item())

    def __index__(self):
        return int(self.item())

    def __format__(self, spec):
        return format(self.item() if self.dim() == 0 else self.held, spec)

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, *_, force=False, **__):
        if force:
            return self.cpu().numpy()
        raise WrongDeviceError(f"can't convert a CUDA tensor to numpy at {place()}")

    def apply_(self, *_):
        raise WrongDeviceError(f"apply_ is only implemented on CPU tensors at {place()}")

    def __deepcopy__(self, memo):
        return Cuda(self.held.clone())

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


def run(func, args, kwargs):
    """Check, count and compute one operation."""
    name = func._schema.name.split("::")[-1]
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    cuda = [each for each in tensors if isinstance(each, Cuda)]
    device = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    on_cuda = bool(cuda) if device is None else device.type == "cuda"
    if cuda and name not in COPIES:
        check_devices(name, args, [each for each in tensors if not isinstance(each, Cuda)])
    if on_cuda and getattr(kwargs.get("generator"), "device", CUDA).type == "cpu":
        raise WrongDeviceError(f"{name} on CUDA with a CPU generator at {place()}")
    if cuda:
        check_kernel(name, cuda)
    count(name, func._overloadname, args, cuda, device, on_cuda)
    held = {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory")}
    held = tree_map(unwrapped, held) | ({"device": torch.device("cpu")} if device is not None else {})
    out = KERNELS.get(name, func)(*tree_map(unwrapped, args), **held)
    if "out" in kwargs:
        return kwargs["out"]
    if name.endswith("_") and not name.endswith("__") and args and isinstance(args[0], torch.Tensor):
        if torch.Tag.inplace_view in func.tags and isinstance(args[0], Cuda):
            reshape_in_place(func, args, kwargs)
        return args[0]
    return tree_map(wrapped, out) if on_cuda and name not in ("_local_scalar_dense", "is_nonzero", "equal") else out


def reshape_in_place(func, args, kwargs):
    """Give the pretended tensor the shape that the operation gave to what it holds."""
    before = torch._C._meta_in_tls_dispatch_include()
    torch._C._set_meta_in_tls_dispatch_include(True)
    try:
        with torch.utils._mode_utils.no_dispatch():
            func(*args, **kwargs)
    finally:
        torch._C._set_meta_in_tls_dispatch_include(before)


def unwrapped(value):
    return value.held if isinstance(value, Cuda) else value


def wrapped(value):
    return Cuda(value) if isinstance(value, torch.Tensor) and not isinstance(value, Cuda) else value


def check_devices(name, args, cpu):
    if name in ("index", "_unsafe_index", "index_put_", "index_put", "_index_put_impl_"):
        if not isinstance(args[0], Cuda):
            raise WrongDeviceError(f"a CPU tensor is indexed by a CUDA one at {place()}")
        if "put" in name and not isinstance(args[2], Cuda) and args[2].dim():
            raise WrongDeviceError(f"CPU values are put into a CUDA tensor at {place()}")
        if any(isinstance(each, torch.Tensor) and not isinstance(each, Cuda) for each in args[1] or []):
            COUNTS.uploads[f"index: {place()}"] += 1
    elif any(each.dim() for each in cpu):
        raise WrongDeviceError(f"expected all tensors on one device: {name} with a CPU tensor at {place()}")
    elif cpu and name in ("cat", "stack", "gather", "scatter_add", "index_add_", "embedding", *PRODUCTS):
        raise WrongDeviceError(f"{name} mixes devices at {place()}")
    elif cpu and name.endswith("_") and not name.endswith("__") and not isinstance(args[0], Cuda):
        raise WrongDeviceError(f"{name} writes a CUDA result to the CPU at {place()}")


def check_kernel(name, cuda):
    if name in PRODUCTS and not all(each.is_floating_point() or each.is_complex() for each in cuda):
        raise WrongDeviceError(f"{name} of integers is not implemented on CUDA at {place()}")
    if name.startswith("_fft") and cuda[0].dtype == torch.bfloat16:
        raise WrongDeviceError(f"Fourier transform of bfloat16 at {place()}")
    random = name in RANDOM_ORDER or (name == "cumsum" and cuda[0].is_floating_point())
    if random and torch.are_deterministic_algorithms_enabled():
        raise WrongDeviceError(f"{name} has no deterministic implementation on CUDA at {place()}")


def count(name, overload, args, cuda, device, on_cuda):
    masked = name in ("index", "index_put_", "_index_put_impl_") and any(
        isinstance(each, torch.Tensor) and each.dtype == torch.bool for each in args[1] or []
    )
    if cuda and (name in WAITS or masked or (name == "repeat_interleave" and overload == "Tensor")):
        COUNTS.waits[f"{name}: {place()}"] += 1
    to_cpu = name == "_to_copy" and device is not None and device.type == "cpu"
    if cuda and (to_cpu or (name == "copy_" and not isinstance(args[0], Cuda))):
        COUNTS.waits[f"to the CPU: {place()}"] += 1
    if (name == "_to_copy" and not cuda and on_cuda) or (cuda and name == "copy_" and not isinstance(args[1], Cuda)):
        COUNTS.uploads[f"{name}: {place()}"] += 1
    if (on_cuda or cuda) and name not in FREE:
        COUNTS.operations[name] += 1


class Pretended(TorchDispatchMode):
    """Makes new tensors on ``cuda`` pretended ones."""

    allow_non_fake_inputs, shape_env = True, None

    def __init__(self):
        super().__init__()
        self._mode_key = torch._C._TorchDispatchModeKey.FAKE

    def __enter__(self):
        self._before = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *error):
        torch._C._set_only_lift_cpu_tensors(self._before)
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


_TO = torch.Tensor.to


def to(self, *args, **kwargs):
    if args and isinstance(args[0], torch.Tensor):
        device, dtype = args[0].device, args[0].dtype
    else:
        known = {key: value for key, value in kwargs.items() if key in ("device", "dtype", "non_blocking")}
        device, dtype, *_ = torch._C._nn._parse_to(*args, **known)
    device, dtype = device or self.device, dtype or self.dtype
    device = CUDA if device.type == "cuda" else device
    if device.type == "cpu" and self.device.type == "cpu":
        return _TO(self, *args, **kwargs)
    if device == self.device and dtype == self.dtype and not kwargs.get("copy"):
        return self
    return torch.ops.aten._to_copy(self, dtype=dtype, device=device)


_MODULE_TO = torch.nn.Module.to


def module_to(self, *args, **kwargs):
    """Leave a network alone that is there: its parameters would be made anew, and an optimizer keep the old ones."""
    device, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
    held = [*self.parameters(), *self.buffers()]
    there = bool(held) and all(device is not None and each.device.type == device.type for each in held)
    if there and dtype is None and not any(isinstance(each, Metric) for each in self.modules()):
        return self
    return _MODULE_TO(self, *args, **kwargs)


TYPES = {"double": torch.float64, "float": torch.float32, "long": torch.int64, "int": torch.int32, "bool": torch.bool,
         "half": torch.float16, "bfloat16": torch.bfloat16}  # fmt: skip


@contextlib.contextmanager
def pretended_gpu(patch):
    """Let ``cuda`` mean the pretended device while the block runs; ``patch`` is pytest's."""
    for kind in (torch.Tensor, Cuda):
        patch.setattr(kind, "to", to)
        patch.setattr(kind, "backward", backward, raising=False)
    patch.setattr(torch.nn.Module, "to", module_to)
    patch.setattr(torch.Tensor, "cuda", lambda self, *_, **__: to(self, "cuda"))
    patch.setattr(torch.Tensor, "cpu", lambda self, *_, **__: to(self, "cpu"))
    for name, dtype in TYPES.items():
        patch.setattr(Cuda, name, lambda self, kind=dtype: to(self, kind), raising=False)
    patch.setattr(Cuda, "type_as", lambda self, other: to(self, other), raising=False)
    patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    patch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    patch.setattr(torch.cuda, "mem_get_info", lambda *_: (64 * 2**30, 80 * 2**30))
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    COUNTS.clear()
    try:
        with Pretended():
            yield COUNTS
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def moved(value):
    """Return a module, tensor or (named) tuple of them on the pretended device."""
    if isinstance(value, tuple):
        parts = [moved(each) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value.to(CUDA) if isinstance(value, torch.Tensor | torch.nn.Module) else value
