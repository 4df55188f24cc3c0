import numpy as np
from numpy.typing import NDArray

class Preprocess:
    def __init__(
        self,
        scale: float,
        x0: float,
        y0: float,
        grid_height: int,
        grid_width: int,
        image_height: int,
        image_width: int,
        mean: float,
        std: float,
    ) -> None: ...
    def __call__(self, image: NDArray[np.uint8], out: NDArray[np.float32]) -> None: ...

Array = NDArray[np.float64]
Field = NDArray[np.float32]

def postprocess(logits: Field) -> tuple[NDArray[np.float32], NDArray[np.uint8], Array]: ...
def enlarge(
    probability: Field, scale: float, x0: float, y0: float, image_height: int, image_width: int
) -> NDArray[np.uint8]: ...
def smoothed(
    cavity: Field, level: float, margin: int, pad: int, weights: Field
) -> tuple[Field, tuple[int, int]] | None: ...
def trace(
    field: Field,
    chain: NDArray[np.int32],
    level: float,
    wall: Field,
    atrium: Field,
    origin: tuple[float, float],
    reach: float,
) -> tuple[Array, Array, Array, float]: ...
def walled(points: Array, wall: Array, atrium: Array, reach: int, sharpen: float) -> Array | None: ...
def long_axis(
    points: Array, shell: float, disks: int
) -> tuple[float, float, tuple[float, float], tuple[float, ...]] | None: ...
def wall_lines(
    cavity: Field,
    wall: Field,
    points: Array,
    up: tuple[float, float],
    length: float,
    origin: tuple[float, float],
    to_grid: tuple[float, float],
    levels: Array,
    reach: float,
    samples: int,
) -> tuple[Array, Array, NDArray[np.int8], Array, Array]: ...
def depth(hull: Array, points: Array) -> Array: ...
def systole_misfits(t: Array, y: Array, begins: Array, lasts: Array) -> Array: ...
def coarse(
    image: NDArray[np.uint8], size: tuple[int, int], dark: int, chroma: int, window: tuple[int, int, int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float]: ...
def sector(lit: NDArray[np.uint8], speck: float) -> Array | None: ...
def cells(
    image: NDArray[np.uint8], corner: tuple[int, int], size: tuple[int, int], cell: int, stride: int
) -> NDArray[np.float32]: ...
def follow(
    before: Field,
    before_corner: tuple[int, int],
    after: Field,
    after_corner: tuple[int, int],
    start: Array,
    normal: Array,
    origin: tuple[float, float],
    to_cells: tuple[float, float],
    unit: float,
    samples: int,
    rounds: int,
) -> tuple[Array, Array]: ...
