"""The bull's-eye of a page: the segments of a view among the 17 of the American Heart Association."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from echo_rt.outputs.reports.numbers import Number, number
from echo_rt.result import RecordingResult

RINGS = {"apical": (14.0, 43.0), "mid": (43.0, 71.5), "basal": (71.5, 100.0)}
"""Inner and outer radius of a ring of the bull's-eye, in percent of its own."""

WALLS = {
    "A4C": {"septal": "inferoseptal", "lateral": "anterolateral"},
    "A2C": {"septal": "inferior", "lateral": "anterior"},
}
"""What the two walls of a view are called in the 17 segments of the American Heart Association, at base and middle."""

AROUND = ("anterolateral", "anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral")
"""Walls of base and middle, counter-clockwise, the first from 0 to 60 degrees."""

APICAL = ("lateral", "anterior", "septal", "inferior")
"""Walls of the apex, counter-clockwise, the first from -45 to 45 degrees."""


class Place(NamedTuple):
    """A segment of the bull's-eye.

    Attributes:
        path: of SVG, the centre at 0, 0 and the radius 100.
        x, y: of its middle.
        name: of the American Heart Association, such as ``mid inferoseptal``.
    """

    path: str
    x: float
    y: float
    name: str


class Segment(NamedTuple):
    """What was seen of a segment.

    Attributes:
        name: of the American Heart Association.
        place: in the bull's-eye.
        seen: whether anything was.
        still: akinetic.
        figures: inward motion, thickening and strain of the speckle, in percent.
        beats: in how many its motion was seen.
    """

    name: str
    place: Place
    seen: bool = False
    still: bool = False
    figures: tuple[Number | None, ...] = (None, None, None)
    beats: int = 0


FIGURES = ("motion_percent", "thickening_percent", "strain_percent")


def _places() -> list[Place]:
    """All places of it but the apex, in its centre."""
    places = []
    for ring, (inner, outer) in RINGS.items():
        walls, first, wide = (APICAL, -45.0, 90.0) if ring == "apical" else (AROUND, 0.0, 60.0)
        for n, wall in enumerate(walls):
            start = math.radians(first + n * wide)
            end, middle = start + math.radians(wide), start + math.radians(wide / 2)
            radius = (inner + outer) / 2
            path = _sector(inner, outer, start, end)
            places.append(Place(path, radius * math.cos(middle), -radius * math.sin(middle), f"{ring} {wall}"))
    return places


def _sector(inner: float, outer: float, start: float, end: float) -> str:
    corners = [
        f"{radius * math.cos(angle):.2f} {-radius * math.sin(angle):.2f}"
        for radius, angle in ((inner, start), (outer, start), (outer, end), (inner, end))
    ]
    begin, out, around, back = corners
    return f"M{begin}L{out}A{outer} {outer} 0 0 0 {around}L{back}A{inner} {inner} 0 0 1 {begin}Z"


def place_of(segment: str, view: str | None) -> str:
    """The name in the bull's-eye of one of `SEGMENTS`, in that view; an unknown one is taken for the A4C."""
    ring, _, wall = segment.partition("_")
    two_chambers = view == "A2C"
    # The apex has four walls, named by their direction alone.
    named = WALLS["A2C" if two_chambers else "A4C"][wall] if two_chambers or ring != "apical" else wall
    return f"{ring} {named}"


def segments(result: RecordingResult, told: dict[str, Any]) -> list[Segment]:
    """All of the bull's-eye but the apex itself; empty where no wall was seen."""
    known = {segment.name: segment for segment in walls(result, told)}
    return [known.get(place.name, Segment(place.name, place)) for place in _places()] if known else []


def walls(result: RecordingResult, told: dict[str, Any]) -> list[Segment]:
    """The segments that were looked at, of one view or of two."""
    views = result.two_views
    of_views = [("", result)] if views is None else [("a4c.", views.a4c), ("a2c.", views.a2c)]
    places = {place.name: place for place in _places()}
    found = []
    for at, view in of_views:
        for segment in view.wall.segments:
            name = place_of(segment.segment, view.provenance.view)
            figures = tuple(number(told, f"{at}wall.{segment.segment}.{figure}", 1) for figure in FIGURES)
            found.append(Segment(name, places[name], True, segment.akinetic, figures, segment.beats))
    return found
