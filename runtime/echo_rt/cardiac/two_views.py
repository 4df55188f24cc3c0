"""Whether two recordings can be the four- and the two-chamber view of one heart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.frame import Frame
from echo_rt.provenance import Identity
from echo_rt.reading import APICAL_VIEWS

CLEARLY = 0.8
"""Share of the usable frames in which the model sees one view, from which on the recording shows it."""

LEAST_FRAMES = 10
"""Fewer usable frames show no view clearly."""

EVERY, PICTURES, SIDE_PX = 3, 16, 32
"""Pictures of a recording that are compared: every which frame, how many, and how large."""

DARK = 4.0
"""Grey levels up to which a pixel is not compared: two sectors are alike in what is black around them."""

LEAST_LIT = 0.15
"""Share of the picture that must be lit in both."""

SAME = 0.95
"""Correlation from which on two pictures are one. CAMUS's validation patients: A4C and A2C reach 0.83, ED and ES of one
view 0.97; of one recording the same frames are compared."""


@dataclass(frozen=True)
class ViewEvidence:
    """What is known of one of the recordings.

    Attributes:
        said: the view by its header; None where that does not say.
        identity: of the patient and of the study, by its header.
        seen: in how many usable frames the model saw which view.
        pictures: small pictures of its first seconds, see `Pictures`.
    """

    said: str | None
    identity: Identity
    seen: Mapping[str, int]
    pictures: tuple[Array, ...]

    @property
    def shown(self) -> str | None:
        """The view that the model sees clearly; None without."""
        total = sum(self.seen.values())
        most = max(self.seen, key=lambda view: self.seen[view], default=None)
        clear = most is not None and total >= LEAST_FRAMES and self.seen[most] >= CLEARLY * total
        return most if clear else None


class Pictures:
    """Keeps small pictures of a recording's first seconds."""

    def __init__(self) -> None:
        self._kept: list[Array] = []
        self._frames = 0

    def update(self, frame: Frame) -> None:
        """Take the next frame."""
        if self._frames % EVERY == 0 and len(self._kept) < PICTURES:
            self._kept.append(_small(frame.image))
        self._frames += 1

    def kept(self) -> tuple[Array, ...]:
        """(SIDE_PX, SIDE_PX) grey levels each."""
        return tuple(self._kept)


def why_not(a4c: ViewEvidence, a2c: ViewEvidence) -> str | None:
    """Why there is no biplane figure of these two; None where there may be one."""
    if a4c.identity.patient and a2c.identity.patient and a4c.identity.patient != a2c.identity.patient:
        return "expected two views of one patient, found two patients by their headers"
    if alike(a4c.pictures, a2c.pictures):
        return "expected two views, found the same pictures in both recordings"
    # What a header says outweighs what a network sees.
    headers, both = (a4c.said, a2c.said), (a4c.said or a4c.shown, a2c.said or a2c.shown)
    for found, by in ((headers, "by their headers"), (both, "by the model")):
        wrong = [view not in (None, due) for view, due in zip(found, APICAL_VIEWS, strict=True)]
        if any(wrong):
            names = " and ".join(view or "an unknown view" for view in found)
            todo = "; give them the other way round" if all(wrong) else ""
            return f"expected A4C and A2C, found {names} {by}{todo}"
    return None


def doubts(a4c: ViewEvidence, a2c: ViewEvidence) -> tuple[str, ...]:
    """What may be wrong with a pair of which there is a figure, a line each."""
    found = []
    if a4c.identity.study and a2c.identity.study and a4c.identity.study != a2c.identity.study:
        found.append("the two views are of different studies: heart and blood pressure may have changed")
    for one, due in zip((a4c, a2c), APICAL_VIEWS, strict=True):
        if one.said == due and one.shown not in (None, due):
            found.append(f"the {due} recording looks like {one.shown} to the model")
    return tuple(found)


def alike(one: tuple[Array, ...], other: tuple[Array, ...]) -> bool:
    """Whether most pictures of one recording are found in the other, also cut at another place or stored anew."""
    if not one or not other:
        return False
    return median(max(_correlation(a, b) for b in other) for a in one) >= SAME


def _small(image: Image) -> Array:
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.float64)


def _correlation(a: Array, b: Array) -> float:
    """Of the grey levels of two pictures, where both are lit; 0 where that is hardly anywhere."""
    lit = (a > DARK) & (b > DARK)
    if lit.mean() < LEAST_LIT:
        return 0.0
    x, y = a[lit] - a[lit].mean(), b[lit] - b[lit].mean()
    return float(x @ y / max(np.sqrt((x @ x) * (y @ y)), 1e-9))
