"""A capture card that goes wrong."""

from __future__ import annotations

import threading

import cv2
import numpy as np

from robustness.live_shots import DEAD, GARBAGE, Timeline
from support.own_time import OwnClock
from support.painted import FPS


class CaptureCard:
    """What OpenCV opens in the place of a camera. As with V4L2, one at a time may have it open, and one picture is
    kept."""

    def __init__(self, timeline: Timeline, clock: OwnClock) -> None:
        self._shots, self._clock = iter(timeline), clock
        self._next = next(self._shots)
        self._held = threading.Lock()
        self.given = 0

    def capture(self, number: int, backend: int) -> StandInCapture:
        """In the place of `cv2.VideoCapture`."""
        return StandInCapture(self)

    def take(self) -> bool:
        """Open it; whether that went well."""
        self._skip()
        return self._next.kind != DEAD and self._held.acquire(blocking=False)

    def let_go(self) -> None:
        self._held.release()

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next picture, when its time has come."""
        self._skip()
        shot = self._next
        self._clock.sleep_until(shot.at_s)
        if self._clock.over or shot.kind == DEAD:
            return False, None
        self._next = next(self._shots)
        self.given += 1
        return True, shot.noise() if shot.kind == GARBAGE else shot.image()

    def _skip(self) -> None:
        while self._next.at_s < self._clock.now() - 1 / FPS:
            self._next = next(self._shots)


class StandInCapture:
    """OpenCV's capture of a `CaptureCard`."""

    def __init__(self, card: CaptureCard) -> None:
        self._card, self._open = card, card.take()

    def isOpened(self) -> bool:
        return self._open

    def set(self, name: int, wanted: float) -> bool:
        return False

    def get(self, name: int) -> float:
        return FPS if name == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        return self._card.read()

    def release(self) -> None:
        if self._open:
            self._open = False
            self._card.let_go()
