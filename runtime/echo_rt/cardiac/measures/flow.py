"""How fast the ventricle ejects and fills, from the slope of its volume curve.

Rates are in end-diastolic volumes a second, so that they need no scale (Bonow et al., Circulation 64:308-315, 1981).
"""

from __future__ import annotations

from functools import partial

from echo_rt.cardiac.measures.beat_samples import BeatSamples, Peak
from echo_rt.measures import Measure, Normal, Unknown

SOURCE = "Bonow et al., Circulation 64:308-315, 1981"

MIN_RATE_FPS = 30.0
"""Frames a second from which on rates are told."""


def peak(beat: BeatSamples, filling: bool) -> Peak:
    """The steepest fall of the volume in ejection, or its steepest rise in early filling."""
    if beat.fps < MIN_RATE_FPS:
        raise Unknown(f"needs {MIN_RATE_FPS:.0f} frames a second, found {beat.fps:.0f}")
    one = beat.beat
    if filling:
        return beat.steepest(beat.volume, one.t_es_s, beat.kick_begins_s)
    return beat.steepest(-beat.volume, one.t_ed_s, one.t_es_s)


def rate(beat: BeatSamples, filling: bool) -> float:
    """In EDV a second."""
    return peak(beat, filling).rate / beat.beat.edv


def time_ms(beat: BeatSamples, filling: bool) -> float:
    """From ED, or of filling from ES."""
    return 1e3 * (peak(beat, filling).t_s - (beat.beat.t_es_s if filling else beat.beat.t_ed_s))


MEASURES = (
    Measure("per", "Peak ejection rate, per EDV", "1/s", 2, SOURCE, partial(rate, filling=False), "Flow"),
    Measure(
        "pfr",
        "Peak filling rate, per EDV",
        "1/s",
        2,
        SOURCE,
        partial(rate, filling=True),
        "Flow",
        Normal(2.5, None, SOURCE),
    ),
    Measure("time_to_per", "ED to peak ejection", "ms", 0, SOURCE, partial(time_ms, filling=False), "Flow"),
    Measure(
        "time_to_pfr",
        "ES to peak filling",
        "ms",
        0,
        SOURCE,
        partial(time_ms, filling=True),
        "Flow",
        Normal(None, 180.0, SOURCE),
    ),
)
