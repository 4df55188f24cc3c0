"""One frame as a picture: the image with the ventricle drawn on it, and beside it a panel with the figures.

Nothing is written on the image itself, so that no anatomy is hidden, but the names of akinetic segments, outside of the
wall. The viewers draw with this too.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image
from echo_rt.frame import Frame
from echo_rt.model import CLASSES
from echo_rt.outputs.palette import AMBER, BACKDROP, ENDOCARDIUM, PALE, WALL, WHITE
from echo_rt.outputs.panel import PANEL_HEIGHT, draw_panel
from echo_rt.reading import SEGMENTS, LeftVentricle, Reading, WallBeat, WallReading
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


def draw(frame: Frame, reading: Reading) -> Image:
    """The picture of one frame.

    Args:
        frame: its image is (H, W) or (H, W, 3) BGR.
        reading: of that frame.

    Returns:
        (H', W', 3) BGR uint8, a new array. H' and W' are even and depend on H and W alone. The image stands at the left
        from the top, `enlargement` times as large.
    """
    height, width = frame.image.shape[:2]
    factor = enlargement((height, width))
    unit = max(1.0, height * factor / PANEL_HEIGHT)
    shown = (round(height * factor), round(width * factor))
    right = shown[1] + round(PANEL * unit)
    canvas = np.full((_even(max(shown[0], round(PANEL_HEIGHT * unit))), _even(right), 3), BACKDROP[0], np.uint8)
    canvas[: shown[0], : shown[1]] = draw_image(frame, reading)
    draw_panel(canvas, shown[1], unit, frame, reading)
    return canvas


def draw_image(frame: Frame, reading: Reading) -> Image:
    """The image with what is drawn on it, without the panel: (H', W', 3) BGR uint8, a new array, `enlargement` times as
    large."""
    height, width = frame.image.shape[:2]
    factor = enlargement((height, width))
    picture = _enlarged(frame.image, (round(height * factor), round(width * factor)))
    _tint_wall(picture, reading.segmentation, factor)
    if reading.ventricle is not None:
        _outline(picture, reading.ventricle, factor, ENDOCARDIUM if reading.quality.ok else AMBER)
        if reading.wall is not None and reading.wall_beat is not None:
            _segments(picture, reading.ventricle, reading.wall, reading.wall_beat, factor)
    return picture


def enlargement(image: tuple[int, int]) -> float:
    """By how much `draw` enlarges an image of (H, W)."""
    return max(1.0, min(MIN_WIDTH / image[1], MAX_HEIGHT / image[0]))


def _even(pixels: int) -> int:
    """H.264 with halved colour resolution takes nothing else."""
    return pixels + pixels % 2


def _enlarged(image: Image, shown: tuple[int, int]) -> Image:
    if image.shape[:2] != shown:
        image = cv2.resize(image, (shown[1], shown[0]), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    elif image.ndim == 3:
        image = image.copy()  # it is drawn upon
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)


def _tint_wall(picture: Image, segmentation: Segmentation, factor: float) -> None:
    wall = CLASSES.index("lv_wall")
    rows, columns = np.nonzero(segmentation.labels == wall)
    if not rows.size:
        return
    # Only the part of the picture around the wall is touched. Image pixel p shows image position (p + 0.5) / factor -
    # 0.5.
    grid = segmentation.map
    corners = np.array([[columns.min() - 2, rows.min() - 2], [columns.max() + 2, rows.max() + 2]], np.float64)
    (x0, y0), (x1, y1) = np.clip(
        (grid.to_image(corners) + 0.5) * factor, 0, (picture.shape[1], picture.shape[0])
    ).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    # From a pixel of that part to the grid: a scale and a shift.
    scale = 1 / (factor * grid.scale)
    shift = [((start + 0.5) / factor - 0.5 - origin) / grid.scale for start, origin in ((x0, grid.x0), (y0, grid.y0))]
    to_grid = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    alpha = cv2.warpAffine(
        segmentation.probability[wall],
        to_grid,
        (int(x1 - x0), int(y1 - y0)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    # The border of the wall is where its probability passes one half; a ramp around it is smooth at any enlargement.
    weight = (TINT * np.clip(4 * alpha - 1.5, 0, 1))[..., None]
    part = picture[y0:y1, x0:x1]
    part[:] = (part + weight * (np.array(WALL, np.float32) - part) + 0.5).astype(np.uint8)


def _placed(points: Array, factor: float) -> Array:
    return (np.asarray(points, np.float64) + 0.5) * factor - 0.5


def _thick(picture: Image) -> int:
    """Of a line: as thin as shows at a glance."""
    return max(2, round(int(picture.shape[0]) / 400))


def _outline(picture: Image, ventricle: LeftVentricle, factor: float, colour: tuple[int, int, int]) -> None:
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


def _dashed(picture: Image, start: Array, end: Array, colour: tuple[int, int, int], thick: int) -> None:
    length = float(np.hypot(*(end - start)))
    if length < 1:
        return
    along, dash = (end - start) / length, 6.0 * thick
    for position in np.arange(0, length, 2 * dash):
        dash_end = start + along * min(position + dash, length)
        cv2.line(picture, _point(*(start + along * position)), _point(*dash_end), colour, thick, cv2.LINE_AA, _SHIFT)


def _fixed(points: Array) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.round(points * 2**_SHIFT).astype(np.int32)
    return fixed


def _point(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**_SHIFT), round(y * 2**_SHIFT)
