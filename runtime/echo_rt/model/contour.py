"""How the endocardial contour is read off a model's probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from echo_rt.checked import Between, Share


@dataclass(frozen=True, slots=True)
class ContourRule:
    """The numbers of the reading; all but `max_sharpen_px` are shares, from 0 to 1.

    Attributes:
        beside: how far outside of the cavity's border to look for wall or atrium, as a share of the square root of the
            cavity's area: about 2 pixels on a grid of 128. Relative, so that a scaled image is measured the same.
        corner_reach: how far from the end of the wall to look for the cavity's corner, in the same measure.
        max_sharpen_px: by how many grid pixels at most to move a rounded corner out. Smoothing takes 0.6 off a right
            angle; the sharpest point of an obtuse one is found up to two pixels beside it.
        min_corner_sine: of the angle between the sides of a corner; flatter ones are not moved out.
        wall_probability: above it a point of the border has wall beside it.
        min_atrium_contact: of the border's points, each counted by how much more atrium than wall is beside it. With
            less contact the widest gap in the wall is the opening.
        min_gap: of the border's points that such a gap takes.
        max_valve: of the border's points that a spot of wall within the opening takes, which is valve tissue.
        min_wall: of the border's points that have wall beside them.
        apex_shell: the apex lies in the direction of all points at least this share as far from the mitral plane as the
            farthest one. That one alone jumps along a blunt apex from frame to frame.
    """

    beside: Share = 0.06
    corner_reach: Share = 0.12
    max_sharpen_px: Annotated[float, Between(0, 100)] = 2.5
    min_corner_sine: Share = 0.3
    wall_probability: Share = 0.5
    min_atrium_contact: Share = 0.02
    min_gap: Share = 0.05
    max_valve: Share = 0.25
    min_wall: Share = 0.25
    apex_shell: Share = 0.97


DEFAULT_CONTOUR = ContourRule()
