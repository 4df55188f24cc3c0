"""Results for whoever looks at them in a notebook: a table with its curve, the figure of curve.png, and data frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from echo_rt.chambers import Scale
from echo_rt.errors import MissingExtraError, ParameterError, printable
from echo_rt.fields import BEAT_FIELDS, beat_fields, row_fields
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from echo_rt.curves import Curves

WIDE, HIGH, POINTS = 320, 80, 320
"""Of the curve in a table, in pixels, and how many points it has at most."""


def plot(result: RecordingResult) -> Figure:
    """The figure of ``curve.png``; ``plot(result).savefig("curve.pdf")`` keeps it.

    Raises:
        ParameterError: the result is not one of `process`, and has no curve.
    """
    from echo_rt.outputs.fonts import quiet

    shown = result.single_plane
    if shown.curves is None:
        raise ParameterError("expected a result of echo_rt.process, found one without the volume of each frame")
    with quiet():
        from echo_rt.outputs.curve_figure import make_figure

        return make_figure(shown.provenance.recording, shown.curves, shown)


def to_dataframe(what: RecordingResult | Iterable[Reading]) -> pandas.DataFrame:
    """A table for pandas: of a result a row for each beat, of readings a row for each frame.

    Args:
        what: a result, as `RecordingResult.to_dict` gives its beats; or readings, as readings.csv has them, but exact
            and without the time of each stage.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingExtraError("a data frame", "pandas") from None
    if isinstance(what, RecordingResult):
        return pandas.DataFrame([beat_fields(beat) for beat in what.beats], columns=BEAT_FIELDS)
    return pandas.DataFrame(_rows(what))


def _rows(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """A row for each reading, in the units of the first one that has any."""
    scale: Scale | None = None
    waiting: list[Reading] = []  # until it is known in what units
    rows: list[dict[str, Any]] = []
    for reading in readings:
        waiting.append(reading)
        if scale is None and reading.ventricle is not None:
            scale = reading.ventricle.scale
        if scale is not None:
            rows += [row_fields(each, scale) for each in waiting]
            waiting = []
    return rows + [row_fields(each, Scale.PX) for each in waiting]


def as_html(what: RecordingResult | Reading) -> str:
    """A small table for a notebook; whatever a file says is escaped."""
    if isinstance(what, Reading):
        return _table(f"frame {what.index} at {what.t_s:.3f} s", _reading_rows(what))
    svg = "" if what.single_plane.curves is None else _curve(what.single_plane.curves)
    return _table(what.provenance.recording, _result_rows(what), svg)


def _result_rows(result: RecordingResult) -> Sequence[tuple[str, str]]:
    unit, frames = result.volume_unit or "", result.frames
    rows = [
        ("EF", _ef(result.ef.percent, result.ef.low, result.ef.high, result.ef.reason)),
        ("EDV, ESV", ", ".join(_number(volume, unit) for volume in (result.edv, result.esv))),
        ("heart rate", _number(result.heart_rate_bpm, "bpm")),
        ("beats", f"{result.accepted_beats} of {len(result.beats)} count"),
        ("frames", f"{frames.total}, of which {sum(frames.rejected.values())} were not used"),
        ("model", result.provenance.model),
    ]
    return [*rows, *(("note", note) for note in result.provenance.notes)]


def _reading_rows(reading: Reading) -> Sequence[tuple[str, str]]:
    ef, found = reading.ef, reading.ventricle
    volume = "-" if found is None else _number(found.volume, found.scale.volume)
    return [
        ("frame", "usable" if reading.quality.ok else f"not used: {reading.quality.reason}"),
        ("LV volume", volume),
        ("EF", _ef(ef.percent, ef.low, ef.high, ef.reason)),
        ("heart rate", _number(reading.heart_rate_bpm, "bpm")),
    ]


def _ef(percent: float | None, low: float | None, high: float | None, reason: str | None) -> str:
    if percent is None:
        return f"none: {reason}"
    interval = "" if low is None or high is None else f" ({low:.0f}-{high:.0f})"
    return f"{percent:.0f} %{interval}" + (f", {reason}" if reason else "")


def _number(number: float | None, unit: str) -> str:
    return "-" if number is None else f"{number:,.0f} {unit}".strip()


def _table(title: str, rows: Sequence[tuple[str, str]], below: str = "") -> str:
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(printable(name))}</th>'
        f'<td style="text-align:left">{escape(printable(said))}</td></tr>'
        for name, said in rows
    )
    return f"<table><caption>{escape(printable(title))}</caption><tbody>{cells}</tbody></table>{below}"


def _curve(curves: Curves) -> str:
    """The volume of each frame over time, as a line that breaks where a frame has none."""
    step = max(1, -(-len(curves.t_s) // POINTS))
    points = list(zip(curves.t_s[::step], curves.volume[::step], strict=True))
    known = [v for _, v in points if v == v]  # NaN is not itself
    if len(known) < 2 or curves.t_s[-1] <= curves.t_s[0]:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    across, along = WIDE / (curves.t_s[-1] - curves.t_s[0]), HIGH / span
    path, pen = "", "M"
    for t, v in points:
        if v != v:
            pen = "M"
            continue
        path += f"{pen}{(t - curves.t_s[0]) * across:.1f} {HIGH - (v - low) * along:.1f}"
        pen = "L"
    return (
        f'<svg role="img" aria-label="LV volume over time" width="{WIDE}" height="{HIGH}" '
        f'viewBox="0 -2 {WIDE} {HIGH + 4}">'
        f'<path d="{path}" fill="none" stroke="#3b7dd8" stroke-width="1.5"/></svg>'
    )
