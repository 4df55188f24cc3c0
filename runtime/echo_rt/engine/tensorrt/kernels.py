"""The kernels of runtime/native/kernels.cu: where they are, how they are launched, and what they leave in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DeviceError
from echo_rt.model import CLASSES, ModelSpec
from echo_rt.segmentation import GridMap

FATBIN = "kernels.fatbin"

Launch = tuple[tuple[int, int], tuple[int, int, int]]
"""Blocks in x and y, and threads of a block in x, y and z."""

PREPROCESS_ARGUMENTS, POSTPROCESS_ARGUMENTS = "PiiidddiiffP", "PiPPP"
"""Types of the kernels' arguments, as the struct module writes them, which is how PyCUDA wants them."""

_PREPROCESS_BLOCK, _POSTPROCESS_BLOCK = (32, 4, 1), (128, 1, 1)
_FIXED_POINT = 65536.0


def read_tally(numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """`echo_rt.reference.tally`, (3, classes), from the kernel's (3 x classes,) numbers, of which the sums are in
    fixed point."""
    found: NDArray[np.float64] = numbers.reshape(3, -1) / np.array([[1], [_FIXED_POINT], [_FIXED_POINT]], np.float64)
    return found


TALLY_NUMBERS = 3 * len(CLASSES)


def preprocess_launch(grid: tuple[int, int]) -> Launch:
    """A thread for each pixel of a grid of (height, width)."""
    (height, width), (x, y, _) = grid, _PREPROCESS_BLOCK
    return (-(-width // x), -(-height // y)), _PREPROCESS_BLOCK


def postprocess_launch(grid: tuple[int, int]) -> Launch:
    """A thread for each pixel of a grid of (height, width)."""
    return (-(-grid[0] * grid[1] // _POSTPROCESS_BLOCK[0]), 1), _POSTPROCESS_BLOCK


def preprocess_name(colour: bool, dtype: str) -> str:
    """Of the kernel for grey or BGR images and a network whose input is float32 or float16."""
    return f"preprocess_{'bgr' if colour else 'grey'}_{dtype}"


def postprocess_name(dtype: str) -> str:
    """Of the kernel for a network whose logits are float32 or float16."""
    return f"postprocess_{dtype}"


def preprocess_arguments(image: int, row_bytes: int, grid_map: GridMap, spec: ModelSpec, out: int) -> tuple[Any, ...]:
    """For a preprocess kernel; image and out are addresses, row_bytes from one row of the image to the next."""
    place = (*grid_map.image, grid_map.scale, grid_map.x0, grid_map.y0, *grid_map.grid)
    return (image, row_bytes, *place, spec.mean, spec.std, out)


def fatbin_path() -> Path:
    """The compiled kernels.

    Raises:
        DeviceError: this installation has none.
    """
    import echo_rt

    # An editable installation has two folders: the sources', and the one with what was built.
    for folder in echo_rt.__path__:
        if (path := Path(folder) / FATBIN).is_file():
            return path
    raise DeviceError(
        f"expected the CUDA kernels ({FATBIN}) in this installation of echo-rt, found none, since there was no nvcc when it was built; "
        "install NVIDIA's CUDA toolkit and install echo-rt again"
    )
