"""Screens around a small heart, drawn by hand: whatever a test needs and no phantom's layout has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.frame import Frame
from echo_rt.phantom import Phantom, PhantomOptions

FPS = 25
SIZE = (360, 640)
"""Rows and columns of a screen."""

Place = tuple[int, int, int, int]
"""x, y, width and height of a picture on it."""


@cache
def heart() -> NDArray[np.uint8]:
    """(70, 150, 200) grey: a heart of EF 50 at 25 frames a second."""
    options = PhantomOptions.of(
        ef=50, hr=75, seed=5, fps=FPS, seconds=2.8, height=150, width=200, depth_mm=150, overlay=False
    )
    return np.stack([frame.image for frame in Phantom(options)])


def screen(number: int, places: Sequence[Place], behind: int = 20, panel: int = 70) -> NDArray[np.uint8]:
    """(H, W) grey: pictures of the heart on a screen with a menu and a name.

    Args:
        number: of the frame; pictures beside each other are at other moments.
        places: where the pictures are.
        behind, panel: levels of the screen and of its menu.
    """
    canvas = np.full(SIZE, behind, np.uint8)
    canvas[:, :60] = panel
    for row in range(20, 340, 30):
        cv2.putText(canvas, "Menu", (6, row), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255 - panel, 1)
    cv2.putText(canvas, "NAME 4711", (80, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255 - behind, 1)
    for k, (x, y, width, height) in enumerate(places):
        image = heart()[(number + 7 * k) % len(heart())]
        shown = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        canvas[y : y + height, x : x + width] = shown
    return canvas


def sector_in(place: Place) -> NDArray[np.bool_]:
    """(H, W) where the heart's sector is lit, in a picture at that place."""
    x, y, width, height = place
    lit = np.zeros(SIZE, np.uint8)
    most = cv2.resize(heart().max(axis=0), (width, height), interpolation=cv2.INTER_AREA)
    lit[y : y + height, x : x + width] = most > 12
    return cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def frames(images: Sequence[NDArray[np.uint8]], fps: float = FPS) -> list[Frame]:
    """The images as a recording."""
    return [Frame(image, k / fps, k) for k, image in enumerate(images)]


def inside(outline: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(H, W) the screen within an outline."""
    mask = np.zeros(SIZE, np.uint8)
    cv2.fillConvexPoly(mask, outline, 1)
    return mask > 0


class Cine:
    """A recording of given frames, which can be entered again."""

    name, fps, spacing_mm, spacing_note, view = "cine", float(FPS), None, "unknown", None

    def __init__(self, shown: Sequence[Frame]) -> None:
        self.shown = list(shown)
        self.frames: int | None = len(self.shown)
        self.notes: list[str] = []
        self._left: Iterator[Frame] = iter(())

    def __enter__(self) -> Cine:
        self._left = iter(self.shown)
        return self

    def __exit__(self, *what: object) -> None: ...

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._left)
