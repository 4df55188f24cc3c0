"""The whole screen of a scanner, frame by frame, around the pictures of a phantom."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.phantom.chance import random_stream
from echo_rt.phantom.options import PhantomOptions
from echo_rt.phantom.scene import Scene
from echo_rt.phantom.screen.ecg import EcgManner, draw_ecg
from echo_rt.phantom.screen.furniture import draw_furniture, write
from echo_rt.phantom.screen.layout import Layout, Rect
from echo_rt.phantom.screen.placed import Placed
from echo_rt.phantom.screen.ruler import RulerManner, draw_ruler

LONGEST_S = 7.0
"""Seconds of ECG before the first frame: more than any strip shows."""

CURSOR = np.array([[0, 0], [0, 16], [4, 12], [7, 18], [9, 17], [6, 11], [11, 11]])
"""Corners of an arrow, x and y in pixels of a screen 480 pixels high."""


class Screen:
    """A screen of one layout. It is drawn once, but for what moves.

    Attributes:
        layout: where everything stands.
        placed: where the phantom's picture stands, and its scale.
        ruler: how its ruler is drawn; None for none.
        size: width and height in pixels.
    """

    def __init__(self, options: PhantomOptions, scene: Scene) -> None:
        self.size = options.screen.size
        sector, number = scene.sector, options.screen.layout
        self.layout = Layout.draw(number, self.size, sector.width / sector.height)
        picture = self.layout.picture
        self._factor = picture.width / sector.width, picture.height / sector.height
        self.placed = _place(scene, picture, self._factor)
        rng = random_stream(number, 10)
        self.ruler = RulerManner.draw(rng, self.size[1]) if rng.random() < 0.8 else None
        self._ecg = EcgManner.draw(rng, self.size[1])
        self._rhythm, self._beat_s = scene.rhythm, 60 / options.heart.hr
        self._art = draw_furniture(self.layout, rng)
        self._still: Image | None = None
        self._path = rng.uniform(0.1, 0.9, (2, 2)) * self.size

    def draw(self, picture: Image, second: Image, t_s: float) -> Image:
        """(H, W, 3) BGR: the screen at that time.

        Args:
            picture: (h, w) grey, the phantom's.
            second: (h, w) grey, for the place beside it.
            t_s: of the frame.
        """
        canvas, layout = self._art.copy(), self.layout
        if layout.second is not None:
            if layout.shows == "still":
                second = self._still = second if self._still is None else self._still
            _paste(canvas, second, layout.second)
        _paste(canvas, picture, layout.picture)
        if self.ruler is not None:
            draw_ruler(canvas, self.placed, self.ruler)
        if layout.ecg is not None:
            draw_ecg(canvas, layout.ecg, t_s, self.r_times_s(t_s), self._ecg)
        _, cursor, clock = layout.marks
        if clock:
            self._draw_clock(canvas, t_s)
        if cursor:
            self._draw_cursor(canvas, t_s)
        return canvas

    def r_times_s(self, until_s: float) -> list[float]:
        """The R peaks of the ECG up to that time and the two after it: each is at an end-diastole. Those of a steady
        heart before time 0 come first, as many as the widest strip shows."""
        cycle = self._rhythm.at(0.0)
        times = [cycle.start_s - n * self._beat_s for n in range(round(LONGEST_S / self._beat_s), 0, -1)]
        after = 0
        while after < 2:
            times.append(cycle.start_s)
            after += cycle.start_s > until_s
            cycle = self._rhythm.at(cycle.end_s)
        return times

    def to_screen(self, points: Array) -> Array:
        """Points (N, 2) x, y of the phantom's picture in pixels of the screen; pixel centres at integers."""
        rect = self.layout.picture
        return np.asarray((points + 0.5) * self._factor + (rect.x, rect.y) - 0.5)

    def mask(self, labels: Image) -> Image:
        """(H, W) labels on the screen, of those of the picture (h, w)."""
        rect, (width, height) = self.layout.picture, self.size
        canvas = np.zeros((height, width), np.uint8)
        shown = cv2.resize(labels, (rect.width, rect.height), interpolation=cv2.INTER_NEAREST_EXACT)
        canvas[rect.y : rect.bottom, rect.x : rect.right] = shown
        return canvas

    def _draw_clock(self, canvas: Image, t_s: float) -> None:
        strip = self.layout.header or self.layout.screen.inset(bottom=round(0.94 * self.size[1]))
        at = strip.right - round(0.2 * self.size[1]), strip.y + round(0.7 * strip.height)
        seconds = int(t_s)
        write(canvas, f"12:{seconds // 60:02d}:{seconds % 60:02d}", at, self.layout.theme.letters)

    def _draw_cursor(self, canvas: Image, t_s: float) -> None:
        """It rests, and is moved to and fro every ten seconds."""
        share = 0.5 - 0.5 * np.cos(2 * np.pi * max(0.0, (t_s % 10) / 10 * 2 - 1))
        at = self._path[0] + share * (self._path[1] - self._path[0])
        corners = np.round(at + CURSOR * self.size[1] / 480).astype(np.int32)
        cv2.fillPoly(canvas, [corners], (250, 250, 250), cv2.LINE_AA)
        cv2.polylines(canvas, [corners], True, (0, 0, 0), 1, cv2.LINE_AA)


def _place(scene: Scene, rect: Rect, factor: tuple[float, float]) -> Placed:
    sector, (x, y) = scene.sector, scene.sector.origin_px
    return Placed(
        x=rect.x,
        y=rect.y,
        width=rect.width,
        height=rect.height,
        apex=(rect.x + (x + 0.5) * factor[0] - 0.5, rect.y + (y + 0.5) * factor[1] - 0.5),
        px_per_mm=sector.pixels_per_mm * factor[1],
        depth_mm=sector.depth_mm,
        half_angle_deg=float(np.degrees(sector.half)),
    )


def _paste(canvas: Image, picture: Image, rect: Rect) -> None:
    """Draw a picture into its place; what is black in it leaves what lies there."""
    fitting = cv2.INTER_AREA if rect.width < picture.shape[1] else cv2.INTER_CUBIC
    shown = cv2.resize(picture, (rect.width, rect.height), interpolation=fitting)
    place = canvas[rect.y : rect.bottom, rect.x : rect.right]
    np.maximum(place, shown[..., None], out=place)
