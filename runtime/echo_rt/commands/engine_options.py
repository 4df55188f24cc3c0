"""The options of every command that runs a network, and what a shell completes them to."""

from __future__ import annotations

from typing import Annotated

import typer


def complete_model(incomplete: str) -> list[str]:
    """The names of shipped models that begin so; files are completed by the shell."""
    from echo_rt.model.shipped import names

    return [name for name in names() if name.startswith(incomplete)]


def complete_device(incomplete: str) -> list[str]:
    """The devices whose name begins so."""
    from echo_rt.engine import DEVICES

    return [name for name in ("auto", *DEVICES) if name.startswith(incomplete)]


Model = Annotated[
    str | None,
    typer.Option(
        help="A shipped model's name or an .onnx file; see `echo-rt models`.",
        autocompletion=complete_model,
    ),
]
Device = Annotated[
    str, typer.Option(help="Where the network runs; see `echo-rt doctor`.", autocompletion=complete_device)
]
