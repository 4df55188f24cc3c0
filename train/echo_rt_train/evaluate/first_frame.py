"""One picture as the first frame of a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import Engine
from echo_rt.frame import Frame
from echo_rt.segmentation import Segmentation


def as_first_frame(engine: Engine, image: NDArray[np.uint8]) -> tuple[Segmentation, bool]:
    """What the engine draws in a picture, and whether the monitor calls the frame usable.

    Args:
        engine: an open engine.
        image: (H, W) grey or (H, W, 3) BGR.
    """
    segmentation = engine.segment(image)
    return segmentation, Monitor(engine.spec).update(segmentation, Frame(image, 0.0, 0)).quality.ok
