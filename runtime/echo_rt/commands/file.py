"""`echo-rt file`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from echo_rt.commands.exit_status import BAD_INPUT


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
    model: Annotated[
        str | None, typer.Option(help="A shipped model's name or an .onnx file; see `echo-rt models`.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs; see `echo-rt doctor`.")] = "auto",
    ef_method: Annotated[
        str, typer.Option(help="What EF is made of: disks, area-length, area; area-extremes of the clip.")
    ] = "disks",
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, for images without a clock or to correct a wrong one.")
    ] = None,
    overlay: Annotated[bool, typer.Option(help="Write overlay.mp4.")] = True,
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
    from echo_rt.commands.batch import Batch, Options
    from echo_rt.engine import open_engine
    from echo_rt.errors import ParameterError
    from echo_rt.outputs import as_json
    from echo_rt.sources import find_recordings

    found = find_recordings(recordings)
    if a2c is not None and len(found) != 1:
        raise ParameterError(f"expected one A4C recording beside --a2c, found {len(found)}")
    with open_engine(model, device) as engine:
        batch = Batch(engine, Options(out, a2c, ef_method, fps, overlay))
        for recording in found:
            batch.run(str(recording))
    if json:
        sys.stdout.write(as_json([result.to_dict() for result in batch.results]))
    else:
        batch.print_table()
    if batch.failed:
        if len(found) > 1:
            names = ", ".join(batch.failed)
            batch.console.print(f"{len(batch.failed)} of {len(found)} recordings gave no result: {names}", markup=False)
        raise typer.Exit(BAD_INPUT)
