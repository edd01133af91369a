"""Makes ``import torchaudio`` work beside a torch build that its compiled extension does not fit."""

import importlib.machinery
import sys
import types
from typing import NoReturn


def _unavailable(*_args: object, **_kwargs: object) -> NoReturn:
    raise RuntimeError(
        "this function of torchaudio needs its compiled extension, which does not fit the installed torch: "
        "install the torchaudio build that matches `python -c 'import torch; print(torch.__version__)'`"
    )


def _no_check() -> None:
    """Stand in for torchaudio's check that both packages were built with one CUDA version."""


def _extension_stub() -> types.ModuleType:
    stub = types.ModuleType("torchaudio._extension")
    stub.__path__ = []
    stub.__spec__ = importlib.machinery.ModuleSpec(stub.__name__, None, is_package=True)
    vars(stub).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=lambda function: _unavailable,
        _check_cuda_version=_no_check,
    )
    return stub


def ensure_torchaudio() -> types.ModuleType:
    """Import torchaudio, without its compiled extension where that cannot be loaded, and return it.

    The only wheel of torchaudio for Linux is linked to CUDA libraries; beside a CPU build of torch (or one for another
    CUDA version) its import fails, and with it the import of funasr, although neither needs the extension for what is
    used here. In that case the Python part is imported alone. Call this before anything imports torchaudio or funasr.

    Raises:
        ImportError: torchaudio is not installed.
    """
    try:
        import torchaudio
    except (OSError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio._extension"] = _extension_stub()
        import torchaudio
    return torchaudio
