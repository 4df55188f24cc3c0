"""What a recording comes to: its beats, wall motion and rejections, gathered once, and the decisions on them."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

import numpy as np

from echo_rt.cardiac.verdict import DOUBTS
from echo_rt.chambers import Scale
from echo_rt.curves import Curves
from echo_rt.frame import Frame
from echo_rt.measures import Rolling
from echo_rt.reading import SEGMENTS, Beat, EjectionFraction, Reading, WallBeat
from echo_rt.result import ClipFigures, FrameCounts, Provenance, RecordingResult, ranked
from echo_rt.wall import SegmentMotion, Wall

NO_FRAMES = "no frames"
NO_BEATS = "no beat could be accepted in which the wall was seen"
NO_EF = "no EF, and so no word of the wall"
UNCALIBRATED = "uncalibrated: thickness is in pixels"
TWO_CHAMBERS = (
    "named for the four-chamber view; in this two-chamber view septal is the inferior and lateral the anterior wall"
)


class _Standing(NamedTuple):
    """The rolling figures of one moment."""

    ef: EjectionFraction
    figures: Rolling


class RecordingHistory:
    """Takes every reading of a recording and gives the result at its end. It keeps the beats, and some numbers
    a frame."""

    def __init__(self) -> None:
        self._times_s = (0.0, 0.0)  # of the first frame and of the last
        self._spacing_mm: tuple[float, float] | None = None
        self._standing = _Standing(EjectionFraction(None, None, None, 0, "", NO_FRAMES), Rolling())
        self._rolling: list[tuple[float, EjectionFraction]] = []
        self._beats: list[Beat] = []
        self._same_scale: list[bool] = []  # whether the beat's scale is that of the first frame
        self._wall_beats: list[WallBeat] = []
        self._rejected: Counter[str] = Counter()
        self._latency_ms = array("d")
        self._curves = Curves()

    def update(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame and what is known after it."""
        if not self._latency_ms:
            self._times_s, self._spacing_mm = (reading.t_s, reading.t_s), frame.spacing_mm
        self._times_s = (self._times_s[0], reading.t_s)
        self._latency_ms.append(reading.latency_ms)
        self._curves.take(reading)
        if reading.ef.percent is not None or self._standing.ef.percent is None or reading.ef.reason in DOUBTS:
            # The last figure stays, also where the recording goes on for long without a heart, unless its later beats
            # make it doubtful.
            self._standing = _Standing(reading.ef, reading.rolling)
        if not self._rolling or self._rolling[-1][1] != reading.ef:
            self._rolling.append((reading.t_s, reading.ef))
        if reading.beat is not None:
            self._beats.append(reading.beat)
            same = Scale.of(frame.spacing_mm) is Scale.of(self._spacing_mm)
            self._same_scale.append(same)
            if same and reading.beat.accepted and reading.beat.details.wall is not None:
                self._wall_beats.append(reading.beat.details.wall)
        if not reading.quality.ok:
            self._rejected[reading.quality.reason or "not ok"] += 1

    def result(
        self, provenance: Provenance, clip: ClipFigures | None = None, *, whole_clip: bool = False
    ) -> RecordingResult:
        """The result of the frames so far.

        Args:
            provenance: of the recording.
            clip: what `Monitor.clip_figures` says; it counts where no beat gave an EF.
            whole_clip: let it count in any case.
        """
        ef, figures = self._standing
        doubted = ef.percent is None
        reason = self._rolling[-1][1].reason if self._rolling else NO_FRAMES
        edv = esv = found = None
        if ef.percent is not None and not whole_clip:
            # The rolling figure stands on the last `beats` accepted ones; these volumes are theirs.
            known = zip(self._beats, self._same_scale, strict=True)
            if used := [beat for beat, same in known if same and beat.accepted][-ef.beats :]:
                edv, esv = median(beat.edv for beat in used), median(beat.esv for beat in used)
            ef = replace(ef, reason=reason)
        elif clip is not None and (extremes := clip.extremes) is not None:
            found, edv, esv = extremes, extremes.edv, extremes.esv
            figures = replace(figures, fac_percent=extremes.fac_percent)
            ef = EjectionFraction(extremes.ef_percent, None, None, 0, extremes.method)
        else:
            ef = EjectionFraction(
                None, None, None, 0, ef.method, self._with_frames((clip and clip.reason) or reason or "")
            )
        return RecordingResult(
            provenance=provenance,
            frames=self._frames(),
            ef=ef,
            figures=figures,
            edv=edv,
            esv=esv,
            beats=self._doubted_beats() if doubted else tuple(self._beats),
            rolling=tuple(self._rolling),
            extremes=found,
            wall=Wall(note=NO_EF) if doubted and self._wall_beats else wall_of(self._wall_beats, provenance.view),
            curves=self._curves,
        )

    def _doubted_beats(self) -> tuple[Beat, ...]:
        """The beats of a recording without an EF by beats: those that could be accepted do not count either."""
        doubts = [ef.reason for _, ef in self._rolling if ef.reason in DOUBTS]
        why = doubts[-1] if doubts else None
        return tuple(replace(beat, reason=beat.reason or why) for beat in self._beats)

    def _with_frames(self, reason: str) -> str:
        """Why there is no EF, and what most frames were, where most could not be used."""
        frames = len(self._latency_ms)
        if 2 * sum(self._rejected.values()) <= frames:
            return reason
        (most, count), *_ = self._rejected.most_common(1)
        return f"{reason}; {count} of {frames} frames: {most}"

    def _frames(self) -> FrameCounts:
        total, span_s = len(self._latency_ms), self._times_s[1] - self._times_s[0]
        names = ("p50", "p95", "p99", "max")
        latency_ms: dict[str, float | None] = dict.fromkeys(names)
        if total:
            found = np.percentile(np.frombuffer(self._latency_ms), (50, 95, 99, 100))
            latency_ms = dict(zip(names, map(float, found), strict=True))
        fps = (total - 1) / span_s if span_s > 0 else None
        return FrameCounts(total, ranked(self._rejected), fps, self._spacing_mm, latency_ms)


def akinetic_segments(beats: Sequence[WallBeat]) -> list[bool]:
    """For each of `SEGMENTS`, whether it did not move in more than half of the beats."""
    return [2 * sum(bool(beat.akinetic[n]) for beat in beats) > len(beats) for n in range(len(SEGMENTS))]


def wall_of(beats: Sequence[WallBeat], view: str | None) -> Wall:
    """What the accepted beats of a recording of that view say of its wall."""
    if not beats:
        return Wall(note=NO_BEATS)
    still, scale = akinetic_segments(beats), beats[-1].scale
    notes = [UNCALIBRATED] * (scale is Scale.PX) + [TWO_CHAMBERS] * (view == "A2C")
    segments = tuple(
        SegmentMotion(
            segment,
            motion_percent=_median([beat.motion_percent[n] for beat in beats]),
            thickening_percent=_median([beat.thickening_percent[n] for beat in beats]),
            strain_percent=_median([beat.strain_percent[n] for beat in beats]),
            speckle_motion_percent=_median([beat.speckle_motion_percent[n] for beat in beats]),
            thickness_ed=_median([beat.thickness_ed[n] for beat in beats]),
            scale=scale,
            akinetic=still[n],
            beats=sum(math.isfinite(beat.motion_percent[n]) for beat in beats),
        )
        for n, segment in enumerate(SEGMENTS)
    )
    return Wall(segments, "; ".join(notes) or None)


def _median(numbers: Sequence[float]) -> float | None:
    known = [float(number) for number in numbers if math.isfinite(number)]
    return median(known) if known else None
