"""Drawn sectors, and colour in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sector(
    height: int = 480,
    width: int = 640,
    half_angle_deg: float = 40.0,
    tip: tuple[float, float] | None = None,
    seed: int = 1,
) -> NDArray[np.uint8]:
    """(H, W): speckle in a sector that opens downwards from `tip` (x, y), black around it."""
    tip_x, tip_y = tip or (width / 2, 10.0)
    y, x = np.indices((height, width))
    inside = (np.hypot(x - tip_x, y - tip_y) < 0.92 * height) & (
        np.abs(np.degrees(np.arctan2(x - tip_x, y - tip_y))) < half_angle_deg
    )
    return (
        np.where(inside, np.random.default_rng(seed).rayleigh(45, (height, width)) + 9, 0).clip(0, 255).astype(np.uint8)
    )
