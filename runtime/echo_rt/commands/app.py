"""The command line. It imports what a command needs when that command runs, and turns every error into one line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from echo_rt import private
from echo_rt.commands.archive import archive
from echo_rt.commands.bench import bench
from echo_rt.commands.doctor import doctor
from echo_rt.commands.ending import ending
from echo_rt.commands.exit_status import BAD_INPUT, NO_DEVICE, NOBODY_READS
from echo_rt.commands.file import file
from echo_rt.commands.live import live
from echo_rt.commands.models import models
from echo_rt.commands.node import node
from echo_rt.commands.phantom import phantom
from echo_rt.commands.plugins import WithPlugins
from echo_rt.commands.streams import NobodyReads, guard
from echo_rt.errors import EchoRtError, NoDeviceError

app = typer.Typer(
    cls=WithPlugins,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Left-ventricle masks and a rolling ejection fraction from apical echocardiography. "
    "For research, not a medical device.",
)

_UsageError: Any = typer.BadParameter.__base__
"""Older releases of Typer take it from click, newer ones bring their own click along."""


def _version(wanted: bool) -> None:
    if wanted:
        from echo_rt import __version__

        typer.echo(f"echo-rt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="Let others read what is written, as the umask says; else its owner alone.")
    ] = False,
) -> None:
    if shared:
        private.share()


for _command in (file, live, models, bench, doctor, phantom):
    app.command()(_command)
app.add_typer(node)
app.add_typer(archive)


def main() -> None:
    """Run the command line; raises SystemExit with its status."""
    ending.watch()
    guard()
    private.close_to_others()
    try:
        ending.work()
        status = _status()
        ending.done()
    except BaseException:
        ending.done()
        if ending.told is None:
            raise
        status = 0  # whatever the signal's exception has become on its way
    sys.exit(ending.status(status))


def _status() -> int:
    """Run the command; every error that may be expected is a line."""
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()  # a disk that is full may say so here only
    except Exception as error:
        if ending.told is not None and not ending.gentle:
            raise
        return _refused(error)
    return status or 0


def _refused(error: Exception) -> int:
    """Say in a line what was wrong; returns the status of it. Anything but an expected error is raised."""
    if isinstance(error, EchoRtError):
        typer.echo(f"echo-rt: {error}", err=True)
        return NO_DEVICE if isinstance(error, NoDeviceError) else BAD_INPUT
    if isinstance(error, _UsageError):
        error.show()
        return BAD_INPUT
    if isinstance(error, NobodyReads):
        return NOBODY_READS
    if isinstance(error, ImportError):
        from echo_rt.doctor.machine import missing_library

        if (advice := missing_library(error)) is not None:
            typer.echo(f"echo-rt: {advice}", err=True)
            return BAD_INPUT
    raise error
