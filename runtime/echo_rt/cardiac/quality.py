"""Whether a frame can be used, by rules whose thresholds come with the model.

``min_changed_share``
    share of the lit pixels that differ from the last picture that was new, a desktop around the ultrasound left out.
    Below it the frame repeats that picture.
``max_colour_share``
    saturated colour over lit pixels, annotations left out. Above it colour Doppler lies over the heart.
``min_cavity_fraction``, ``max_cavity_fraction``
    share of the image that the cavity covers; outside of it there is no ventricle.
``min_wall_contact``
    share of the cavity's border that has wall or atrium behind it. In an apical view it is nearly all of it; blobs that
    a network sees in noise lie in the background.
``min_confidence``
    mean probability of the winning class over cavity and wall.
``min_apical``
    probability of an apical view, where the model tells.
``min_expected_dice``
    Dice of the cavity that the model expects of itself, where it says so.
``max_edge_share``
    share of the endocardium (mitral plane left out) that lies on the edge of the sector or of the image. Above it the
    ventricle goes on where nothing is shown. It does too where the mitral plane lies on the edge: the share is 1 then.
``min_length_share``
    longest axis of the last `RECENT_S` over that of the last `LENGTH_MEMORY_S`. Below it the plane has left the apex.
``min_length_to_width``
    length over width of the cavity. A ventricle cut through obliquely is as wide as it is long; so is a very dilated
    one, for which this threshold has to leave room.
``min_atrium_confidence``
    mean probability of the atrium where it won. Below it the atrium has no volume; the frame is used all the same.

A model that names the view has its say before the last rules: what it calls ``other`` is not apical.
`benchmarks/quality_thresholds.py` shows how much of the training data each rule refuses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from echo_rt.cardiac.geometry import Outline
from echo_rt.cardiac.picture import Movement, Picture
from echo_rt.cardiac.running_extremes import RunningExtremes
from echo_rt.chambers import LeftVentricle
from echo_rt.reading import Quality, Reason
from echo_rt.segmentation import Segmentation

RECENT_S = 0.8
"""Systole and early filling, in which the long axis is shorter by a sixth, take less at any heart rate: the longest
axis of this stretch is a diastolic one. It takes so long to notice a foreshortened view."""

LENGTH_MEMORY_S = 10.0
"""Five beats at 30 bpm, and longer than a rolling EF stays fresh: when the probe slides off the apex, EF goes stale
before the shorter view becomes the new measure. A change of depth in an uncalibrated feed is forgotten as late."""

STRETCH_S = 0.3
"""Without a length for so long, a new stretch begins."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a frame is judged by, each measured once.

    Attributes:
        changed_share: of the picture, against the last one that was new; 1 at the first frame.
        colour_share: saturated colour over lit pixels.
        cavity_fraction: of the image; 0 without a cavity.
        wall_contact: share of the cavity's border with wall or atrium behind it.
        mitral_plane: whether the cavity has one, so that it could be measured.
        confidence: mean probability of the winning class over cavity and wall.
        edge_share: of the endocardium, on the edge of the sector.
        length_share: see `Past.length_share`.
        length_to_width: of the cavity, the width being that of the half ellipse of its area and length.
        view: as the model names it, or None.
        apical, expected_dice: as in `Segmentation`; 1 where the model does not say.
    """

    changed_share: float = 1.0
    colour_share: float = 0.0
    cavity_fraction: float = 0.0
    wall_contact: float = 0.0
    mitral_plane: bool = False
    confidence: float = 0.0
    edge_share: float = 0.0
    length_share: float = 1.0
    length_to_width: float = np.inf
    view: str | None = None
    apical: float = 1.0
    expected_dice: float = 1.0


def assess(evidence: Evidence, thresholds: Mapping[str, float]) -> Quality:
    """The first rule that a frame breaks, in the order in which a reader would look.

    Args:
        evidence: of the frame.
        thresholds: `Tuning.quality` of the model.
    """
    weak = (
        evidence.confidence < thresholds["min_confidence"] or evidence.expected_dice < thresholds["min_expected_dice"]
    )
    if evidence.changed_share < thresholds["min_changed_share"]:
        reason = Reason.FROZEN
    elif evidence.colour_share > thresholds["max_colour_share"]:
        reason = Reason.COLOUR_DOPPLER
    elif not thresholds["min_cavity_fraction"] <= evidence.cavity_fraction <= thresholds["max_cavity_fraction"]:
        reason = Reason.NO_VENTRICLE
    elif evidence.view == "other" or evidence.apical < thresholds["min_apical"]:
        reason = Reason.NOT_APICAL
    elif not evidence.mitral_plane or evidence.wall_contact < thresholds["min_wall_contact"]:
        # A weak picture is called weak; a clear one without the parts of an apical view is another view.
        reason = Reason.LOW_CONFIDENCE if weak else Reason.NOT_APICAL
    elif weak:
        reason = Reason.LOW_CONFIDENCE
    elif evidence.edge_share > thresholds["max_edge_share"]:
        reason = Reason.CUT_OFF
    elif (
        evidence.length_share < thresholds["min_length_share"]
        or evidence.length_to_width < thresholds["min_length_to_width"]
    ):
        reason = Reason.FORESHORTENED
    else:
        return Quality(True, None, evidence.confidence)
    return Quality(False, reason, evidence.confidence)


def gather(
    segmentation: Segmentation, border: Outline | None, ventricle: LeftVentricle | None, picture: Picture, past: Past
) -> Evidence:
    """Measure what a frame is judged by.

    Args:
        segmentation: of the frame.
        border: of its cavity, None where there is none.
        ventricle: its measurements, None where the border has no mitral plane.
        picture: its image.
        past: of the feed; it is read, not changed.
    """
    changed = picture.changed_share(past.picture, past.movement.where)
    if border is None:
        return Evidence(changed, picture.colour_share, view=segmentation.view)
    height, width = segmentation.map.image
    return Evidence(
        changed_share=changed,
        colour_share=picture.colour_share,
        cavity_fraction=border.area * segmentation.map.scale**2 / (height * width),
        wall_contact=float((border.wall.sum() + border.atrium.sum()) / len(border.points)),
        mitral_plane=ventricle is not None,
        confidence=confidence(segmentation),
        edge_share=picture.edge_share(ventricle.contour) if ventricle is not None else 0.0,
        length_share=past.length_share(ventricle.length) if ventricle is not None else 1.0,
        length_to_width=np.pi / 4 * ventricle.length**2 / ventricle.area if ventricle is not None else np.inf,
        view=segmentation.view,
        apical=1.0 if segmentation.apical is None else segmentation.apical,
        expected_dice=1.0 if segmentation.confidence is None else segmentation.confidence,
    )


def confidence(segmentation: Segmentation) -> float:
    """Mean probability of the winning class over cavity and wall; 0 where there is neither."""
    won, _, sum_won = segmentation.tally[:, 1:3].sum(axis=1).tolist()
    return float(sum_won / won) if won else 0.0


class Past:
    """What the next frame is compared with: the last new `picture`, the `movement` of the pictures, and the lengths of
    the last beats."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.picture: Picture | None = None
        self.movement = Movement()
        self._recent, self._memory = RunningExtremes(RECENT_S), RunningExtremes(LENGTH_MEMORY_S)
        self._last: deque[float] = deque(maxlen=3)
        self._begun_s, self._last_s = 0.0, -np.inf

    def update(self, t_s: float, picture: Picture, ventricle: LeftVentricle | None, quality: Quality) -> None:
        """Take a frame after it was judged. Its length counts where the frame is good or only foreshortened."""
        frozen = quality.reason == Reason.FROZEN
        self.movement.update(picture, self.picture, frozen)
        if frozen:
            return
        self.picture = picture
        if ventricle is None or not (quality.ok or quality.reason == Reason.FORESHORTENED):
            return
        if t_s - self._last_s > STRETCH_S:
            self._begun_s = t_s
            self._last.clear()
            self._recent.clear()
        self._last_s = t_s
        self._last.append(ventricle.length)
        self._recent.push(t_s, ventricle.length)
        # The middle one of three, so that one bad contour does not set the measure for ten seconds.
        self._memory.push(t_s, sorted(self._last)[(len(self._last) - 1) // 2])

    def length_share(self, length: float) -> float:
        """The longest recent axis, with that of this frame, over the longest of the last beats; 1 until it is known."""
        if self._last_s - self._begun_s < RECENT_S:
            return 1.0
        recent = max(length, self._recent.highest)
        return recent / max(recent, self._memory.highest)
