"""`echo-rt archive`: many recordings, their table, and how far they are."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from echo_rt.commands.ending import ending
from echo_rt.commands.exit_status import BAD_INPUT
from echo_rt.commands.plugins import plain_app
from echo_rt.errors import ParameterError, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from echo_rt.archive.pools import Pool
    from echo_rt.archive.progress import Progress
    from echo_rt.archive.run import Run

LISTED = 20
"""Failures that are printed, at most."""

LOG_S, LINE_S = 60.0, 0.5
"""Between two lines of a log, and two looks of the line on a terminal."""

RUN = "run"


class _RunByDefault(TyperGroup):
    """A group whose command `RUN` need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = [RUN, *args]
        found: list[str] = super().parse_args(ctx, args)
        return found


archive = plain_app(name="archive", cls=_RunByDefault, no_args_is_help=True)


@archive.callback()
def _archive() -> None:
    """Follow archives of recordings, on all cores or a cluster, and go on where the last run stopped.

    \b
    Examples:
      echo-rt archive recordings/ --out results
      echo-rt archive s3://bucket/echo --out s3://bucket/ef --ray auto
      echo-rt archive status results
      echo-rt archive table results -o ef.xlsx
    """


_Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="Folders, globs, @LIST files, s3:// and other addresses.")
]
_Out = Annotated[str, typer.Option(metavar="RESULTS", help="Folder or address of the results.")]
_Ray = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Run on Ray: local, auto, or the address of a cluster.")
]
_Jobs = Annotated[int | None, typer.Option(min=1, show_default=False, help="Recordings side by side; all cores.")]
_Masks = Annotated[bool, typer.Option("--masks", help="Write masks.npz of each recording.")]
_Overlay = Annotated[bool, typer.Option("--overlay", help="Write overlay.mp4 of each recording.")]
_Retry = Annotated[bool, typer.Option("--retry-failed", help="Follow those again that failed in an earlier run.")]
_Seconds = Annotated[float, typer.Option("--seconds-each", min=1, help="A recording that takes longer is ended.")]
_Memory = Annotated[float, typer.Option("--memory-gb", min=0.5, help="A worker that takes more is ended.")]
_Key = Annotated[
    Path | None,
    typer.Option("--pseudonymise", metavar="KEY", help="File with a secret key: results name no recording."),
]
_Model = Annotated[str | None, typer.Option(help="A shipped model's name or an .onnx file; see `echo-rt models`.")]
_Device = Annotated[str, typer.Option(help="Where the network runs; see `echo-rt doctor`.")]
_EfMethod = Annotated[str, typer.Option(help="What EF is made of: disks, area-length, area; area-extremes.")]
_Fps = Annotated[float | None, typer.Option(help="Frames a second, for images without a clock.")]
_Roi = Annotated[str, typer.Option(help="auto finds the ultrasound on a scanner's screen; x,y,w,h; none takes all.")]
_Results = Annotated[str, typer.Argument(metavar="RESULTS", help="Folder or address of the results.")]


@archive.command(name=RUN, hidden=True)
def run(
    sources: _Sources,
    out: _Out,
    ray: _Ray = None,
    jobs: _Jobs = None,
    masks: _Masks = False,
    overlay: _Overlay = False,
    retry_failed: _Retry = False,
    pseudonymise: _Key = None,
    seconds_each: _Seconds = 600.0,
    memory_gb: _Memory = 4.0,
    model: _Model = None,
    device: _Device = "auto",
    ef_method: _EfMethod = "disks",
    fps: _Fps = None,
    roi: _Roi = "auto",
) -> None:
    """Follow all recordings that RESULTS does not hold yet. The same command goes on where it stopped."""
    from echo_rt.archive.ledger import Ledger
    from echo_rt.archive.places import open_place
    from echo_rt.archive.pseudonyms import read_key
    from echo_rt.archive.work import Asked, Work

    asked = Asked(ef_method, fps, roi, masks, overlay)
    work = Work(open_place(out), asked, None if pseudonymise is None else read_key(pseudonymise))
    run, pool = _made(work, model, device, retry_failed, ray, jobs, seconds_each, memory_gb)
    with Ledger() as ledger:
        shown = _Shown()
        run.tell = shown
        progress = run(sources, ledger, pool)
        shown.end(progress)
        _print_failed(list(ledger.failed()), out)
    if progress.counts.get("failed"):
        raise typer.Exit(BAD_INPUT)
