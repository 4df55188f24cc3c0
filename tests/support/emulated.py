"""The CUDA kernels as a library for the processor; see emulated_cuda.hpp."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "runtime" / "native"
C_TYPES = {"P": ctypes.c_void_p, "i": ctypes.c_int, "d": ctypes.c_double, "f": ctypes.c_float}

_one_at_a_time = threading.Lock()


@cache
def library() -> ctypes.CDLL:
    """Compiled once a run; the test is skipped where there is no compiler."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernels.so"
        flags = ["-std=c++17", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
        if "ECHO_RT_SANITIZED" in os.environ:  # by `make sanitize`
            checks = "-fsanitize=address,undefined,float-cast-overflow"
            flags += ["-g", checks, "-fno-sanitize-recover=all"]
        source = Path(__file__).with_name("emulated_kernels.cpp")
        command = [compiler, *flags, f"-I{NATIVE}", source, "-o", path]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(path))


def launch(
    name: str, blocks: tuple[int, ...], threads: tuple[int, ...], types: str, arguments: tuple[Any, ...]
) -> None:
    """A launch as PyCUDA takes it: the types' letters, the values in their order."""
    assert len(types) == len(arguments)
    typed = [C_TYPES[letter](value) for letter, value in zip(types, arguments, strict=True)]
    three = ctypes.c_uint * 3
    with _one_at_a_time:
        getattr(library(), f"launch_{name}")(three(*blocks, *[1] * (3 - len(blocks))), three(*threads), *typed)
