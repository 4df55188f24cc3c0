"""What curve.png draws of every frame, between the output that collects it and the figure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field


@dataclass
class Curves:
    """What the figure draws of every frame: N of each, eleven numbers a frame.

    Attributes:
        t_s, volume, ok: time, volume (NaN without a ventricle), and whether the frame can be used.
        endocardium, atrium: its length and the volume of the left atrium, each NaN where it is not known.
        displacement: (6 N) of the wall's segments, NaN where unknown.
        displacement_unit: ``mm`` or ``px``; empty where no wall was seen.
    """

    t_s: array[float] = field(default_factory=lambda: array("d"))
    volume: array[float] = field(default_factory=lambda: array("d"))
    ok: array[int] = field(default_factory=lambda: array("b"))
    endocardium: array[float] = field(default_factory=lambda: array("d"))
    atrium: array[float] = field(default_factory=lambda: array("d"))
    displacement: array[float] = field(default_factory=lambda: array("f"))
    displacement_unit: str = ""
