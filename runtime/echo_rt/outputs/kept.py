"""A frame and its reading on the picture that is kept in place of the frame's image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from echo_rt.frame import Frame
from echo_rt.reading import Reading


def as_kept(frame: Frame, reading: Reading) -> tuple[Frame, Reading]:
    """Both in pixels of the picture that is kept, such as a whole screen; as they are where none is kept."""
    if (kept := frame.kept) is None:
        return frame, reading
    height, width = kept.image.shape[:2]
    shift = np.array([kept.x, kept.y], np.float64)
    seen = reading.segmentation
    place = replace(seen.map, x0=seen.map.x0 + kept.x, y0=seen.map.y0 + kept.y, image=(height, width))
    found = reading.ventricle
    if found is not None:
        found = replace(found, contour=found.contour + shift, apex=found.apex + shift, hinges=found.hinges + shift)
    return (
        replace(frame, image=kept.image, kept=None),
        replace(reading, segmentation=replace(seen, map=place), ventricle=found),
    )
