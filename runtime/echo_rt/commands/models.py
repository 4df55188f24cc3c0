"""`echo-rt models`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from echo_rt.errors import printable


def models(json: Annotated[bool, typer.Option("--json", help="Print them as a JSON list.")] = False) -> None:
    """List the shipped models, their licences and figures.

    \b
    Examples:
      echo-rt models
      echo-rt models --json
    """
    from echo_rt.model import models as shipped

    if json:
        from echo_rt.outputs import as_json

        sys.stdout.write(as_json([model.to_dict() for model in shipped()]))
        return
    for model in shipped():
        spec, (height, width) = model.spec, model.spec.input.grid
        typer.echo(f"{model.name}  version {spec.version}, input {height}x{width}, {', '.join(model.files)}")
        typer.echo(f"    views       {', '.join(spec.views)}")
        typer.echo(f"    data        {printable(spec.origin.training_data)}")
        typer.echo(f"    licence     {printable(spec.origin.licence)}")
        if spec.origin.citation:
            typer.echo(f"    cite        {printable(spec.origin.citation)}")
        for name, figures in spec.origin.figures.items():
            typer.echo(f"    {name:<11} {', '.join(f'{key} {value:g}' for key, value in figures.items())}")
        if spec.tuning.ef_calibration is not None:
            slope, offset = spec.tuning.ef_calibration
            typer.echo(f"    EF          {slope:.3f} x measured {offset:+.2f}, fitted on training patients")
        typer.echo(f"    file        {printable(str(model.path))}")
