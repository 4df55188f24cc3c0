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
