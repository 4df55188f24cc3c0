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

from echo_rt import reference
from echo_rt.engine.tensorrt import kernels
from echo_rt.engine.tensorrt.context import PrimaryContext, cuda_errors
from echo_rt.engine.tensorrt.graph import CudaGraph
from echo_rt.engine.tensorrt.kernels import TALLY_NUMBERS, Kernels, read_tally
from echo_rt.engine.tensorrt.memory import Memory
from echo_rt.errors import DeviceError
from echo_rt.segmentation import GridMap
from support.stand_in_tensorrt import DEVICE
from support.toy import SPEC

kernels.fatbin_path = lambda: "/nowhere/kernels.fatbin"
living = ctypes.CDLL("libcuda.so.1").emulated_living
primary = PrimaryContext.of(DEVICE)
cuda, grid = primary.cuda, SPEC.input.grid
assert primary.library == "cuda-bindings" and primary.integrated
random = np.random.default_rng(3)
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


def test_a_frame_through_the_kernels_is_the_reference_with_and_without_a_graph(libcuda: Path) -> None:
    run(
        libcuda,
        """
with primary, cuda_errors(cuda, "run"):
    memory, stream = Memory(cuda), cuda.Stream(1)
    around = Kernels(cuda, SPEC, "float32", "float32")
    done = cuda.Event(cuda.event_flags.DISABLE_TIMING)
    for shape in ((60, 80), (57, 113, 3)):
        image, place = random.integers(0, 256, shape, np.uint8), GridMap.letterbox(shape[:2], grid)
        expected = np.empty(grid, np.float32)
        reference.Preprocess(place, SPEC.input.mean, SPEC.input.std)(image, expected)
        pinned, _ = memory.take_page_locked(image.size, mapped=False)
        back, _ = memory.take_page_locked(4 * grid[0] * grid[1], mapped=False)
        frame, out = memory.take(image.size), memory.take(4 * grid[0] * grid[1])

        def enqueue():
            cuda.memcpy_htod_async(frame, pinned, stream)
            around.preprocess(stream, frame, shape, place, out)
            cuda.memcpy_dtoh_async(back, out, stream)

        graph = CudaGraph(stream.handle, enqueue)
        assert (back == 255).all(), "a capture ran what it recorded"
        pinned[:] = image.ravel()
        for step in (graph.launch, enqueue):
            back[:] = 0
            step()
            done.record(stream)
            done.synchronize()
            np.testing.assert_allclose(back.view(np.float32).reshape(grid), expected, atol=1e-4)
        graph.close()
    memory.close()
    del around, done, stream, enqueue, step, graph
assert living() == 0, living()
""",
    )


def test_the_postprocess_kernel_leaves_what_the_reference_says(libcuda: Path) -> None:
    run(
        libcuda,
        """
with primary, cuda_errors(cuda, "run"):
    memory, stream = Memory(cuda), cuda.Stream(1)
    around = Kernels(cuda, SPEC, "float32", "float32")
    logits = random.normal(size=(4, *grid)).astype(np.float32)
    sizes = (logits.nbytes, logits.nbytes, grid[0] * grid[1], 8 * TALLY_NUMBERS)
    given, probability, labels, tally = (memory.take_page_locked(n, mapped=True) for n in sizes)
    given[0][:] = logits.view(np.uint8).ravel()
    around.postprocess(stream, *(address for _, address in (given, probability, labels, tally)))
    stream.synchronize()
    wanted = reference.postprocess(logits)
    np.testing.assert_allclose(probability[0].view(np.float32).reshape(logits.shape), wanted[0], atol=1e-5)
    np.testing.assert_array_equal(labels[0].reshape(grid), wanted[1])
    np.testing.assert_allclose(read_tally(tally[0].view(np.uint64)), wanted[2], rtol=1e-4)
    device = [memory.take(256) for _ in range(2)]
    cuda.memset_d8_async(device[0], 7, 256, stream)
    cuda.memcpy_dtod_async(device[1], device[0], 256, stream)
    assert bytes((ctypes.c_ubyte * 256).from_address(device[1])) == bytes([7]) * 256
    memory.close()
    del around, stream
assert living() == 0, living()
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
