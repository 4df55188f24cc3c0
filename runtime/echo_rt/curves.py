"""What curve.png draws of every frame, between the output that collects it and the figure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from echo_rt.reading import SEGMENTS, Reading

NAN = float("nan")


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

    def take(self, reading: Reading) -> None:
        """Add what is known after the next frame."""
        ventricle, wall, atrium = reading.ventricle, reading.wall, reading.atrium
        # The volume that the beats were found on; their marks would lie beside the other.
        by_length = reading.ef.method == "area-length"
        self.t_s.append(reading.t_s)
        self.volume.append(
            NAN if ventricle is None else ventricle.volume_area_length if by_length else ventricle.volume
        )
        self.ok.append(reading.quality.ok)
        self.endocardium.append(NAN if ventricle is None else ventricle.endocardium)
        self.atrium.append(NAN if atrium is None or atrium.reason is not None else atrium.volume)
        self.displacement.extend([NAN] * len(SEGMENTS) if wall is None else wall.displacement)
        if wall is not None:
            self.displacement_unit = wall.scale.length
