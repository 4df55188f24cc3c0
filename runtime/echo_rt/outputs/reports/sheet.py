"""What a page says of a recording, ready for its template. Every number is one of summary.json."""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

from echo_rt.errors import printable
from echo_rt.measures import MeasureFigure, Normal
from echo_rt.outputs.notes import recording_notes
from echo_rt.outputs.panel import METHODS
from echo_rt.outputs.reports.beat_list import beat_list
from echo_rt.outputs.reports.bulls_eye import segments, walls
from echo_rt.outputs.reports.numbers import VOLUME_DIGITS, Number, number
from echo_rt.reading import AREA_EXTREMES
from echo_rt.result import RecordingResult

BOUNDS = (40, 50)
"""EF between which the guideline for heart failure (ESC 2021) draws its lines; they are marked on the bar."""


class Fact(NamedTuple):
    """A line beside EF: what it is, its number or its words, and a remark."""

    label: str
    number: Number | None = None
    words: str = ""
    remark: str = ""


class Row(NamedTuple):
    """A further measure that has a figure; `outside` says on which side of the usual range it is, if it is."""

    label: str
    number: Number
    spread: Number | None
    usual: str
    outside: str


def sheet(result: RecordingResult, name: str) -> dict[str, Any]:
    """What the template of a page is filled with, but for the pictures and the drawing over time.

    Args:
        result: of the recording.
        name: of the recording, as a title.
    """
    told, known = result.to_dict(), result.ef.percent is not None
    return {
        "title": printable(name),
        "told": told,
        "known": known,
        "view": view_of(result),
        "ef": {key: number(told, key, 1, "%") for key in ("ef_percent", "ef_low", "ef_high")},
        "method": METHODS.get(result.ef.method, result.ef.method),
        "reason": printable(result.ef.reason or ("" if known else "no frames")),
        "bounds": BOUNDS,
        "sure": sure(result, told) if known else [],
        "facts": facts(result, told) if known else [],
        "views": _views(result, told) if known else [],
        "groups": halved(measured(result, told)) if known else [],
        "unmeasured": unmeasured(result) if known else [],
        "how": "mean" if result.figures.irregular else "median",
        "segments": segments(result, told) if known else [],
        "walls": walls(result, told) if known else [],
        "still": any(segment.akinetic for view in _of_views(result) for segment in view[1].wall.segments),
        "wall_note": printable(result.wall.note or ""),
        "beats": beat_list(result, told),
        "frames": _frames(result),
        "notes": [printable(note) for note in _notes(result)],
        "source": source(result),
    }


def view_of(result: RecordingResult) -> str:
    """In which view the heart was seen, for people."""
    if result.two_views is not None:
        return "apical four- and two-chamber views"
    names = {"A4C": "apical four-chamber view", "A2C": "apical two-chamber view"}
    return names.get(result.provenance.view or "", "view not known, taken for the apical four-chamber one")


def sure(result: RecordingResult, told: dict[str, Any]) -> list[str]:
    """How sure EF is, in words, beside its interval."""
    ef, low, high = result.ef, told["ef_low"], told["ef_high"]
    if low is None or high is None:
        what = "area" if ef.method == AREA_EXTREMES else "volume"
        why = "" if result.beats else " There is no whole beat in it."
        return [f"No interval: EF is made of the clip's largest and smallest {what}.{why}"]
    inside = [f"{bound} %" for bound in BOUNDS if low < bound < high]
    if inside:
        side = f"It is not sure on which side of {' and of '.join(inside)} it is."
    else:
        where = "below 40" if high <= BOUNDS[0] else "above 50" if low >= BOUNDS[1] else "from 40 to 50"
        side = f"All of this is {where} %."
    how = "mean" if result.figures.irregular else "median"
    one, several = ("pair of beats", "pairs of beats") if result.two_views else ("beat", "beats")
    stands = f"of a single {one}" if ef.beats == 1 else f"the {how} of the last {ef.beats} {several} that count"
    return [side, f"EF is {stands}."]


def facts(result: RecordingResult, told: dict[str, Any]) -> list[Fact]:
    """What stands beside EF: volumes, heart rate, rhythm, and how many beats count; then the foremost measures."""
    unit = told["volume_unit"]
    remark = "uncalibrated" if unit == "px3" else ""
    found = [
        Fact(label, number(told, key, VOLUME_DIGITS.get(unit, 0), unit or ""), remark=remark)
        for label, key in (("EDV", "edv"), ("ESV", "esv"))
    ]
    found.append(Fact("Fractional area change", number(told, "fac_percent", 1, "%")))
    ecg = number(told, "ecg_heart_rate_bpm", 1)
    by_ecg = f"{ecg.text} by the ECG" if ecg else ""
    found.append(Fact("Heart rate", number(told, "heart_rate_bpm", 1, "bpm"), remark=by_ecg))
    if (varied := number(told, "rr_variation_percent", 1)) is not None:
        remark = f"beats vary in length by {varied.text} %"
        found.append(Fact("Rhythm", words=("⚠ " if result.figures.irregular else "") + told["rhythm"], remark=remark))
    for row, figure in _rows(result, told):
        if figure.measure.foremost:
            found.append(Fact(row.label, row.number, remark=row.outside and f"{row.outside}, usual {row.usual}"))
    if (surface := number(told, "body_surface_m2", 2, "m²")) is not None:
        found.append(Fact("Body surface", surface))
    return [fact for fact in found if fact.number is not None or fact.words]


def usual(normal: Normal | None) -> str:
    """The usual range, for people; empty where none is known."""
    if normal is None:
        return ""
    low, high = (None if end is None else f"{end:g}".replace("-", "−") for end in (normal.low, normal.high))
    return f"≤ {high}" if low is None else f"≥ {low}" if high is None else f"{low} to {high}"


def _rows(result: RecordingResult, told: dict[str, Any]) -> list[tuple[Row, MeasureFigure]]:
    """The measures that have a figure."""
    found = []
    for figure in result.figures.in_view(result.provenance.view):
        key, digits = f"measures.{figure.name}", figure.measure.digits
        if (value := number(told, f"{key}.value", digits, figure.unit)) is None:
            continue
        spread = number(told, f"{key}.spread", digits + 1)
        outside = ""
        if figure.usual is False and figure.normal is not None and figure.value is not None:
            low = figure.normal.low
            outside = "▼ below" if low is not None and figure.value < low else "▲ above"
        found.append((Row(figure.measure.label, value, spread, usual(figure.normal), outside), figure))
    return found


def measured(result: RecordingResult, told: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    """The measures that have a figure, by group."""
    by_group = groupby(_rows(result, told), key=lambda one: one[1].measure.group)
    return [(group, [row for row, _ in rows]) for group, rows in by_group]


def halved(groups: list[tuple[str, list[Row]]]) -> list[list[tuple[str, list[Row]]]]:
    """The groups in one or two columns of about the same height, in their order."""
    high = [2 + len(rows) for _, rows in groups]
    cut = min(range(len(groups) + 1), key=lambda n: max(sum(high[:n]), sum(high[n:])))
    return [column for column in (groups[:cut], groups[cut:]) if column]


def unmeasured(result: RecordingResult) -> list[tuple[str, list[str]]]:
    """Why measures have no figure, and which."""
    reasons: dict[str, list[str]] = {}
    for figure in result.figures.in_view(result.provenance.view):
        if figure.value is None:
            reasons.setdefault(printable(figure.reason or "not known"), []).append(figure.measure.label)
    return list(reasons.items())


def _views(result: RecordingResult, told: dict[str, Any]) -> list[tuple[str, list[Number | None]]]:
    """What each of two views says alone: EF, its interval, volumes and heart rate."""
    if result.two_views is None:
        return []
    rows = []
    for view in ("a4c", "a2c"):
        unit = told[view]["volume_unit"]
        keys = [
            *((key, 1, "%") for key in ("ef_percent", "ef_low", "ef_high")),
            *((key, VOLUME_DIGITS.get(unit, 0), unit) for key in ("edv", "esv")),
            ("heart_rate_bpm", 1, "bpm"),
        ]
        rows.append((view.upper(), [number(told, f"{view}.{key}", digits, unit) for key, digits, unit in keys]))
    return rows


def _frames(result: RecordingResult) -> list[tuple[str, int, dict[str, int]]]:
    """Of each view its name, how many frames there are, and how many could not be used, by reason."""
    return [
        (name, view.frames.total, {printable(reason): count for reason, count in view.frames.rejected.items()})
        for name, view in _of_views(result)
    ]


def _of_views(result: RecordingResult) -> list[tuple[str, RecordingResult]]:
    """The recordings that a result is made of, by the name of their view; of one recording that has no name."""
    views = result.two_views
    return [("", result)] if views is None else [("A4C", views.a4c), ("A2C", views.a2c)]


def _notes(result: RecordingResult) -> list[str]:
    if (views := result.two_views) is None:
        line = result.provenance.ef_calibration
        said = [] if line is None else [f"EF calibrated by the model: {line[0]:.2f} x measured {line[1]:+.1f}"]
        return [*(said if result.ef.percent is not None else []), *recording_notes(result.provenance)]
    of_views = [f"{name}: {note}" for name, view in _of_views(result) for note in recording_notes(view.provenance)]
    return [*views.biplane.doubts, *([views.biplane.volume_note] if views.biplane.volume_note else []), *of_views]


def source(result: RecordingResult) -> list[tuple[str, str]]:
    """Where the figures come from."""
    made, told = result.provenance, result.to_dict()
    spacing, error = told["spacing_mm"], told["scale_error_percent"]
    scale = "not known: volumes and lengths are in pixels"
    if spacing is not None:
        scale = f"{spacing[0]:.4g} x {spacing[1]:.4g} mm a pixel, from the {told['scale']}"
        scale += "" if error is None else f", within {error} %"
    fps = "" if told["fps"] is None else f", {told['fps']:g} a second"
    lines = [
        ("Recording", made.recording),
        *([("A2C recording", result.two_views.a2c.provenance.recording)] if result.two_views else []),
        ("Recording id", made.recording_id),
        ("Frames", f"{told['frames']}{fps}"),
        ("Scale", scale),
        ("Model", made.model),
        ("Engine", made.engine),
        ("Version", f"echo-rt {made.version}"),
    ]
    return [(label, printable(text)) for label, text in lines]
