"""Recordings that were followed one after the other, taken together: two views of one heart, or one alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.engine import Engine
    from echo_rt.result import Biplane, RecordingResult


def together(followed: list[tuple[RecordingResult, ViewEvidence]], engine: Engine) -> list[RecordingResult]:
    """Those of the recordings; of two that of the first tells of both."""
    from echo_rt.cardiac.biplane import biplane, no_biplane
    from echo_rt.cardiac.ejection_fraction import error_points
    from echo_rt.cardiac.two_views import doubts, why_not

    if len(followed) == 1:
        return [followed[0][0]]
    (a4c, one), (a2c, other) = followed
    if (reason := why_not(one, other)) is not None:
        return [_two_views(a4c, a2c, no_biplane(reason)), a2c]
    known = (a4c.frames.scale.calibrated, a2c.frames.scale.calibrated)
    beats = [beat for beat in (*a4c.beats, *a2c.beats) if beat.accepted]
    error = error_points(engine.spec, "biplane", beats)
    found = biplane(a4c.beats, a2c.beats, calibrated=known, error_points=error)
    return [_two_views(a4c, a2c, replace(found, doubts=doubts(one, other))), a2c]


def _two_views(a4c: RecordingResult, a2c: RecordingResult, found: Biplane) -> RecordingResult:
    from echo_rt.cardiac.measures.two_views import joined

    return a4c.with_second_view(a2c, found, joined(a4c.figures, a2c.figures, found))
