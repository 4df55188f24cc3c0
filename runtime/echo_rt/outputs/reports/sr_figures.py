"""What a structured report says: every number of summary.json that it holds, with its code and its frames."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from echo_rt.outputs.reports import sr_codes
from echo_rt.outputs.reports.sr_codes import Facets, Term, facets, private
from echo_rt.reading import Beat
from echo_rt.result import RecordingResult

IRREGULAR_BEATS = 5
"""An irregular rhythm's EF is the mean of that many beats or more: `FEWEST` of `echo_rt.cardiac.rhythm`."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Frame numbers of the source, from 1 on, at ED and at ES of the beats that the figures stand on."""

    ed: tuple[int, ...] = ()
    es: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(sorted({*self.ed, *self.es}))

    def at(self, cycle: Term | None) -> tuple[int, ...]:
        """Those that a figure of that moment of the beat was made of."""
        return self.ed if cycle is sr_codes.ED else self.es if cycle is sr_codes.ES else self.all


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it is.

    Attributes:
        name: of the measure.
        label: for people, short.
        value: as it stands in summary.json.
        unit: one of `sr_codes.UNITS`.
        code: of the concept.
        core: whether the code says all, so that it needs no facets (CID 12300 and 12309).
        facets: what it is of.
        method: how it was measured; None where the code says so.
        derivation: how many beats became one number; None for one sample.
        view: in which it was measured; None for both, and where it is not known.
        frames: of the source, from 1 on.
    """

    name: str
    label: str
    value: float
    unit: str
    code: Term
    core: bool
    facets: Facets
    method: Term | None = None
    derivation: Term | None = None
    view: str | None = None
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one recording, or of two views together.

    Attributes:
        title: for people.
        recording: whose frames are meant.
        figures: that have a number.
        remarks: what a reader must know of them, such as why there is no EF.
    """

    title: str
    recording: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...]


def sections(result: RecordingResult, frames: Sequence[tuple[float, int]]) -> list[Section]:
    """The figures of a result; with two views those of both together, then of each.

    Where two views gave no EF, nothing of the second is said: it may be of another patient.

    Args:
        frames: time in seconds and number from 0 on of every frame of the recording, in the order of time.
    """
    found, moments = result.to_dict(), _moments(result, frames)
    first = _section(result, found, moments)
    if (views := result.two_views) is None or result.ef.percent is None:
        return [first]
    # The measures beside EF and its volumes are those of the whole, and are not said twice.
    alone = _section(views.a4c, found["a4c"], _moments(views.a4c, frames), further=False)
    return [first, alone, _section(views.a2c, found["a2c"], Moments(), further=False)]


def _section(result: RecordingResult, found: dict[str, Any], moments: Moments, further: bool = True) -> Section:
    figures = _of_ventricle(result, found)
    if further:
        figures += _of_beats(result, found)
    told = tuple(replace(figure, frames=moments.at(figure.facets.cycle)) for figure in figures)
    view = "Biplane, A4C and A2C" if result.two_views else result.provenance.view or "Apical view"
    return Section(view, result.provenance.recording, told, tuple(_remarks(found)))


def _of_ventricle(result: RecordingResult, found: dict[str, Any]) -> list[Figure]:
    """EF with its interval, EDV and ESV."""
    volumes_by = _volumes_by(result)
    by_disks = volumes_by != "area-length"
    by_area = result.ef.method in ("area", "area-extremes")
    codes = sr_codes.volumes_by_disks("biplane" if result.two_views else result.provenance.view) if by_disks else {}
    view = None if result.two_views else result.provenance.view
    median = sr_codes.MEDIAN if result.ef.beats > 1 else None
    irregular = result.figures.irregular and result.ef.beats >= IRREGULAR_BEATS
    volume_method = sr_codes.METHODS[volumes_by]
    ef_method = sr_codes.METHODS["area"] if by_area else volume_method
    made = []

    def add(name: str, label: str, key: str, unit: str, core: Term | None, other: Term, over: Term | None) -> None:
        if (value := found[key]) is not None:
            of, method = facets(name), ef_method if name.startswith("ef") else volume_method
            code = core or other
            made.append(Figure(name, label, value, unit, code, core is not None, of, method, over, view))

    named = private("ef_area", "Fractional area change, reported as EF") if by_area else sr_codes.EF_BY_ULTRASOUND
    core = None if by_area else codes.get("ef")
    add("ef", "EF", "ef_percent", "%", core, named, sr_codes.MEAN if irregular else median)
    for key, words in (
        ("ef_low", "EF, lower end of its 95 % interval"),
        ("ef_high", "EF, upper end of its 95 % interval"),
    ):
        add(key, f"EF {key[3:]}", key, "%", None, private(key, words), None)
    unit = found["volume_unit"]
    for name in ("edv", "esv"):
        # In pixels it must not pass for a volume.
        core = codes.get(name) if unit == "mL" else None
        named = private(f"{name}_{'px3' if unit == 'px3' else 'ml'}", f"{name.upper()} by {volume_method.meaning}")
        add(name, name.upper(), name, unit or "mL", core, named, median)
    return made


def _volumes_by(result: RecordingResult) -> str:
    """The method of the volumes: ``disks``, ``area-length`` or ``biplane``."""
    if result.two_views is not None:
        return "biplane"
    asked = result.rolling[-1][1].method if result.rolling else result.ef.method
    return "area-length" if asked == "area-length" else "disks"


def _of_beats(result: RecordingResult, found: dict[str, Any]) -> list[Figure]:
    """Heart rate, FAC and every further measure."""
    several = sr_codes.MEDIAN if result.ef.beats > 1 else None
    made = []
    for name, label, key, unit, code in (
        ("heart_rate", "HR", "heart_rate_bpm", "bpm", sr_codes.HEART_RATE),
        ("fac", "FAC", "fac_percent", "%", private("fac", "LV fractional area change")),
    ):
        if found[key] is not None:
            made.append(Figure(name, label, found[key], unit, code, False, facets(name), None, several))
    biplane = result.two_views is not None
    for one in result.figures.measures:
        told, name, view = found["measures"][one.name], one.measure.name, one.measure.view
        of_another = biplane and result.ef.percent is None and view == "A2C"
        if told["value"] is None or of_another:
            continue
        if view is None and not biplane:
            view = result.provenance.view
        over = sr_codes.MEAN if result.figures.irregular else sr_codes.MEDIAN
        derivation = over if one.spread is not None and one.beats > 1 else None
        core = _core(name, "A4C" if biplane else result.provenance.view, biplane)
        code = core or sr_codes.CODED.get(name) or private(name, one.measure.label)
        made.append(
            Figure(name, one.measure.label, told["value"], told["unit"], code, core is not None, facets(name), None,
                   derivation, view)
        )  # fmt: skip
    return made


def _core(name: str, view: str | None, biplane: bool) -> Term | None:
    """The code that says all of a measure; None where there is none."""
    if name == "lav_max":
        return sr_codes.ATRIUM_BY_DISKS.get(view or "")
    if biplane and name in sr_codes.BIPLANE_INDICES:
        return sr_codes.BIPLANE_INDICES[name]
    return sr_codes.CORE_STRAIN.get(name)


def _remarks(found: dict[str, Any]) -> list[str]:
    """Why there is no EF, what its interval is, and what else a reader must know."""
    ef, low, high = (found[name] for name in ("ef_percent", "ef_low", "ef_high"))
    said = []
    if ef is None:
        said.append(f"No ejection fraction: {found['ef_reason'] or 'not measured'}")
    else:
        if low is not None:
            said.append(f"Ejection fraction {ef} %, 95 % interval {low} to {high} %, by {found['ef_method']}")
        if found["ef_reason"]:
            said.append(f"Ejection fraction: {found['ef_reason']}")
    if found["edv"] is not None and found["volume_unit"] != "mL":
        said.append("The size of a pixel is not known: volumes are not in mL")
    if (biplane := found.get("biplane")) is not None:
        said += [*filter(None, [biplane["volume_note"]]), *biplane["doubts"]]
    return said


def _moments(result: RecordingResult, frames: Sequence[tuple[float, int]]) -> Moments:
    """The frames at ED and ES of what the EF stands on."""
    if result.extremes is not None:
        times = [(result.extremes.t_ed_s, result.extremes.t_es_s)]
    else:
        times = [(beat.t_ed_s, beat.t_es_s) for beat in _used(result)]
    if not times or not frames:
        return Moments()
    ed, es = ({_frame(t_s, frames) for t_s in ends} for ends in zip(*times, strict=True))
    return Moments(tuple(sorted(ed)), tuple(sorted(es)))


def _used(result: RecordingResult) -> list[Beat]:
    if result.two_views is not None:
        return [pair.a4c for pair in result.two_views.biplane.beats]
    accepted = [beat for beat in result.beats if beat.accepted]
    return accepted[-result.ef.beats :] if result.ef.beats else []


def _frame(t_s: float, frames: Sequence[tuple[float, int]]) -> int:
    """The number, from 1 on, of the frame nearest in time."""
    place = bisect_left(frames, (t_s,))
    near = frames[max(0, place - 1) : place + 1]
    return 1 + min(near, key=lambda frame: abs(frame[0] - t_s))[1]
