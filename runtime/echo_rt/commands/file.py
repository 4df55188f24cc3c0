"""`echo-rt file`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echo_rt.commands.engine_options import Device, Model
from echo_rt.commands.exit_status import BAD_INPUT
from echo_rt.commands.patient import HeightCm, WeightKg, check_one_patient, patient_of

if TYPE_CHECKING:
    from echo_rt.commands.batch import Batch

_Roi = Annotated[
    str, typer.Option(help="auto finds the ultrasound on a scanner's screen; x,y,w,h sets it; none takes all.")
]
_Reports = Annotated[
    str, typer.Option(metavar="KINDS", help="Reports beside the other files, such as html,sr; needs --out.")
]
_Jobs = Annotated[
    int | None, typer.Option(min=1, show_default=False, help="Recordings side by side; by default as many as help.")
]
_KeepScreen = Annotated[bool, typer.Option(help="Show all of the screen in overlay.mp4.")]
_ReadScreen = Annotated[bool, typer.Option(help="Read the scale from the ruler on the screen, and the ECG.")]


def file(
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING...", help="DICOM cines, videos, folders, globs.")
    ],
    a2c: Annotated[
        str | None, typer.Option(metavar="A2C", help="Two-chamber view of the same heart, for biplane EF.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, one folder a recording; none are kept without it.")
    ] = None,
    model: Model = None,
    device: Device = "auto",
    ef_method: Annotated[
        str, typer.Option(help="What EF is made of: disks, area-length, area; area-extremes of the clip.")
    ] = "disks",
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, for images without a clock or to correct a wrong one.")
    ] = None,
    roi: _Roi = "auto",
    overlay: Annotated[bool, typer.Option(help="Write overlay.mp4.")] = True,
    keep_screen: _KeepScreen = False,
    read_screen: _ReadScreen = True,
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    report: _Reports = "",
    jobs: _Jobs = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summaries as JSON on standard output.")] = False,
) -> None:
    """Segment recordings: a mask for every frame, the beats, and the ejection fraction.

    \b
    Examples:
      echo-rt file clip.dcm --out results
      echo-rt file recordings/ --json > summaries.json
      echo-rt file a4c.dcm --a2c a2c.dcm --out results
      echo-rt file 'phantom:?ef=40&hr=75&seconds=5'
    """
    from echo_rt.commands.batch import Batch
    from echo_rt.commands.job import Opening, Options
    from echo_rt.errors import ParameterError
    from echo_rt.sources import find_recordings
    from echo_rt.sources.screen.roi import parse_roi

    found = [str(recording) for recording in find_recordings(recordings)]
    if a2c is not None and len(found) != 1:
        raise ParameterError(f"expected one A4C recording beside --a2c, found {len(found)}")
    reports = _reports(report, out)
    body = patient_of(height_cm, weight_kg)
    check_one_patient(body, len(found))
    parse_roi(roi)  # what is misspelt is said once
    batch = Batch(found, Options(out, a2c, ef_method, fps, overlay, roi, keep_screen, read_screen, body, reports))
    batch.run(Opening(model, device), jobs)
    batch.write_index()
    _print(batch, json)
    if batch.failed:
        raise typer.Exit(BAD_INPUT)


def _reports(kinds: str, out: Path | None) -> tuple[str, ...]:
    from echo_rt.errors import ParameterError
    from echo_rt.outputs.reports import check_reports

    reports = check_reports(filter(None, kinds.split(",")))
    if reports and out is None:
        raise ParameterError("expected --out DIR for --report, found none; name a folder for the results")
    return reports


def _print(batch: Batch, json: bool) -> None:
    if json:
        _print_json([result.to_dict() for result in batch.results])
        batch.print_elsewhere()
    else:
        batch.print_table()
    batch.print_failed()


def _print_json(found: Any) -> None:
    from echo_rt.outputs import as_json

    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(as_json(found, only_ascii=not utf8))
