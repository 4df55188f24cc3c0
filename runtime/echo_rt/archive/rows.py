"""The row of a recording in the table of an archive: the figures of its document, a column each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any

from echo_rt.archive.pairs import PREFIX, figure_columns
from echo_rt.outputs.folder import MASKS, OVERLAY
from echo_rt.reading import SEGMENTS

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "1"
"""Of the table: another number where a column changes its meaning."""

STAMP = b"echo_rt.table"
"""Under this name a part of the table holds `VERSION`."""

TEXT, NUMBER, COUNT, FLAG, TIME = "text", "number", "count", "true or false", "time, UTC"


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: with the unit.
        kind: one of `TEXT`, `NUMBER`, `COUNT`, `FLAG` and `TIME`.
        about: what it holds, for people.
    """

    name: str
    kind: str
    about: str


_RECORDING = (
    Column("recording", TEXT, "address of the recording, or its pseudonym"),
    Column("key", TEXT, "of the recording as it was, the model, the version and the options"),
    Column("study", TEXT, "digest of the study; recordings of one study have the same"),
    Column("status", TEXT, "ok, no-ef, skipped or failed"),
    Column("kind", TEXT, "kind of failure"),
    Column("reason", TEXT, "why there is no EF, or no result"),
    Column("attempts", COUNT, "how often it was tried"),
    Column("host", TEXT, "machine that followed it"),
    Column("seconds", NUMBER, "time that it took"),
    Column("finished_at", TIME, "when it was done"),
    Column("masks", TEXT, "name of masks.npz in RESULTS"),
    Column("overlay", TEXT, "name of overlay.mp4 in RESULTS"),
)

_SUMMARY = (
    Column("view", TEXT, "A4C or A2C"),
    Column("model", TEXT, "name and version of the model"),
    Column("engine", TEXT, "what ran the model"),
    Column("version", TEXT, "of echo-rt"),
    Column("frames", COUNT, "how many there are"),
    Column("fps", NUMBER, "frames a second"),
    Column("orientation", TEXT, "whether the frames were turned upside down"),
    Column("scale", TEXT, "header or ruler: where the size of a pixel is from"),
    Column("scale_error_percent", NUMBER, "of a scale read from the ruler on the screen"),
    Column("ef_percent", NUMBER, "ejection fraction"),
    Column("ef_low", NUMBER, "lower end of its 95 % interval"),
    Column("ef_high", NUMBER, "upper end of its 95 % interval"),
    Column("ef_method", TEXT, "what it is made of"),
    Column("ef_reason", TEXT, "why there is none, or why it is stale"),
    Column("fac_percent", NUMBER, "fractional area change"),
    Column("volume_unit", TEXT, "mL or px3"),
    Column("heart_rate_bpm", NUMBER, "by the beats that count"),
    Column("ecg_heart_rate_bpm", NUMBER, "by the ECG on the screen"),
    Column("rr_variation_percent", NUMBER, "how much the length of the beats varies"),
    Column("rhythm", TEXT, "regular or irregular"),
    Column("body_surface_m2", NUMBER, "by height and weight of the patient"),
    Column("spacing_note", TEXT, "why the scale is not known, or what is odd about it"),
)
"""Those that the summary has by the same name."""

_MADE = (
    Column("usable_frames_percent", NUMBER, "share of the frames that could be used"),
    Column("rejected_frames_reason", TEXT, "why most of the other frames could not be used"),
    Column("accepted_beats", COUNT, "beats that count"),
    Column("rejected_beats", COUNT, "beats that do not count"),
    Column("edv_ml", NUMBER, "end-diastolic volume"),
    Column("esv_ml", NUMBER, "end-systolic volume"),
    Column("edv_px3", NUMBER, "end-diastolic volume where the scale is not known"),
    Column("esv_px3", NUMBER, "end-systolic volume where the scale is not known"),
    Column("spacing_row_mm", NUMBER, "height of a pixel"),
    Column("spacing_column_mm", NUMBER, "width of a pixel"),
    Column("notes", TEXT, "what of the recording is not as it says"),
)

_PAIR = (
    Column(f"{PREFIX}ef_percent", NUMBER, "biplane ejection fraction of this and the other view of the study"),
    Column(f"{PREFIX}ef_low", NUMBER, "lower end of its 95 % interval"),
    Column(f"{PREFIX}ef_high", NUMBER, "upper end of its 95 % interval"),
    Column(f"{PREFIX}edv_ml", NUMBER, "biplane end-diastolic volume"),
    Column(f"{PREFIX}esv_ml", NUMBER, "biplane end-systolic volume"),
    Column(f"{PREFIX}pairs", COUNT, "pairs of beats that these are made of"),
    Column(f"{PREFIX}with", TEXT, "recording of the other view"),
    Column(f"{PREFIX}reason", TEXT, "why there is no biplane EF"),
    Column(f"{PREFIX}note", TEXT, "what may be wrong with the two views"),
)


@cache
def columns() -> tuple[Column, ...]:
    """All columns, in the order of the table."""
    from echo_rt.cardiac.measures.table import MEASURES

    labels = {measure.name: measure.label for measure in MEASURES}
    own = [Column(name, NUMBER, about) for name, about in _measures()]
    of_both = [Column(name, NUMBER, f"{labels[measure]}, of both views") for measure, name in figure_columns().items()]
    still = [
        Column(f"akinetic_{segment}", FLAG, "whether this segment of the wall does not move") for segment in SEGMENTS
    ]
    return (*_RECORDING, *_SUMMARY, *_MADE, *own, *still, *_PAIR, *of_both)


def _measures() -> Iterator[tuple[str, str]]:
    """The further measures by their names with the unit, in mm and in px where the scale decides; and what each is."""
    from echo_rt.cardiac.measures.table import MEASURES
    from echo_rt.chambers import Scale

    joined = set(figure_columns().values())
    for measure in MEASURES:
        for name in dict.fromkeys(measure.column(scale) for scale in Scale):
            if name not in joined:
                yield name, measure.label


@cache
def schema() -> pa.Schema:
    """The types of the table, with what each column holds."""
    import pyarrow as pa

    kinds = {
        TEXT: pa.string(),
        NUMBER: pa.float64(),
        COUNT: pa.int64(),
        FLAG: pa.bool_(),
        TIME: pa.timestamp("us", "UTC"),
    }
    fields = [pa.field(column.name, kinds[column.kind], metadata={"about": column.about}) for column in columns()]
    return pa.schema(fields, metadata={STAMP: VERSION.encode()})


def row_of(document: Mapping[str, Any], pair: Mapping[str, Any] | None) -> dict[str, Any]:
    """The row of a recording: every column, None where there is nothing.

    Args:
        document: of the recording; its summary may be None.
        pair: its biplane columns, see `echo_rt.archive.pairs.paired`.
    """
    summary = document.get("summary") or {}
    found = {column.name: document.get(column.name) for column in _RECORDING}
    found |= {"finished_at": _time(document.get("finished_at")), **_files(document.get("files") or ())}
    found |= {column.name: summary.get(column.name) for column in _SUMMARY}
    if summary:
        found |= _made(summary)
    found |= pair or {}
    return {column.name: _fitting(column.kind, found.get(column.name)) for column in columns()}


def _made(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What is made of several fields of a summary, or has another name there."""
    frames, rejected = summary["frames"], summary["rejected_frames"]
    accepted = sum(beat["accepted"] for beat in summary["beats"])
    volumes = {"mL": "ml", "px3": "px3"}.get(summary["volume_unit"])
    spacing_mm = summary["spacing_mm"] or (None, None)
    return {
        "usable_frames_percent": round(100 * (1 - sum(rejected.values()) / frames), 1) if frames else None,
        "rejected_frames_reason": max(rejected, key=rejected.__getitem__, default=None),
        "accepted_beats": accepted,
        "rejected_beats": len(summary["beats"]) - accepted,
        f"edv_{volumes}": summary["edv"],
        f"esv_{volumes}": summary["esv"],
        "spacing_row_mm": spacing_mm[0],
        "spacing_column_mm": spacing_mm[1],
        "notes": "; ".join(summary["notes"]) or None,
        **{name: figure["value"] for name, figure in summary["measures"].items()},
        **{f"akinetic_{segment}": motion["akinetic"] for segment, motion in (summary["wall"] or {}).items()},
    }


def _files(names: Iterator[str] | tuple[str, ...]) -> dict[str, str]:
    kinds = {MASKS: "masks", OVERLAY: "overlay"}
    return {kinds[file]: name for name in names if (file := name.rpartition("/")[2]) in kinds}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def _fitting(kind: str, found: Any) -> Any:
    if found is None:
        return None
    if kind == NUMBER:
        return float(found)
    # A path may have bytes that are no UTF-8; Python keeps them as signs that no file can hold.
    return found.encode("utf-8", "backslashreplace").decode() if kind == TEXT else found
