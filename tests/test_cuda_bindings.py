"""NVIDIA's real cuda-bindings, called as echo-rt calls them, on a libcuda that is emulated on the processor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).with_name("support")
NATIVE = Path(__file__).resolve().parents[1] / "runtime" / "native"


@pytest.fixture(scope="module")
def libcuda(tmp_path_factory) -> Path:
    """The folder of the emulated library."""
    pytest.importorskip("cuda.bindings.driver")
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C++ compiler for an emulated libcuda.so.1")
    folder = tmp_path_factory.mktemp("libcuda")
    flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}"]
    source, target = SUPPORT / "emulated_driver.cpp", folder / "libcuda.so.1"
    subprocess.run([compiler, *flags, source, "-o", target], check=True)
    return folder


PRELUDE = """
import ctypes
import gc

import numpy as np

from echo_rt.engine.tensorrt import kernels
from echo_rt.engine.tensorrt.context import PrimaryContext, cuda_errors
from echo_rt.errors import DeviceError
from support import kernel_parity
from support.stand_in_tensorrt import DEVICE

kernels.fatbin_path = lambda: "/nowhere/kernels.fatbin"
living = ctypes.CDLL("libcuda.so.1").emulated_living
primary = PrimaryContext.of(DEVICE)
cuda = primary.cuda
assert primary.library == "cuda-bindings" and primary.integrated
"""


def run(libcuda: Path, program: str) -> None:
    """In a process of its own: cuda-bindings load the library once."""
    way = {"LD_LIBRARY_PATH": str(libcuda), "PYTHONPATH": str(SUPPORT.parent)}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        capture_output=True,
        text=True,
        env={**os.environ, **way},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_kernels_are_the_reference_and_all_is_freed(libcuda: Path) -> None:
    run(
        libcuda,
        """
for shape in kernel_parity.SHAPES:
    kernel_parity.preprocess_agrees(primary, shape)
kernel_parity.postprocess_agrees(primary)
assert living() == 0, living()
""",
    )


def test_memory_is_set_and_copied_on_the_gpu(libcuda: Path) -> None:
    run(
        libcuda,
        """
with primary:
    stream, (a, b) = cuda.Stream(1), [cuda.mem_alloc(256) for _ in range(2)]
    cuda.memset_d8_async(int(a), 7, 256, stream)
    cuda.memcpy_dtod_async(int(b), int(a), 256, stream)
    stream.synchronize()
    assert bytes((ctypes.c_ubyte * 256).from_address(int(b))) == bytes([7]) * 256
""",
    )


def test_what_cuda_refuses_is_one_line_and_what_is_forgotten_is_freed(libcuda: Path) -> None:
    run(
        libcuda,
        """
with primary:
    for ask, said in (
        (lambda: cuda.mem_alloc(1 << 31), "expected enough memory on the GPU to load it, found too little"),
        (lambda: cuda.module_from_file("a.fatbin").get_function("none"), "CUDA refuses (cuModuleGetFunction failed"),
    ):
        try:
            with cuda_errors(cuda, "load it"):
                ask()
        except DeviceError as error:
            assert said in str(error), error
        else:
            raise AssertionError("it was not refused")
    allocation, array = cuda.mem_alloc(8), cuda.pagelocked_empty((8,), np.uint8)
    assert living() == 2
    del allocation, array
    gc.collect()
assert living() == 0, living()
""",
    )
