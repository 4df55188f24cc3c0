"""How a screen is divided: where the picture stands, and what stands beside it, all drawn from the layout's number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from echo_rt.phantom.chance import random_stream

Colour = tuple[int, int, int]
Second = Literal["other view", "smaller", "still"]
SECONDS: tuple[Second, ...] = ("other view", "smaller", "still")

DARK, LIGHT = ((0, 0, 0), (20, 20, 20), (42, 36, 32), (60, 44, 30)), ((205, 205, 205), (238, 236, 232), (250, 250, 250))
"""Colours of a screen in dark and in light mode, BGR."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels of the screen."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beside it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.y + self.height

    def inset(self, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> Rect:
        """It without strips at its sides."""
        return Rect(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a screen, BGR.

    Attributes:
        beside: of the bars beside a screen of another shape.
        behind: of the screen itself.
        panel: of the menus.
        letters: on these.
        stage: behind the pictures.
    """

    beside: Colour
    behind: Colour
    panel: Colour
    letters: Colour
    stage: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Theme:
        """One in dark or in light mode. Ultrasound stands on black, or in dark mode on what is nearly black."""
        light = bool(rng.random() < 0.3)
        behind = (LIGHT if light else DARK)[int(rng.integers(3 if light else 4))]
        step = -18 if light else 22
        panel: Colour = (behind[0] + step, behind[1] + step, behind[2] + step)
        letters: Colour = (40, 40, 40) if light else (205, 205, 205)
        stage: Colour = behind if max(behind) <= 20 and rng.random() < 0.5 else (0, 0, 0)
        grey = int(rng.choice([0, 0, 70, 128]))
        return cls((grey, grey, grey), behind, panel, letters, stage)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands on a screen.

    Attributes:
        size: width and height of the whole.
        theme: its colours.
        screen: the scanner's own screen: all of it, or 4:3 in the middle of it.
        menus: strips with buttons.
        header: the strip with names and date; None without one.
        stage: where the pictures stand.
        picture: the phantom's picture.
        second: another picture beside it, None for none.
        shows: what the other picture shows.
        bar: the colour bar, None for none.
        ecg: the strip with the ECG, None for none.
        marks: whether a logo, a cursor and a clock are there.
    """

    size: tuple[int, int]
    theme: Theme
    screen: Rect
    menus: tuple[Rect, ...]
    header: Rect | None
    stage: Rect
    picture: Rect
    second: Rect | None
    shows: Second
    bar: Rect | None
    ecg: Rect | None
    marks: tuple[bool, bool, bool]

    @classmethod
    def draw(cls, number: int, size: tuple[int, int], aspect: float) -> Layout:
        """The layout of that number for a screen of width and height `size` and a picture of that width to height."""
        rng = random_stream(number, 9)
        theme = Theme.draw(rng)
        width, height = size
        narrow = width / height > 1.5 and rng.random() < 0.25
        inner = round(height * 4 / 3) if narrow else width
        screen = Rect((width - inner) // 2, 0, inner, height)
        menus, header, stage = _divide(rng, screen)
        ecg = None
        if rng.random() < 0.7:
            tall = round(stage.height * rng.uniform(0.10, 0.17))
            ecg, stage = Rect(stage.x, stage.bottom - tall, stage.width, tall), stage.inset(bottom=tall)
        second = None
        room = stage
        shows = SECONDS[int(rng.integers(len(SECONDS)))]
        if rng.random() < 0.35:
            half = stage.width // 2
            left, right = stage.inset(right=stage.width - half), stage.inset(left=half)
            room, other = (left, right) if rng.random() < 0.5 else (right, left)
            second = _placed(rng, other, aspect, (0.55, 0.75) if shows == "smaller" else (0.85, 1.0))
        picture = _placed(rng, room, aspect, (0.8, 1.0))
        bar = None
        if rng.random() < 0.7:
            tall, wide = round(picture.height * rng.uniform(0.15, 0.4)), max(3, round(width * 0.008))
            side = picture.right - 2 * wide if rng.random() < 0.6 else picture.x + wide
            bar = Rect(side, picture.y + round(0.05 * picture.height), wide, tall)
        marks = bool(rng.random() < 0.6), bool(rng.random() < 0.4), bool(rng.random() < 0.6)
        return cls(size, theme, screen, menus, header, stage, picture, second, shows, bar, ecg, marks)


def _divide(rng: np.random.Generator, screen: Rect) -> tuple[tuple[Rect, ...], Rect | None, Rect]:
    """Menus at the left or right or both or none, a header or none, and what is left."""
    stage, header, menus = screen, None, []
    if rng.random() < 0.8:
        tall = round(screen.height * rng.uniform(0.04, 0.09))
        header, stage = Rect(stage.x, stage.y, stage.width, tall), stage.inset(top=tall)
    left, right = ((True, False), (False, True), (True, True), (False, False))[int(rng.integers(4))]
    if left:
        wide = round(screen.width * rng.uniform(0.08, 0.2))
        menus.append(Rect(stage.x, stage.y, wide, stage.height))
        stage = stage.inset(left=wide)
    if right:
        wide = round(screen.width * rng.uniform(0.08, 0.16))
        menus.append(Rect(stage.right - wide, stage.y, wide, stage.height))
        stage = stage.inset(right=wide)
    return tuple(menus), header, stage


def _placed(rng: np.random.Generator, room: Rect, aspect: float, share: tuple[float, float]) -> Rect:
    """A rectangle of that width to height somewhere in the room, of which it fills a share drawn from that range."""
    largest = min(room.height, room.width / aspect)
    tall = int(largest * rng.uniform(*share))
    wide = int(tall * aspect)
    x = room.x + round((room.width - wide) * rng.uniform(0.0, 1.0))
    y = room.y + round((room.height - tall) * rng.uniform(0.0, 1.0))
    return Rect(x, y, wide, tall)
