"""One reading as plain fields, for JSON lines, snapshots and network messages."""

from __future__ import annotations

import math
from typing import Any

from echo_rt.frame import Frame
from echo_rt.reading import Beat, Reading


def reading_fields(frame: Frame, reading: Reading) -> dict[str, Any]:
    """What is known after a frame, ready for JSON. Times are exact, so that they can be read back; units stand in the
    names, and for lengths, area and volume in ``unit``."""
    ventricle, quality, ef = reading.ventricle, reading.quality, reading.ef
    return {
        "index": frame.index,
        "t_s": frame.t_s,
        "spacing_mm": None if frame.spacing_mm is None else list(frame.spacing_mm),
        "quality": "ok" if quality.ok else quality.reason or "not ok",
        "confidence": number(quality.confidence),
        "ef": {
            "percent": number(ef.percent),
            "low": number(ef.low),
            "high": number(ef.high),
            "beats": ef.beats,
            "method": ef.method,
            "reason": ef.reason,
            "stale": ef.stale,
        },
        "fac_percent": number(reading.fac_percent),
        "heart_rate_bpm": number(reading.heart_rate_bpm),
        "ventricle": None
        if ventricle is None
        else {
            "volume": number(ventricle.volume),
            "area": number(ventricle.area),
            "length": number(ventricle.length),
            "unit": ventricle.length_unit,
            "apex": ventricle.apex.tolist(),
            "hinges": ventricle.hinges.tolist(),
        },
        "beat": None if reading.beat is None else _beat(reading.beat),
        "time_ms": {name: round(ms, 3) for name, ms in reading.time_ms.items()},
    }


def _beat(beat: Beat) -> dict[str, Any]:
    names = ("t_ed_s", "t_es_s", "t_next_ed_s", "edv", "esv", "ef_percent", "fac_percent", "heart_rate_bpm")
    return {**{name: number(getattr(beat, name)) for name in names}, "accepted": beat.accepted, "reason": beat.reason}


def number(found: float | None) -> float | None:
    """A figure that JSON can hold: NaN and infinity are none."""
    return float(found) if found is not None and math.isfinite(found) else None
