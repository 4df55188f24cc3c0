"""`echo-rt phantom`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT.(avi|mp4|dcm)", help="The clip; its truth is written beside it.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="ef=40 hr=70 fps=50 seconds=10 seed=1 ...")
    ] = None,
) -> None:
    """Write a simulated apical four-chamber clip whose volumes are known, and its truth.

    \b
    Examples:
      echo-rt phantom heart.dcm ef=40 hr=75
      echo-rt phantom heart.mp4 seconds=20 rhythm=af seed=3
    """
    from echo_rt.errors import ParameterError
    from echo_rt.phantom import open_phantom, write

    given = options or []
    if wrong := [option for option in given if "=" not in option]:
        raise ParameterError(f"phantom: expected KEY=VALUE such as ef=40, found {wrong[0]!r}")
    if not any(option.startswith("seconds=") for option in given):
        given = [*given, "seconds=10"]
    for path in write(open_phantom("phantom:?" + "&".join(given)), out):
        typer.echo(str(path))
