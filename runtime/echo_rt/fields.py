"""Beats and readings as plain fields with the unit in the name: the one serialiser of every output."""

from __future__ import annotations

import math
from typing import Any

from echo_rt.chambers import Scale
from echo_rt.measures import Rolling
from echo_rt.reading import SEGMENTS, Beat, Reading

BEAT_FIELDS = (
    *("t_ed_s", "t_es_s", "t_next_ed_s", "edv", "esv", "eda", "esa"),
    *("ef_percent", "fac_percent", "heart_rate_bpm", "accepted", "reason"),
)
"""The names that `beat_fields` gives."""

LEFT_OUT = ("index", "t_s", "ef_method", "ef_reason", "beat")
"""Of `reading_fields`: what stands in the first columns of a row, in the last ones, or in summary.json."""


def exact(number: float | None) -> float | None:
    """A figure that JSON can hold: NaN and infinity are none."""
    return float(number) if number is not None and math.isfinite(number) else None


def rounded(number: float | None, digits: int) -> float | None:
    """With so many digits behind the point; NaN and infinity are none."""
    return None if (known := exact(number)) is None else round(known, digits)


def significant(number: float | None) -> float | None:
    """With six digits: volumes are some 100 mL or some 10 000 000 px³."""
    return None if (known := exact(number)) is None else float(f"{known:.6g}")


def beat_fields(beat: Beat) -> dict[str, Any]:
    """One beat, ready for JSON; without the disks, which a second view alone needs."""
    return {
        "t_ed_s": rounded(beat.t_ed_s, 4),
        "t_es_s": rounded(beat.t_es_s, 4),
        "t_next_ed_s": rounded(beat.t_next_ed_s, 4),
        "edv": significant(beat.edv),
        "esv": significant(beat.esv),
        "eda": significant(beat.eda),
        "esa": significant(beat.esa),
        "ef_percent": rounded(beat.ef_percent, 1),
        "fac_percent": rounded(beat.fac_percent, 1),
        "heart_rate_bpm": rounded(beat.heart_rate_bpm, 1),
        "accepted": beat.accepted,
        "reason": beat.reason,
    }


def measure_fields(figures: Rolling, scale: Scale) -> dict[str, float | None]:
    """The rolling figures of all further measures, by name with the unit; None where there is none.

    Args:
        figures: of a reading.
        scale: in what lengths they are named; figures of the other kind are None.
    """
    return {
        figure.measure.column(scale): exact(figure.value) if figure.scale is scale else None
        for figure in figures.measures
    }


def reading_fields(reading: Reading, scale: Scale) -> dict[str, Any]:
    """One reading, ready for JSON, its figures exact so that they can be read back.

    Args:
        reading: its time stages are left out.
        scale: in what lengths, areas and volumes are named; measures of the other kind are None.
    """
    ef, quality = reading.ef, reading.quality
    return {
        "index": reading.index,
        "t_s": reading.t_s,
        "quality": "ok" if quality.ok else quality.reason or "not ok",
        "confidence": exact(quality.confidence),
        **_ventricle_fields(reading, scale),
        **_atrium_fields(reading, scale),
        **_wall_fields(reading, scale),
        "ef_percent": exact(ef.percent),
        "ef_low": exact(ef.low),
        "ef_high": exact(ef.high),
        "ef_beats": ef.beats,
        "ef_stale": ef.stale,
        "ef_method": ef.method,
        "ef_reason": ef.reason,
        "fac_percent": exact(reading.fac_percent),
        "heart_rate_bpm": exact(reading.heart_rate_bpm),
        "beat": None if reading.beat is None else beat_fields(reading.beat),
    }


def row_fields(reading: Reading, scale: Scale) -> dict[str, Any]:
    """One reading as a row of readings.csv, its figures exact; the time of each stage is left out."""
    figures = {**reading_fields(reading, scale), **measure_fields(reading.rolling, scale)}
    for name in LEFT_OUT:
        del figures[name]
    return {"frame": reading.index, "t_s": reading.t_s, **figures, "beat": _verdict(reading.beat)}


def _verdict(beat: Beat | None) -> str:
    return "" if beat is None else "accepted" if beat.accepted else beat.reason or "rejected"


def _ventricle_fields(reading: Reading, scale: Scale) -> dict[str, float | None]:
    length, area, volume = scale.length, scale.area, scale.volume.lower()
    names = (
        f"area_{area}",
        f"length_{length}",
        f"volume_{volume}",
        f"volume_area_length_{volume}",
        f"endocardium_{length}",
    )
    points = [f"{point}_{axis}_px" for point in ("apex", "hinge1", "hinge2") for axis in "xy"]
    found = reading.ventricle
    if found is None:
        return dict.fromkeys((*names, *points))
    measures = (found.area, found.length, found.volume, found.volume_area_length, found.endocardium)
    places = (*found.apex, *found.hinges[0], *found.hinges[1])
    known = found.scale is scale
    return {name: exact(number) if known else None for name, number in zip(names, measures, strict=True)} | {
        name: exact(number) for name, number in zip(points, places, strict=True)
    }


def _atrium_fields(reading: Reading, scale: Scale) -> dict[str, float | None]:
    """The atrium's volume by disks, where it is to be trusted."""
    atrium, name = reading.atrium, f"atrium_volume_{scale.volume.lower()}"
    whole = atrium is not None and atrium.reason is None and atrium.scale is scale
    return {name: exact(atrium.volume) if atrium is not None and whole else None}


def _wall_fields(reading: Reading, scale: Scale) -> dict[str, float | None]:
    names = [f"displacement_{segment}_{scale.length}" for segment in SEGMENTS]
    if reading.wall is None or reading.wall.scale is not scale:
        return dict.fromkeys(names)
    return {name: exact(shift) for name, shift in zip(names, reading.wall.displacement, strict=True)}
