"""Commands of other packages: entry points of the group `echo_rt.commands`, imported when they are asked for."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from echo_rt.errors import MissingExtraError, did_you_mean, printable


def plain_app(**settings: Any) -> typer.Typer:
    """A Typer app whose help and errors look like those of all the others; `settings` as `typer.Typer` takes them."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **settings)


def command_of(loaded: Any, name: str | None = None) -> Any:
    """The click command of a Typer app, or of a function that Typer can make one of."""
    app = loaded
    if not isinstance(loaded, typer.Typer):
        app = plain_app()
        app.command()(loaded)
    command = typer.main.get_command(app)
    command.name = name or command.name
    return command


class WithPlugins(TyperGroup):
    """A group that also has the commands which installed packages name in their entry points.

    An entry point ``NAME = "MODULE:COMMAND [EXTRA]"`` names a Typer app or a function, and the extra of echo-rt that
    it needs. Its module imports heavy libraries inside of functions: a list of the commands imports the module.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of its own commands, then those of the plug-ins."""
        return [*super().list_commands(ctx), *sorted(_plugins())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; None where there is none."""
        point = _plugins().get(cmd_name)
        return super().get_command(ctx, cmd_name) if point is None else command_of(point.load(), cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was asked for; of a misspelt one the error says which is near, plug-ins' included."""
        word = args[0]
        if not word.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, word) is None:
            near = did_you_mean(word, self.list_commands(ctx))
            if not near and os.path.exists(word):
                near = f"; did you mean {ctx.info_name} file {printable(word)}?"
            ctx.fail(f"No such command {printable(word)!r}{near or '.'}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for.

        Raises:
            MissingExtraError: a plug-in's command needs a library that is not installed.
            Abort: a signal came. Left to Typer, it is a status or an empty line, by its release.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Abort from None
        except ModuleNotFoundError as error:
            point = _plugins().get(ctx.invoked_subcommand or "")
            if point is None or not point.extras or (error.name or "echo_rt").startswith("echo_rt"):
                raise
            raise MissingExtraError(f"echo-rt {point.name} (without {error.name})", point.extras[0]) from None


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="echo_rt.commands")}
