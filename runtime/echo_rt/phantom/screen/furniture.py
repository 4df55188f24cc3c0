"""What stands on a screen beside the picture and does not move: menus, texts, a logo, the colour bar."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Image
from echo_rt.phantom.screen.layout import Colour, Layout, Rect

NAME = "PATIENT^NOBODY  ID 0000-4711  1900-01-01"
"""What stands for a patient's name on the screen: nobody's."""

WORDS = "Freeze Store Depth Gain Zoom Focus Cine Measure Report Annotate Colour Doppler Review Setup Next Save".split()
PROBES = ("Adult Echo", "TTE Card", "Cardiac", "Crd P21")


def draw_furniture(layout: Layout, rng: np.random.Generator) -> Image:
    """(H, W, 3) BGR: the screen of that layout without what moves."""
    theme, (width, height) = layout.theme, layout.size
    canvas = np.full((height, width, 3), theme.beside, np.uint8)
    fill(canvas, layout.screen, theme.behind)
    fill(canvas, layout.stage, theme.stage)
    for menu in layout.menus:
        _draw_menu(canvas, layout, menu, rng)
    if layout.header is not None:
        strip = layout.header
        fill(canvas, strip, theme.panel)
        base = strip.y + round(0.7 * strip.height)
        write(canvas, NAME, (strip.x + round(0.02 * strip.width), base), theme.letters)
    if layout.ecg is not None:
        fill(canvas, layout.ecg, theme.stage)
    for rect in (layout.picture, layout.second):
        if rect is not None:
            # Pictures stand on black, also where the screen around them is not.
            fill(canvas, rect, (0, 0, 0))
    _draw_settings(canvas, layout, rng)
    if layout.bar is not None:
        bar = layout.bar
        canvas[bar.y : bar.bottom, bar.x : bar.right] = _ramp(bar.height, bool(rng.random() < 0.3))[:, None]
    if layout.marks[0]:
        _draw_logo(canvas, layout, rng)
    return canvas


def fill(canvas: Image, rect: Rect, colour: Colour) -> None:
    """Paint a rectangle."""
    canvas[rect.y : rect.bottom, rect.x : rect.right] = colour


def write(canvas: Image, text: str, at: tuple[int, int], colour: Colour, size: float = 0.4) -> None:
    """Text whose first letter begins at x, y; its size is that on a screen 480 pixels high."""
    scale = size * len(canvas) / 480
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, round(scale)), cv2.LINE_AA)


def _draw_menu(canvas: Image, layout: Layout, menu: Rect, rng: np.random.Generator) -> None:
    theme = layout.theme
    fill(canvas, menu, theme.panel)
    row = max(16, round(len(canvas) * rng.uniform(0.045, 0.08)))
    framed = bool(rng.random() < 0.5)
    for k, top in enumerate(range(menu.y + row // 2, menu.bottom - row, row)):
        if framed:
            corner, far = (menu.x + 4, top), (menu.right - 5, top + row - 5)
            cv2.rectangle(canvas, corner, far, theme.letters, 1)
        word = WORDS[(k + int(rng.integers(3))) % len(WORDS)]
        write(canvas, word, (menu.x + 10, top + round(0.6 * row)), theme.letters, 0.34)


def _draw_settings(canvas: Image, layout: Layout, rng: np.random.Generator) -> None:
    """The machine's settings in the picture's upper corners, where no sector is."""
    picture, line = layout.picture, round(0.03 * len(canvas))
    lines = [str(rng.choice(PROBES)), f"{rng.integers(28, 90)} Hz", "2D", f" {rng.integers(40, 75)}%", " P Low"]
    for k, text in enumerate(lines):
        write(canvas, text, (picture.x + 4, picture.y + (k + 1) * line), (200, 200, 190), 0.3)
    corner = f"TIS{rng.uniform(0.3, 1.2):.1f} MI {rng.uniform(0.7, 1.5):.1f}"
    write(canvas, corner, (picture.right - round(0.19 * len(canvas)), picture.y + line), (200, 200, 190), 0.3)


def _ramp(height: int, sepia: bool) -> Image:
    """(height, 3) from white down to black, or through sepia."""
    level = np.linspace(255, 0, height)
    tint = (0.55, 0.8, 1.0) if sepia else (1.0, 1.0, 1.0)
    return np.asarray(np.round(level[:, None] * np.array(tint)), np.uint8)


def _draw_logo(canvas: Image, layout: Layout, rng: np.random.Generator) -> None:
    """A coloured badge in a corner of the stage."""
    stage, size = layout.stage, round(0.035 * len(canvas))
    x = stage.x + size if rng.random() < 0.5 else stage.right - size - 1
    colour = tuple(int(level) for level in rng.integers(60, 250, 3))
    cv2.circle(canvas, (x, stage.bottom - size - 1), size // 2, colour, -1, cv2.LINE_AA)
