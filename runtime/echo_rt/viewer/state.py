"""What the page shows, as plain numbers: the newest figures, the curve of the last seconds, and what each beat said."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from statistics import stdev
from typing import Any, NamedTuple

from echo_rt.cardiac.verdict import DOUBTS
from echo_rt.chambers import Scale
from echo_rt.fields import beat_fields, exact, reading_fields, rounded
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.measures import MeasureFigure, Rolling
from echo_rt.reading import SEGMENTS, Beat, Reading

CURVE_S = 10.0
"""Of the curve that is shown."""

BEATS = 8
"""In the list: the last ones, rejected ones too."""

TREND_S, TREND_BEATS = 60.0, 240
"""Of the trends that are shown: so long, and at most so many beats."""


class Trace:
    """The last seconds of a feed, for people. A clock that goes back, or another size of the picture, begins it
    afresh."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._points: deque[tuple[float, float | None]] = deque()
        self._beats: deque[Beat] = deque(maxlen=TREND_BEATS)
        self._shape: tuple[int, ...] | None = None
        self._last_s = -math.inf
        self._reading: Reading | None = None
        self._by_beat: dict[str, Any] | None = None

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
        if reading.beat is not None or self._reading is None or reading.rolling is not self._reading.rolling:
            self._by_beat = None
        self._reading = reading

    def to_dict(self) -> dict[str, Any]:
        """``curve``: [t_s, volume or None] of each frame."""
        return {"curve": [[round(t_s, 3), rounded(volume, 4)] for t_s, volume in self._points], "curve_s": CURVE_S}

    def by_beat(self) -> dict[str, Any]:
        """What changes with a beat alone; the same object until then.

        ``beats``: the last, oldest first; ``trends``: of the last minute; ``rhythm``, ``measures``: the rolling ones.
        """
        if self._by_beat is None:
            rolling = Rolling() if self._reading is None else self._reading.rolling
            view = None if self._reading is None else self._reading.segmentation.view
            beats = self._beats_that_count()
            self._by_beat = {
                "beats": [beat_fields(beat) for beat in beats[-BEATS:]],
                "trends": self._trends(beats),
                "rhythm": _rhythm(rolling),
                "measures": [_measure(figure) for figure in rolling.in_view(view)],
            }
        return self._by_beat

    def _beats_that_count(self) -> list[Beat]:
        """The last beats; where together they speak for no heart, none of them counts."""
        ef = None if self._reading is None else self._reading.ef
        if ef is None or ef.reason not in DOUBTS:
            return list(self._beats)
        return [replace(beat, reason=beat.reason or ef.reason) for beat in self._beats]

    def _trends(self, beats: Sequence[Beat]) -> dict[str, Any]:
        """``points``: [ED, next ED, EF, strain, heart rate] of each accepted beat of the last minute; ``sd``: of the
        last three, each None for fewer than two beats."""
        beats = [beat for beat in beats if beat.accepted and beat.t_next_ed_s > self._last_s - TREND_S]
        figures = [(beat.ef_percent, beat.details.strain_percent, beat.heart_rate_bpm) for beat in beats]
        known = [[value for value in column if value is not None] for column in zip(*figures, strict=True)]
        return {
            "seconds": TREND_S,
            "points": [
                [rounded(beat.t_ed_s, 2), rounded(beat.t_next_ed_s, 2), *(rounded(value, 1) for value in row)]
                for beat, row in zip(beats, figures, strict=True)
            ],
            "sd": [rounded(stdev(column), 1) if len(column) > 1 else None for column in known or [[]] * 3],
        }


class Shown(NamedTuple):
    """An update by its number, `Trace.to_dict` where that was asked for, and `Trace.by_beat`."""

    number: int
    update: LiveUpdate
    trace: dict[str, Any] | None
    by_beat: dict[str, Any]


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

    @property
    def update(self) -> LiveUpdate | None:
        """The newest update, None before the first."""
        return self._update

    def newest(self, seen: int, with_trace: bool) -> Shown | None:
        """The newest update, with `Trace.to_dict` where asked for; None where it was `seen`."""
        with self._lock:
            if self._update is None or self._number == seen:
                return None
            trace = self._trace.to_dict() if with_trace else None
            return Shown(self._number, self._update, trace, self._trace.by_beat())


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


def _rhythm(rolling: Rolling) -> dict[str, Any]:
    """Whether it is irregular, by how much beats differ in length, and of how many the measures are."""
    return {
        "irregular": rolling.irregular,
        "rr_variation_percent": rounded(rolling.rr_variation_percent, 0),
        "beats": max((figure.beats for figure in rolling.measures), default=0),
    }


def _measure(figure: MeasureFigure) -> dict[str, Any]:
    """One measure, without what is not known of it."""
    measure = figure.measure
    found = {
        "label": measure.label,
        "group": measure.group,
        "foremost": measure.foremost or None,
        "digits": measure.digits,
        "usual": figure.usual,
        **figure.to_dict(),
    }
    return {name: value for name, value in found.items() if value is not None}
