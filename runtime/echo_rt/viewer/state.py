"""What the page shows, as plain numbers: the newest figures, and the curve and beats of the last seconds."""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Any

from echo_rt.chambers import Scale
from echo_rt.fields import beat_fields, exact, reading_fields, rounded
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.reading import SEGMENTS, Beat, Reading

CURVE_S = 10.0
"""Of the curve that is shown."""

BEATS = 8
"""In the list: the last ones, rejected ones too."""


class Trace:
    """The last seconds of a feed, for people. A clock that goes back, or another size of the picture, begins it
    afresh."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._points: deque[tuple[float, float | None]] = deque()
        self._beats: deque[Beat] = deque(maxlen=2 * BEATS)
        self._shape: tuple[int, ...] | None = None
        self._last_s = -math.inf

    def add(self, update: LiveUpdate) -> None:
        """Take an update; the same reading twice counts once."""
        frame, reading = update.frame, update.reading
        if frame is None or reading is None:
            if update.status.phase in (Phase.OPENING, Phase.RUNNING):
                self.clear()  # after a reset, or with another source
            return
        if reading.t_s == self._last_s:
            return
        if reading.t_s < self._last_s or (self._shape is not None and frame.image.shape[:2] != self._shape):
            self.clear()
        self._shape, self._last_s = frame.image.shape[:2], reading.t_s
        measured = reading.ventricle.volume if reading.ventricle is not None and reading.quality.ok else None
        self._points.append((reading.t_s, measured))
        while self._points[0][0] < reading.t_s - CURVE_S:
            self._points.popleft()
        if reading.beat is not None:
            self._beats.append(reading.beat)

    def to_dict(self) -> dict[str, Any]:
        """``curve``: [t_s, volume or None] of each frame; ``beats``: the last, oldest first."""
        return {
            "curve": [[round(t_s, 3), rounded(volume, 4)] for t_s, volume in self._points],
            "curve_s": CURVE_S,
            "beats": [beat_fields(beat) for beat in list(self._beats)[-BEATS:]],
        }


class Board:
    """The newest update and the trace up to it. The viewer's thread writes, those of the page read.

    Attributes:
        closed: whether the feed has ended.
    """

    def __init__(self) -> None:
        self.closed = False
        self._lock = threading.Lock()
        self._trace = Trace()
        self._update: LiveUpdate | None = None
        self._number = 0

    def show(self, update: LiveUpdate) -> None:
        """Put an update in the place of the one before."""
        with self._lock:
            self._trace.add(update)
            self._update = update
            self._number += 1

    def newest(self, seen: int, with_trace: bool) -> tuple[int, LiveUpdate, dict[str, Any] | None] | None:
        """Number and content of the newest update, and `Trace.to_dict` where asked for; None where it was `seen`."""
        with self._lock:
            if self._update is None or self._number == seen:
                return None
            return self._number, self._update, self._trace.to_dict() if with_trace else None


def figures(update: LiveUpdate) -> dict[str, Any]:
    """The newest figures. ``current`` says whether they are of now: a page shows no others as if they were."""
    status, reading = update.status, update.reading
    counts, timing = status.counts, status.timing
    return {
        "phase": status.phase.name.lower(),
        "phase_text": status.phase.value,
        "message": status.message,
        "source": status.source,
        "engine": status.engine,
        "model": status.model,
        "frames": counts.frames,
        "dropped": {why.value: count for why, count in counts.dropped.items()},
        "reopened": counts.reopened,
        "fps": rounded(timing.fps, 1),
        "age_ms": rounded(timing.age_ms, 1),
        "age_p50_ms": rounded(timing.age_p50_ms, 1),
        "age_p99_ms": rounded(timing.age_p99_ms, 1),
        "recording": str(status.recording) if status.recording is not None else None,
        "current": status.phase in (Phase.RUNNING, Phase.FROZEN),
        "reading": _reading(reading) if reading is not None else None,
    }


def _reading(reading: Reading) -> dict[str, Any]:
    """`reading_fields`, and what the page shows besides."""
    ventricle, wall = reading.ventricle, reading.wall_beat
    scale = ventricle.scale if ventricle is not None else Scale.PX
    segments = [] if wall is None else zip(SEGMENTS, wall.motion_percent, wall.akinetic, strict=True)
    return {
        **reading_fields(reading, scale),
        "view": reading.segmentation.view,
        "volume": exact(ventricle.volume) if ventricle is not None else None,
        "volume_unit": scale.volume.replace("px3", "px³") if ventricle is not None else None,
        "calibrated": scale.calibrated if ventricle is not None else None,
        "wall": [
            {"segment": segment.replace("_", " "), "motion_percent": rounded(motion, 0), "akinetic": bool(still)}
            for segment, motion, still in segments
        ],
    }
