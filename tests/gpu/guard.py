"""Compiles and loads what makes a CPU build of torch accept tensors that say they are on a CUDA device."""

import ctypes
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import torch
from torch.utils.cpp_extension import include_paths


def compile_guard():
    """Compile and load ``guard.cpp``; return what is missing if that is not possible."""
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        return "a C++ compiler (g++)"
    source = Path(__file__).with_name("guard.cpp")
    library = Path(tempfile.gettempdir()) / f"emoquant-guard-{os.getuid()}-{torch.__version__}.so"
    if not library.exists():
        libraries = Path(torch.__file__).parent / "lib"
        flags = [f"-I{path}" for path in [*include_paths(), sysconfig.get_path("include")]]
        partial = library.with_suffix(f".{os.getpid()}")
        command = [
            compiler,
            "-shared",
            "-fPIC",
            "-O0",
            "-std=c++20",
            *flags,
            str(source),
            f"-L{libraries}",
            "-lc10",
            "-o",
            str(partial),
        ]
        subprocess.run(command, check=True)
        partial.replace(library)
    ctypes.CDLL(str(library))
    return None
