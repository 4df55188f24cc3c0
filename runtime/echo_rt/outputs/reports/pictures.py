"""A moment as a picture: on a page with its contour, and as a thumbnail."""

from __future__ import annotations

import base64
from typing import NamedTuple

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.outputs.reports.moments import Picture

WIDE = 160
"""Pixels of a thumbnail's width."""


class Drawn(NamedTuple):
    """A moment as the page draws it: the picture, and on it the contour as paths of SVG."""

    width: int
    height: int
    href: str
    contour: str
    plane: str
    axis: str
    t_s: float


def drawn(picture: Picture, *, outlined: bool = True) -> Drawn:
    """A picture to be embedded, with the contour unless it is not wanted."""
    height, width = picture.image.shape
    contour = plane = axis = ""
    if outlined and picture.contour is not None and picture.apex is not None:
        points = picture.contour + 0.5
        contour, plane = _line(points), _line(points[[0, -1]])
        axis = _line(np.stack([points[[0, -1]].mean(axis=0), picture.apex + 0.5]))
    return Drawn(width, height, embedded(picture.image), contour, plane, axis, picture.t_s)


def embedded(image: Image) -> str:
    """A data address that holds it as PNG."""
    return "data:image/png;base64," + base64.b64encode(as_png(image)).decode()


def as_png(image: Image) -> bytes:
    """The bytes of a PNG."""
    return cv2.imencode(".png", image)[1].tobytes()


def thumbnail(picture: Picture, *, outlined: bool = True) -> bytes:
    """A PNG of it, `WIDE` pixels wide, with the contour unless it is not wanted."""
    height, width = picture.image.shape
    factor = WIDE / width
    size = WIDE, max(1, min(2 * WIDE, round(height * factor)))
    small = cv2.cvtColor(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    if outlined and picture.contour is not None:
        points = np.round((picture.contour + 0.5) * factor * 16).astype(np.int32)
        cv2.polylines(small, [points], False, (80, 225, 255), 1, cv2.LINE_AA, 4)
    return as_png(np.asarray(small, np.uint8))


def _line(points: Array) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
