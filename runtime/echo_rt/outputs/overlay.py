"""One frame as a picture: the image with the ventricle drawn on it, and beside it a panel with the figures.

Nothing is written on the image itself, so that no anatomy is hidden, but the names of akinetic segments, outside of the
wall. The viewers draw with this too.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.arrays import Array, Image
from echo_rt.chambers import LeftVentricle
from echo_rt.frame import Frame
from echo_rt.model import CLASSES
from echo_rt.outputs.palette import AMBER, BACKDROP, ENDOCARDIUM, PALE, WALL, WHITE, Colour
from echo_rt.outputs.panel import PANEL_HEIGHT, Panel
from echo_rt.reading import SEGMENTS, Reading, WallBeat, WallReading
from echo_rt.reference.types import Tint
from echo_rt.segmentation import Segmentation

MIN_WIDTH, MAX_HEIGHT = 640, 960
"""An image narrower than that is enlarged to it, unless it would become too high."""

PANEL = 224
"""Width of the panel for an image that is `PANEL_HEIGHT` high; it grows with the image."""

TINT = 0.22
"""Share of the wall's colour in the picture where the wall is certain: to be seen, with the speckle still visible
through it."""

STILL = (85, 95, 250)
"""Colour of a segment that does not move. The nearer a segment's motion is to `MOVING`, the more it has the
endocardium's own colour."""

MOVING = 20.0
"""Percent of inward motion from which on a segment is not coloured any more: normal ones move by that or more, at the
base by less."""

_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_WALL = CLASSES.index("lv_wall")


def draw(frame: Frame, reading: Reading) -> Image:
    """The picture of one frame, as a `Painter` makes it: a new array."""
    return Painter().paint(frame, reading)


class Painter:
    """Draws frame after frame on one canvas; what has not changed since the last one is not drawn again."""

    def __init__(self) -> None:
        self._image: tuple[int, int] | None = None
        self._canvas = np.empty((0, 0, 3), np.uint8)
        self._panel: Panel | None = None

    def paint(self, frame: Frame, reading: Reading) -> Image:
        """The picture of the next frame.

        Args:
            frame: its image is (H, W) or (H, W, 3) BGR.
            reading: of that frame.

        Returns:
            (H', W', 3) BGR uint8, the painter's own until its next frame. H' and W' are even and depend on H and W
            alone. The image stands at the left from the top, `enlargement` times as large.
        """
        image = frame.image.shape[:2]
        factor = enlargement(image)
        height, width = round(image[0] * factor), round(image[1] * factor)
        if self._panel is None or image != self._image:
            self._image = image
            unit = max(1.0, image[0] * factor / PANEL_HEIGHT)
            size = _even(max(height, round(PANEL_HEIGHT * unit))), _even(width + round(PANEL * unit))
            self._canvas = np.full((*size, 3), BACKDROP[0], np.uint8)
            self._panel = Panel(self._canvas, width, unit)
        _paint_image(self._canvas[:height, :width], frame, reading, factor)
        self._panel.show(frame, reading)
        return self._canvas


def draw_image(frame: Frame, reading: Reading) -> Image:
    """The image with what is drawn on it, without the panel: (H', W', 3) BGR uint8, a new array, `enlargement` times as
    large."""
    height, width = frame.image.shape[:2]
    factor = enlargement((height, width))
    picture = np.empty((round(height * factor), round(width * factor), 3), np.uint8)
    _paint_image(picture, frame, reading, factor)
    return picture


def _paint_image(picture: Image, frame: Frame, reading: Reading, factor: float) -> None:
    """Fill a picture with the image, `factor` times as large, and draw on it."""
    _enlarge(frame.image, picture)
    _tint_wall(picture, reading.segmentation, factor)
    if reading.ventricle is not None:
        _outline(picture, reading.ventricle, factor, ENDOCARDIUM if reading.quality.ok else AMBER)
        if reading.wall is not None and reading.wall_beat is not None:
            _segments(picture, reading.ventricle, reading.wall, reading.wall_beat, factor)


def enlargement(image: tuple[int, int]) -> float:
    """By how much `draw` enlarges an image of (H, W)."""
    return max(1.0, min(MIN_WIDTH / image[1], MAX_HEIGHT / image[0]))


def _even(pixels: int) -> int:
    """H.264 with halved colour resolution takes nothing else."""
    return pixels + pixels % 2


def _enlarge(image: Image, picture: Image) -> None:
    """Write the image into the picture, in its size and in colour."""
    size = picture.shape[1], picture.shape[0]
    if image.shape[:2] != picture.shape[:2]:
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    picture[:] = image if image.ndim == 3 else image[..., None]


def _tint_wall(picture: Image, segmentation: Segmentation, factor: float) -> None:
    # Picture pixel p shows image position (p + 0.5) / factor - 0.5.
    grid = segmentation.map
    x_shift, y_shift = ((0.5 / factor - 0.5 - origin) / grid.scale for origin in (grid.x0, grid.y0))
    how = Tint(_WALL, (1 / (factor * grid.scale), x_shift, y_shift), WALL, TINT)
    native.tint(picture, segmentation.labels, segmentation.probability[_WALL], how)


def _placed(points: Array, factor: float) -> Array:
    return (np.asarray(points, np.float64) + 0.5) * factor - 0.5


def _thick(picture: Image) -> int:
    """Of a line: as thin as shows at a glance."""
    return max(2, round(int(picture.shape[0]) / 400))


def _outline(picture: Image, ventricle: LeftVentricle, factor: float, colour: Colour) -> None:
    thick = _thick(picture)
    hinges, apex = _placed(ventricle.hinges, factor), _placed(ventricle.apex, factor)
    middle = hinges.mean(axis=0)
    _dashed(picture, middle, apex, PALE, thick - 1)
    _dashed(picture, hinges[0], hinges[1], WHITE, thick - 1)
    cv2.polylines(picture, [_fixed(_placed(ventricle.contour, factor))], False, colour, thick, cv2.LINE_AA, _SHIFT)
    radius = round(1.8 * thick * 2**_SHIFT)
    for x, y in hinges:
        cv2.circle(picture, _point(x, y), radius, colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    cv2.circle(picture, _point(*apex), radius, BACKDROP, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    cv2.circle(picture, _point(*apex), radius, colour, thick - 1, cv2.LINE_AA, _SHIFT)


def _segments(picture: Image, ventricle: LeftVentricle, wall: WallReading, beat: WallBeat, factor: float) -> None:
    """The endocardium of each segment in the colour of its motion in the last beat; those that do not move thicker, and
    named."""
    thick = _thick(picture)
    contour = _placed(ventricle.contour, factor)
    middle = contour.mean(axis=0)
    for n, segment in enumerate(SEGMENTS):
        points = contour[wall.segment == n]
        motion, still = float(beat.motion_percent[n]), bool(beat.akinetic[n])
        if len(points) < 2 or not (still or motion < MOVING):
            continue
        share = 1.0 if still else 0.6 * min(1.0, 1 - motion / MOVING)
        colour = tuple(round(a + share * (b - a)) for a, b in zip(ENDOCARDIUM, STILL, strict=True))
        cv2.polylines(picture, [_fixed(points)], False, colour, thick + 2 * still, cv2.LINE_AA, _SHIFT)
        if still:
            # Beyond the wall, as seen from the middle of the cavity.
            away = points[len(points) // 2] - middle
            away /= max(float(np.hypot(*away)), 1e-9)
            thickness = float(wall.thickness[n])
            gap = (thickness if math.isfinite(thickness) else 0.0) * _pixels(ventricle) * factor + 8 * thick
            _label(
                picture,
                f"{segment.replace('_', ' ')}, akinetic",
                points[len(points) // 2] + gap * away,
                bool(away[0] < 0),
            )


def _pixels(ventricle: LeftVentricle) -> float:
    """Image pixels for one unit of its length."""
    return float(np.hypot(*(ventricle.apex - ventricle.hinges.mean(axis=0)))) / ventricle.length


def _label(picture: Image, words: str, at: Array, to_the_left: bool) -> None:
    scale, thick = 0.5 * max(1.0, picture.shape[0] / PANEL_HEIGHT), _thick(picture) - 1
    (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    x = int(np.clip(at[0] - width * to_the_left, 4, max(4, picture.shape[1] - width - 4)))
    y = int(np.clip(at[1] + height / 2, height + 4, picture.shape[0] - 6))
    behind = picture[y - height - 4 : y + 6, max(0, x - 4) : x + width + 4]
    behind[:] = behind // 3  # to be read on bright tissue, with the tissue still visible
    cv2.putText(picture, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, STILL, thick, cv2.LINE_AA)


def _dashed(picture: Image, start: Array, end: Array, colour: Colour, thick: int) -> None:
    length = float(np.hypot(*(end - start)))
    if length < 1:
        return
    along, dash = (end - start) / length, 6.0 * thick
    begins = np.arange(0, length, 2 * dash)
    places = np.stack([begins, np.minimum(begins + dash, length)], axis=1)
    dashes = _fixed(start + along * places[..., None])
    cv2.polylines(picture, list(dashes), False, colour, thick, cv2.LINE_AA, _SHIFT)


def _fixed(points: Array) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.round(points * 2**_SHIFT).astype(np.int32)
    return fixed


def _point(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**_SHIFT), round(y * 2**_SHIFT)
