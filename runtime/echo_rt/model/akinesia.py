"""When a wall segment counts as akinetic: numbers tuned on what one model draws, so that its file brings them."""

from __future__ import annotations

from dataclasses import dataclass

from echo_rt.checked import Divisor, Figure


@dataclass(frozen=True)
class Measure:
    """What a percentage of a segment, measured in one beat, says of its motion.

    It counts as a share: divided by the median of the six segments times the segment's place in the `pattern`.

    Attributes:
        least_percent: the median counts for at least so much.
        pattern: (6,) what is usual in moving segments, as a share of the median; in the order of `SEGMENTS`.
        middle: share halfway between moving and static segments.
        apart: distance of their mean shares.
        scatter: standard deviation of the share, in both.
    """

    least_percent: Divisor
    pattern: tuple[Divisor, Divisor, Divisor, Divisor, Divisor, Divisor]
    middle: Figure
    apart: Figure
    scatter: Divisor


@dataclass(frozen=True)
class StillLimits:
    """The rule without speckle: an akinetic segment stays below all of these.

    Attributes:
        motion_percent, motion_share: inward motion: percent, plus a share of what can be expected of the segment.
        thickening_percent: of the wall.
    """

    motion_percent: Figure = 4.5
    motion_share: Figure = 0.5
    thickening_percent: Figure = 25.0


@dataclass(frozen=True)
class AkinesiaRule:
    """The rule for akinesia, see `echo_rt.cardiac.akinesia`. The default is that of lv-edge.

    `still` was chosen on phantoms of the seeds 1000 to 1069 (`benchmarks/wall_motion.py`). It finds most akinetic
    segments through lv-edge with few false flags, and all from the phantom's own masks. It flags at most 5 % of the
    segments in CAMUS's expert contours at an EF of 55 % and more. There thickening below 10 % alone, often called
    akinesia, would flag more than a quarter.

    `middle`, `apart` and `scatter` are of phantoms of the seeds 1000 to 1139 and 6500 to 6953 through lv-edge. Phantom
    walls are drawn more evenly (0.25) than those of CAMUS's patients (0.47 to 0.74). So thickening counts for less, and
    so may the motion of the speckle (0.25).

    Attributes:
        motion: inward, of the contour. The annulus is stiff, and the aortic root holds its septal side: at the base 0.6
            to 0.65 of the median in the phantom, 0.6 and 0.85 in CAMUS's expert contours. The pattern is lower where
            contours scatter most. The apex comes in a little further than the middle.
        thickening: of the wall between the contours.
        strain: thickening by the speckle, a little larger along the beams, as at the apex, and away from the septum.
        speckle_motion: inward, by the speckle. What the walls have in common passes for a motion of the whole.
        still: the limits where the speckle was not followed.
        followed_strain_percent: strain of the median segment below which the speckle was not followed.
        least_share, most_share: what a share counts for at least and at most.
        agree_share: three of the four shares must lie below it: two do not decide alone.
        least_evidence: natural logarithm of how much likelier static than moving a segment must be. It finds 94 % of
            the static segments of those phantoms and flags 4 % of the others.
    """

    motion: Measure = Measure(9.0, (0.4, 1.0, 1.15, 1.15, 1.0, 0.7), middle=0.90, apart=0.60, scatter=0.30)
    thickening: Measure = Measure(12.0, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0), middle=0.80, apart=0.50, scatter=0.40)
    strain: Measure = Measure(10.0, (0.9, 0.95, 1.0, 1.1, 1.3, 1.05), middle=0.65, apart=0.90, scatter=0.45)
    speckle_motion: Measure = Measure(2.0, (0.7, 1.1, 1.55, 1.2, 0.9, 0.9), middle=0.82, apart=0.37, scatter=0.30)
    still: StillLimits = StillLimits()
    followed_strain_percent: Figure = 5.0
    least_share: Figure = -2.0
    most_share: Figure = 3.0
    agree_share: Figure = 1.0
    least_evidence: Figure = -0.9
