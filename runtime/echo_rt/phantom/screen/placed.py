"""Where the picture of the phantom stands on a screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    """The ultrasound picture as it stands on a screen.

    Attributes:
        x, y, width, height: of the picture, in pixels of the screen.
        apex: x and y of the sector's apex, the skin line of the probe, in pixels of the screen.
        px_per_mm: pixels of the screen to a millimetre.
        depth_mm: from the apex to the lower edge of the sector.
        half_angle_deg: between the sector's axis and either side.
    """

    x: int
    y: int
    width: int
    height: int
    apex: tuple[float, float]
    px_per_mm: float
    depth_mm: float
    half_angle_deg: float
