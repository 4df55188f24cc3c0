"""The CUDA kernels alone on a real GPU, without TensorRT: quick enough for compute-sanitizer."""

from __future__ import annotations

import sys

import pytest

from echo_rt.engine.cuda_driver import find_device
from echo_rt.engine.tensorrt.context import PrimaryContext
from echo_rt.engine.tensorrt.kernels import fatbin_path
from echo_rt.errors import DeviceError, MissingExtraError
from support.kernel_parity import SHAPES, postprocess_agrees, preprocess_agrees
from support.stand_in_cuda import LIBRARIES

pytestmark = pytest.mark.gpu


@pytest.fixture(params=LIBRARIES)
def primary(request, monkeypatch) -> PrimaryContext:
    if request.param == "cuda-bindings":
        monkeypatch.setitem(sys.modules, "pycuda", None)
        monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    try:
        fatbin_path()
        found = PrimaryContext(find_device())
    except (DeviceError, MissingExtraError) as error:
        pytest.skip(str(error))
    if found.library != request.param:
        pytest.skip(f"{request.param} is not installed, {found.library} serves")
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_the_preprocess_kernel_agrees_with_the_reference_with_and_without_a_graph(primary, shape) -> None:
    preprocess_agrees(primary, shape)


def test_the_postprocess_kernel_agrees_with_the_reference(primary) -> None:
    postprocess_agrees(primary)
