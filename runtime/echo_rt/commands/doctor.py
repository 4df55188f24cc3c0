"""`echo-rt doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from echo_rt.commands.exit_status import BAD_INPUT
from echo_rt.errors import printable


def doctor(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Say why this feed does not open, and what to do.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Run simulated hearts of known volume through the engine.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="For the self-test: a shipped model's name or an .onnx file.")
    ] = None,
    device: Annotated[str, typer.Option(help="For the self-test: where the network runs.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is installed, which devices work, and why others do not.

    \b
    Examples:
      echo-rt doctor
      echo-rt doctor rtsp://10.0.0.5/echo
      echo-rt doctor --self-test
    """
    from json import dumps

    if self_test:
        _self_test(model, device, json)
        return
    from echo_rt.doctor.machine import examine

    if source is None:
        findings = examine()
    else:
        from echo_rt.doctor.feed import examine_source

        findings = examine_source(source)
    if json:
        typer.echo(dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(printable(f"{'ok  ' if finding.ok else '-   '}{finding.name:<22} {finding.text}"))
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(BAD_INPUT)


def _self_test(model: str | None, device: str, json: bool) -> None:
    from json import dumps

    from echo_rt.doctor.selftest import self_test
    from echo_rt.engine import open_engine

    with open_engine(model, device) as engine:
        description, results = engine.description, self_test(engine)
    if json:
        typer.echo(dumps({"engine": description, "cases": [result.to_dict() for result in results]}, indent=2))
    else:
        typer.echo(printable(description))
        for result in results:
            typer.echo(f"{'ok  ' if result.ok else 'BAD '}{result.uri}")
            if result.ef_percent is None:
                typer.echo(f"      no beat found, expected {result.true_beats}")
                continue
            typer.echo(
                f"      EF {result.ef_percent:.1f} % (true {result.true_ef_percent:.1f}), "
                f"EDV {result.volume_error_percent:+.0f} %, "
                f"ED {1e3 * (result.ed_error_s or 0):+.0f} ms, ES {1e3 * (result.es_error_s or 0):+.0f} ms, "
                f"{result.beats} beats (true {result.true_beats})"
            )
    if not all(result.ok for result in results):
        raise typer.Exit(BAD_INPUT)
