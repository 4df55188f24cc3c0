"""The command line. It imports what a command needs when that command runs, and turns every error into one line."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from echo_rt.commands.bench import bench
from echo_rt.commands.doctor import doctor
from echo_rt.commands.exit_status import BAD_INPUT, INTERRUPTED, NO_DEVICE, NOBODY_READS
from echo_rt.commands.file import file
from echo_rt.commands.live import live
from echo_rt.commands.models import models
from echo_rt.commands.phantom import phantom
from echo_rt.commands.plugins import WithPlugins
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
) -> None:
    pass


for _command in (file, live, models, bench, doctor, phantom):
    app.command()(_command)


def main() -> None:
    """Run the command line; the process ends with its status."""
    try:
        status = app(standalone_mode=False)
    except EchoRtError as error:
        typer.echo(f"echo-rt: {error}", err=True)
        status = NO_DEVICE if isinstance(error, NoDeviceError) else BAD_INPUT
    except _UsageError as error:
        error.show()
        status = BAD_INPUT
    except ImportError as error:
        from echo_rt.doctor.machine import missing_library

        if (advice := missing_library(error)) is None:
            raise
        typer.echo(f"echo-rt: {advice}", err=True)
        status = BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("echo-rt: interrupted; results that were not finished are not kept", err=True)
        status = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left, as `head` does; nobody is there to be told.
        sys.stderr.close()
        status = NOBODY_READS
    sys.exit(status or 0)
