"""What a device gives over time, and what a fault makes of it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from support.painted import FPS, OTHER_SIZE, SIZE, garbled, picture

STAMP_S = 10_000.0
"""Of the first picture, by the clock of the device."""

PICTURE, GARBAGE, DEAD = "picture", "garbage", "dead"


class Clock(Protocol):
    """Of the machine, or of the tests' own."""

    def now(self) -> float: ...

    def sleep_until(self, until_s: float) -> None: ...


@dataclass(frozen=True)
class Shot:
    """What goes out at a time.

    Attributes:
        number: of the picture since the device began.
        at_s: when, on the clock of the run.
        stamp_s: the device's own time.
        heart_s: that the picture shows.
        size, colour: of the picture; colour may be "deep" where the device has such: 16 bits.
        kind: `PICTURE`, `GARBAGE` in its place, or `DEAD`: nobody is there.
    """

    number: int
    at_s: float
    stamp_s: float
    heart_s: float
    size: tuple[int, int] = SIZE
    colour: bool = False
    kind: str = PICTURE

    def image(self) -> np.ndarray:
        """(H, W) or (H, W, 3)."""
        return picture(self.heart_s, self.size, self.colour)

    def noise(self) -> np.ndarray:
        """(H, W) what a loose cable shows."""
        return garbled(self.number, self.size)


Change = Callable[[Shot, float, float], list[Shot]]
"""What becomes of a shot so many seconds after a fault began that lasts so long."""


def dies(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, kind=DEAD) if since_s < lasts_s else shot]


def stalls(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [] if since_s < lasts_s else [shot]


def bursts(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    """A third of the time's pictures at once, three times."""
    if since_s >= lasts_s:
        return [shot]
    third = lasts_s / 3
    return [replace(shot, at_s=shot.at_s - since_s + third * math.ceil((since_s + 1e-9) / third))]


def changes_size(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, size=OTHER_SIZE)]


def changes_format(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, colour=True)]


def changes_rate(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [] if shot.number % 2 else [shot]


def leaps_ahead(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, stamp_s=shot.stamp_s + 3600)]


def leaps_back(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, stamp_s=shot.stamp_s - 3600)]


def leaps_a_little(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, stamp_s=shot.stamp_s + 6)]


def slips_back(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, stamp_s=shot.stamp_s - 0.3)]


def repeats(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    """Each picture twice, as from a converter that doubles the rate."""
    again = 0.5 / FPS
    return [shot, replace(shot, at_s=shot.at_s + again, stamp_s=shot.stamp_s + again)] if since_s < lasts_s else [shot]


def garbage(shot: Shot, since_s: float, lasts_s: float) -> list[Shot]:
    return [replace(shot, kind=GARBAGE) if since_s < lasts_s else shot]


class Timeline:
    """The shots of one device, from its begin on and whoever looks. Whoever plays them waits for their time.

    Args:
        change, lasts_s: the fault.
        clock: of the run.

    Attributes:
        ready: set by whoever looks: from now on the fault.
        passed_s: when the first shot after the fault goes out, None before that is known.
    """

    def __init__(self, change: Change, lasts_s: float, clock: Clock) -> None:
        self.ready = threading.Event()
        self.passed_s: float | None = None
        self._change, self._lasts_s, self._clock = change, lasts_s, clock

    def __iter__(self) -> Iterator[Shot]:
        """All shots, without an end."""
        begun_s, fault_s, number = self._clock.now(), math.inf, 0
        while True:
            heart_s = number / FPS
            at_s = begun_s + heart_s
            if fault_s == math.inf and self.ready.is_set():
                fault_s = at_s
            shot = Shot(number, at_s, STAMP_S + heart_s, heart_s)
            shots = [shot] if at_s < fault_s else self._change(shot, at_s - fault_s, self._lasts_s)
            if shots and self.passed_s is None and at_s - fault_s >= self._lasts_s:
                self.passed_s = max(shots[0].at_s, self._clock.now())  # on a busy machine it is late
            yield from shots
            number += 1
