"""The CUDA kernels, run on the processor: every thread of every block of the launches that the engine makes."""

from __future__ import annotations

import ctypes
import re
import struct

import numpy as np
import pytest

from echo_rt import native
from echo_rt.engine.tensorrt import kernels
from echo_rt.errors import DeviceError
from echo_rt.model import CLASSES
from echo_rt.reference.preprocess import preprocess
from echo_rt.segmentation import GridMap
from support import emulated
from support.emulated import NATIVE
from support.toy import SPEC

SOURCE = NATIVE / "kernels.cu"
MEAN, STD = SPEC.input.mean, SPEC.input.std
GUARD = 64
"""Elements before and behind an output that no thread may touch."""


def launch(name: str, geometry: kernels.Launch, types: str, arguments: tuple) -> None:
    emulated.launch(name, *geometry, types, arguments)


def guarded(shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """An array to write into, and the memory around it, filled with a pattern."""
    count = int(np.prod(shape))
    memory = np.full((count + 2 * GUARD) * np.dtype(dtype).itemsize, 0xA5, np.uint8).view(dtype)
    return memory[GUARD : GUARD + count].reshape(shape), memory


def untouched(memory: np.ndarray) -> bool:
    raw = memory.view(np.uint8)
    edge = GUARD * memory.itemsize
    return bool((raw[:edge] == 0xA5).all() and (raw[-edge:] == 0xA5).all())


def preprocessed(image: np.ndarray, grid: tuple[int, int], dtype: str, padding: int = 0) -> np.ndarray:
    """What the kernel makes of an image that lies in rows with `padding` bytes of white between them, and white all
    around."""
    height, row = image.shape[0], image.reshape(image.shape[0], -1).shape[1]
    memory = np.full((height + 2, row + padding), 255, np.uint8)
    memory[1:-1, :row] = image.reshape(height, row)
    out, around = guarded(grid, dtype)
    place = GridMap.letterbox(image.shape[:2], grid)
    arguments = kernels.preprocess_arguments(memory[1:].ctypes.data, row + padding, place, SPEC, out.ctypes.data)
    name = kernels.preprocess_name(image.ndim == 3, dtype)
    launch(name, kernels.preprocess_launch(grid), kernels.PREPROCESS_ARGUMENTS, arguments)
    assert untouched(around), "a thread wrote outside its array"
    return out


@pytest.mark.parametrize(
    "shape", [(60, 80), (60, 80, 3), (57, 113, 3), (1, 300), (300, 1, 3), (1, 1), (1, 1, 3), (16, 24), (600, 800, 3)]
)
@pytest.mark.parametrize("grid", [(48, 64), (33, 65), (8, 9)])
def test_preprocess_agrees_with_the_reference(shape, grid) -> None:
    image = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    expected = preprocess(image, GridMap.letterbox(shape[:2], grid), MEAN, STD)
    for padding in (0, 13):
        np.testing.assert_allclose(preprocessed(image, grid, "float32", padding), expected, atol=1e-5, rtol=0)
    half = preprocessed(image, grid, "float16")
    np.testing.assert_allclose(half.astype(np.float32), expected, atol=1e-5, rtol=2**-11)


def test_blue_green_and_red_are_told_apart() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    for channel, weight in enumerate((0.114, 0.587, 0.299)):
        image[:] = 0
        image[..., channel] = 200
        found = preprocessed(image, (8, 8), "float32") * STD + MEAN
        np.testing.assert_allclose(found, 200 * weight, rtol=1e-5)


@pytest.mark.parametrize("grid", [(48, 64), (112, 144), (7, 11), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_postprocess_agrees_with_the_reference_and_counts(grid, dtype) -> None:
    logits = np.random.default_rng(4).normal(0, 3, (4, *grid)).astype(dtype)
    logits[:, 0, 0] = (2, 7, 7, -300)  # a tie, and what would overflow without the usual shift
    expected, expected_labels, expected_tally = native.postprocess(logits.astype(np.float32))
    (probability, around), (labels, beside) = guarded((4, *grid), "float32"), guarded(grid, "uint8")
    numbers = np.zeros(kernels.TALLY_NUMBERS, np.uint64)
    pointers = (probability.ctypes.data, labels.ctypes.data, numbers.ctypes.data)
    arguments = (logits.ctypes.data, grid[0] * grid[1], *pointers)
    launch(kernels.postprocess_name(dtype), kernels.postprocess_launch(grid), kernels.POSTPROCESS_ARGUMENTS, arguments)
    assert untouched(around)
    assert untouched(beside)
    np.testing.assert_allclose(probability, expected, atol=1e-6)
    np.testing.assert_array_equal(labels, expected_labels)
    # Rounded to fixed point in each pixel.
    np.testing.assert_allclose(kernels.read_tally(numbers), expected_tally, atol=grid[0] * grid[1] / 65536)


def test_one_launch_after_another_tallies_the_same_bit_for_bit() -> None:
    logits = np.random.default_rng(5).normal(0, 3, (4, 40, 50)).astype(np.float32)
    found = []
    for _ in range(3):
        out, labels, numbers = (
            np.empty_like(logits),
            np.empty((40, 50), np.uint8),
            np.zeros(kernels.TALLY_NUMBERS, np.uint64),
        )
        arguments = (logits.ctypes.data, 2000, out.ctypes.data, labels.ctypes.data, numbers.ctypes.data)
        launch("postprocess_float32", kernels.postprocess_launch((40, 50)), kernels.POSTPROCESS_ARGUMENTS, arguments)
        found.append(numbers)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_the_emulated_half_is_that_of_numpy() -> None:
    library = emulated.library()
    library.half_of.argtypes, library.half_of.restype = [ctypes.c_float], ctypes.c_ushort
    library.float_of.argtypes, library.float_of.restype = [ctypes.c_ushort], ctypes.c_float
    bits = np.arange(0, 0x7C00, 7, dtype=np.uint16)
    np.testing.assert_array_equal([library.float_of(int(b)) for b in bits], bits.view(np.float16).astype(np.float32))
    values = np.concatenate([np.random.default_rng(6).normal(0, 10.0**k, 200) for k in range(-8, 6)]).astype(np.float32)
    values = values[np.abs(values) < 65504]
    np.testing.assert_array_equal(
        [library.half_of(float(v)) for v in values], values.astype(np.float16).view(np.uint16)
    )


def test_a_pixel_more_than_a_block_gets_a_block_of_its_own() -> None:
    assert kernels.preprocess_launch((4, 32))[0] == (1, 1)
    assert kernels.preprocess_launch((5, 33))[0] == (2, 2)
    assert kernels.postprocess_launch((16, 8))[0] == (1, 1)
    assert kernels.postprocess_launch((1, 129))[0] == (2, 1)
    assert np.prod(kernels.postprocess_launch((112, 144))[1]) <= 256, "the sums of a block would not fit"


def test_names_and_arguments_are_those_of_the_source() -> None:
    source = SOURCE.read_text().replace("\\\n", " ")
    of_type = {"*": "P", "int": "i", "double": "d", "float": "f"}

    def types(macro: str) -> str:
        (arguments,) = re.findall(rf"define {macro}\(.*?__global__ void name\((.*?)\)", source)
        return "".join("P" if "*" in argument else of_type[argument.split()[-2]] for argument in arguments.split(","))

    assert (types("PREPROCESS"), types("POSTPROCESS")) == (kernels.PREPROCESS_ARGUMENTS, kernels.POSTPROCESS_ARGUMENTS)
    names = set(re.findall(r"^P\w+PROCESS\((\w+)", source, re.MULTILINE))
    assert names == {
        kernels.preprocess_name(colour, dtype) for colour in (False, True) for dtype in ("float32", "float16")
    } | {kernels.postprocess_name(dtype) for dtype in ("float32", "float16")}
    assert f"kClasses = {len(CLASSES)};" in source
    assert "kFixedPoint = 65536.0f" in (NATIVE / "arithmetic.hpp").read_text()


def test_an_installation_without_kernels_says_how_to_get_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("echo_rt.__path__", [str(tmp_path)])
    with pytest.raises(DeviceError, match=r"found none, since there was no nvcc .* install echo-rt again"):
        kernels.fatbin_path()
    (tmp_path / "kernels.fatbin").touch()
    assert kernels.fatbin_path() == tmp_path / "kernels.fatbin"


def test_the_compiled_kernels_are_for_several_gpus_and_ptx_for_later_ones() -> None:
    try:
        compiled = kernels.fatbin_path().read_bytes()
    except DeviceError as error:
        pytest.skip(str(error))
    # A fat binary is a header and entries, each with a header of its own: kind (1 PTX, 2 machine code), sizes, and the
    # GPU it is for.
    start, end = 16, 16 + struct.unpack_from("<Q", compiled, 8)[0]
    found = set()
    while start < end:
        kind, _, header, size = struct.unpack_from("<HHIQ", compiled, start)
        found.add((kind, struct.unpack_from("<I", compiled, start + 28)[0]))
        start += header + size
    machine = {gpu for kind, gpu in found if kind == 2}
    assert {80, 86, 87, 89, 90} <= machine
    assert (1, min(machine)) in found, "no PTX from which a driver could make code for a GPU that is not in the list"
    assert all(
        compiled.count(kernels.preprocess_name(colour, "float16").encode()) >= len(machine) for colour in (False, True)
    )
