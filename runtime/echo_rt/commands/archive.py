"""`echo-rt archive`: many recordings, their table, and how far they are."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from echo_rt.commands.ending import ending
from echo_rt.commands.engine_options import Device, Model
from echo_rt.commands.exit_status import BAD_INPUT
from echo_rt.commands.plugins import plain_app
from echo_rt.errors import MissingExtraError, ParameterError, printable
from echo_rt.logs import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from echo_rt.archive.keys import Settings
    from echo_rt.archive.progress import Progress
    from echo_rt.archive.run import Run, TaskPool
    from echo_rt.archive.work import Work
    from echo_rt.commands.job import Opening
    from echo_rt.commands.worker import Bounds
    from echo_rt.model import ModelSpec

LISTED = 20
"""Failures that are printed, at most."""

LOG_S, LINE_S = 60.0, 0.5
"""Between two lines of a log, and two looks of the line on a terminal."""

ON_PROCESSOR = ("cpu", "openvino")
"""Devices that need no GPU; `auto` takes one where there is one."""

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
    model: Model = None,
    device: Device = "auto",
    ef_method: _EfMethod = "disks",
    fps: _Fps = None,
    roi: _Roi = "auto",
) -> None:
    """Follow all recordings that RESULTS does not hold yet. The same command goes on where it stopped."""
    from echo_rt.archive.ledger import Ledger
    from echo_rt.archive.places import open_place
    from echo_rt.archive.pseudonyms import Pseudonyms
    from echo_rt.archive.run import Run
    from echo_rt.archive.work import Asked, Work
    from echo_rt.commands.job import Opening
    from echo_rt.commands.worker import Bounds
    from echo_rt.sources.screen.roi import parse_roi
    from echo_rt.together import check_method

    check_method(ef_method, two_views=False)
    parse_roi(roi)  # what is misspelt is said once
    if ray is not None and find_spec("ray") is None:
        raise MissingExtraError("--ray", "ray")
    if overlay and pseudonymise is not None:
        raise ParameterError("expected no --overlay with --pseudonymise: a film shows the names on the picture")
    pseudonyms = None if pseudonymise is None else Pseudonyms.read(pseudonymise)
    work = Work(open_place(out), Asked(ef_method, fps, roi, masks, overlay), pseudonyms)
    settings, spec = _settings(work, model)
    shown = _Shown()
    made = Run(work, settings, spec, retry_failed, shown.begin, lambda line: typer.echo(printable(line), err=True))
    bounds = Bounds(seconds_each, int(memory_gb * 1e9))
    with Ledger() as ledger:
        try:
            progress = made(sources, ledger, partial(_pool, made, Opening(model, device, 1), bounds, jobs, ray))
        finally:
            shown.end()
        failed = list(ledger.failed())
    _print_end(progress, failed, out)
    if ending.told is not None:
        typer.echo("echo-rt: interrupted; run the same command again to go on", err=True)
    if failed:
        raise typer.Exit(BAD_INPUT)


@contextmanager
def _pool(run: Run, opening: Opening, bounds: Bounds, jobs: int | None, ray: str | None) -> Iterator[TaskPool]:
    """The workers of a run: a signal ends them, and the run."""
    from echo_rt.commands.job import usable_cores
    from echo_rt.commands.workers import Workers

    made: Any  # a `TaskPool`
    if ray is None:
        made = Workers(jobs or usable_cores(), opening, run.work, bounds, pin=True)
    else:
        from echo_rt.archive.ray_pool import RayPool

        one = partial(Workers, 1, opening, run.work, bounds)
        made = RayPool(ray, jobs, one, gpus=opening.device not in ON_PROCESSOR)
    with made as pool, ending.gently(pool.stop):
        yield pool


def _settings(work: Work, model: str | None) -> tuple[Settings, ModelSpec]:
    """What the keys of this run are made of, and the contract of its model."""
    from echo_rt import __version__
    from echo_rt.archive.keys import Settings, file_digest
    from echo_rt.model import model_path, read_spec

    path = model_path(model)  # the same for all precisions of a shipped model: workers may have other devices
    options = {**vars(work.asked), "pseudonyms": work.pseudonyms and work.pseudonyms.of("")}
    return Settings(file_digest(path), __version__, options), read_spec(path)


@archive.command()
def status(
    results: _Results,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with every failure.")] = False,
) -> None:
    """Say how many recordings there are, and which failed and why. A run may go on meanwhile."""
    from json import dumps

    from echo_rt.archive.places import open_place
    from echo_rt.archive.status import status_of

    found = status_of(open_place(results))
    if json:
        typer.echo(dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    typer.echo(found.line())
    for recording, kind, reason in found.failed[:LISTED]:
        typer.echo(printable(f"{kind}  {reason if reason.startswith(recording) else f'{recording}: {reason}'}"))
    if len(found.failed) > LISTED:
        typer.echo(f"and {len(found.failed) - LISTED} more; --json has them")


@archive.command()
def table(
    results: _Results,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A file that ends in .parquet, .csv or .xlsx.")
    ],
) -> None:
    """Write one table of all recordings."""
    from echo_rt.archive.export import export
    from echo_rt.archive.places import open_place

    rows = export(open_place(results), output)
    typer.echo(f"{rows} recordings in {printable(str(output))}")


class _Shown:
    """The progress on standard error: a line that is written over on a terminal, else an object in JSON a minute.

    A thread shows it, so that a run shows also that nothing happens.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._progress: Progress | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="echo-rt progress", daemon=True)
        self._wide = 0

    def begin(self, progress: Progress) -> None:
        """Show it from now on."""
        self._progress = progress
        self._thread.start()

    def end(self) -> None:
        """Show how it ended."""
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()
            self._show()
            if self._terminal:
                sys.stderr.write("\n")

    def _run(self) -> None:
        while not self._ended.wait(LINE_S if self._terminal else LOG_S):
            self._show()

    def _show(self) -> None:
        assert self._progress is not None
        if quiet():
            return
        if self._terminal:
            line = self._progress.line()[: max(20, get_terminal_size().columns - 1)]
            sys.stderr.write("\r" + line.ljust(self._wide))
            self._wide = len(line)
        else:
            sys.stderr.write(self._progress.to_json() + "\n")
        sys.stderr.flush()


def _print_end(progress: Progress, failed: list[tuple[str, str]], out: str) -> None:
    for recording, kind in failed[:LISTED]:
        typer.echo(printable(f"echo-rt: {recording}: {kind}"), err=True)
    if len(failed) > LISTED:
        typer.echo(f"echo-rt: and {len(failed) - LISTED} more; see `echo-rt archive status {out}`", err=True)
    typer.echo(printable(f"{progress.done} recordings in {out}; {len(failed)} of them failed"))
