"""The command line. It imports what a command needs when that command runs, and turns every error into one line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from echo_rt import logs, private
from echo_rt.commands.archive import archive
from echo_rt.commands.bench import bench
from echo_rt.commands.doctor import doctor
from echo_rt.commands.ending import ending
from echo_rt.commands.exit_status import BAD_INPUT, INTERRUPTED, NO_DEVICE, NOBODY_READS, TERMINATED
from echo_rt.commands.file import file
from echo_rt.commands.live import live
from echo_rt.commands.models import models
from echo_rt.commands.node import node
from echo_rt.commands.phantom import phantom
from echo_rt.commands.plugins import WithPlugins
from echo_rt.commands.streams import NobodyReads, guard
from echo_rt.errors import EchoRtError, NoDeviceError, ParameterError

HELP = """Left-ventricle masks and a rolling ejection fraction from apical echocardiography.

For research, not a medical device.

\b
Examples:
  echo-rt file clip.dcm --out results            EF, beats and masks of a recording
  echo-rt file 'phantom:?ef=40' --json           the same of a simulated heart
  echo-rt live 0 --view web                      a camera or capture card, on a page
  echo-rt archive recordings/ --out results      many recordings, in one table
  echo-rt doctor                                 what works on this machine
"""

STATUSES = f"""\b
Exit status:
  0         all went well
  1         a defect of echo-rt
  {BAD_INPUT}         something given was not as expected; a line on standard error says what
  {NO_DEVICE}         this machine lacks the device
  {INTERRUPTED}, {TERMINATED}  ended by SIGINT or SIGTERM
  {NOBODY_READS}       nobody reads standard output
"""

app = typer.Typer(
    cls=WithPlugins,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=HELP,
    epilog=STATUSES,
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say errors alone: no progress, no notes.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show on standard error what is done, step by step.")
    ] = False,
) -> None:
    if shared:
        private.share()
    if quiet and verbose:
        raise ParameterError("expected --quiet or --verbose, found both; leave one out")
    if quiet or verbose:
        logs.speak(logs.QUIET if quiet else logs.VERBOSE)
    logs.show()


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
        status = app(prog_name="echo-rt", standalone_mode=False)
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
        _say_where(error)
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


def _say_where(error: Any) -> None:
    """Where an option of `echo-rt` itself is given after the command, say that it stands before it."""
    option, context = getattr(error, "option_name", None), error.ctx
    if context is None or context.parent is None:
        return
    if any(option in parameter.opts for parameter in context.find_root().command.params):
        error.message += f"; it stands before the command: echo-rt {option} {context.info_name}"
        error.possibilities = None
