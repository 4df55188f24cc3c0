"""The kernels of runtime/native/kernels.cu: where they are, how they are launched, and what they leave in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.errors import DeviceError
from echo_rt.model import CLASSES, ModelSpec
from echo_rt.segmentation import GridMap

FATBIN = "kernels.fatbin"

Launch = tuple[tuple[int, int], tuple[int, int, int]]
"""Blocks in x and y, and threads of a block in x, y and z."""

# Types of the kernels' arguments, as PyCUDA and the struct module write them.
PREPROCESS_ARGUMENTS, POSTPROCESS_ARGUMENTS = "PiiidddiiffP", "PiPPP"

TALLY_NUMBERS = 3 * len(CLASSES)  # 64-bit, in the kernel's tally
_PREPROCESS_BLOCK, _POSTPROCESS_BLOCK = (32, 4, 1), (128, 1, 1)
_FIXED_POINT = 65536.0


def read_tally(numbers: NDArray[np.uint64]) -> Array:
    """`echo_rt.reference.tally`, (3, classes), from the kernel's (3 x classes,); its sums are in fixed point."""
    found: Array = numbers.reshape(3, -1) / np.array([[1], [_FIXED_POINT], [_FIXED_POINT]], np.float64)
    return found


def preprocess_launch(grid: tuple[int, int]) -> Launch:
    """A thread for each pixel of a grid of (height, width)."""
    (height, width), (x, y, _) = grid, _PREPROCESS_BLOCK
    return (-(-width // x), -(-height // y)), _PREPROCESS_BLOCK


def postprocess_launch(grid: tuple[int, int]) -> Launch:
    """A thread for each pixel of a grid of (height, width)."""
    return (-(-grid[0] * grid[1] // _POSTPROCESS_BLOCK[0]), 1), _POSTPROCESS_BLOCK


def preprocess_name(colour: bool, dtype: str) -> str:
    """The kernel for grey or BGR images and a network whose input is float32 or float16."""
    return f"preprocess_{'bgr' if colour else 'grey'}_{dtype}"


def postprocess_name(dtype: str) -> str:
    """The kernel for a network whose logits are float32 or float16."""
    return f"postprocess_{dtype}"


def preprocess_arguments(image: int, row_bytes: int, grid_map: GridMap, spec: ModelSpec, out: int) -> tuple[Any, ...]:
    """For a preprocess kernel; image and out are addresses, row_bytes from one row of the image to the next."""
    place = (*grid_map.image, grid_map.scale, grid_map.x0, grid_map.y0, *grid_map.grid)
    return (image, row_bytes, *place, spec.input.mean, spec.input.std, out)


class Kernels:
    """The kernels around one network, loaded; `image` and `logits` are its types, float32 or float16."""

    def __init__(self, cuda: Any, spec: ModelSpec, image: str, logits: str) -> None:
        self._cuda, self._spec, self._grid = cuda, spec, spec.input.grid
        self.module = cuda.module_from_file(str(fatbin_path()))
        self._grey = self._prepared(preprocess_name(False, image), PREPROCESS_ARGUMENTS)
        self._bgr = self._prepared(preprocess_name(True, image), PREPROCESS_ARGUMENTS)
        self._postprocess = self._prepared(postprocess_name(logits), POSTPROCESS_ARGUMENTS)

    def _prepared(self, name: str, arguments: str) -> Any:
        function = self.module.get_function(name)
        function.prepare(arguments)
        return function

    def preprocess(self, stream: Any, image: int, shape: tuple[int, ...], grid_map: GridMap, out: int) -> None:
        """Enqueue it for the image at an address, (H, W) or (H, W, 3) without gaps; `out` is the network's input."""
        colour = len(shape) == 3
        arguments = preprocess_arguments(image, shape[1] * (3 if colour else 1), grid_map, self._spec, out)
        function = self._bgr if colour else self._grey
        function.prepared_async_call(*preprocess_launch(self._grid), stream, *arguments)

    def postprocess(self, stream: Any, logits: int, probability: int, labels: int, tally: int) -> None:
        """Enqueue it; all but the stream are addresses."""
        self._cuda.memset_d8_async(tally, 0, 8 * TALLY_NUMBERS, stream)
        arguments = (logits, self._grid[0] * self._grid[1], probability, labels, tally)
        function = self._postprocess
        function.prepared_async_call(*postprocess_launch(self._grid), stream, *arguments)


def fatbin_path() -> Path:
    """The compiled kernels; DeviceError where this installation has none."""
    import echo_rt

    # An editable installation has two folders: the sources, and what was built.
    for folder in echo_rt.__path__:
        if (path := Path(folder) / FATBIN).is_file():
            return path
    found = f"expected the CUDA kernels ({FATBIN}) in this installation of echo-rt, found none"
    advice = "install NVIDIA's CUDA toolkit and install echo-rt again"
    raise DeviceError(f"{found}, since there was no nvcc when it was built; {advice}")
