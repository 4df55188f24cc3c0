"""The pages of the Python API, the errors and the model file: names here, texts from the docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import echo_rt
from echo_rt import EchoRtError

MODEL_FILE = (
    *("spec.ModelSpec", "spec.ModelInput", "spec.Tuning", "spec.Origin", "spec.DEFAULT_QUALITY"),
    *("interval.IntervalRule", "akinesia.AkinesiaRule", "contour.ContourRule"),
)
"""What the contract in a model file is made of."""


def errors() -> list[str]:
    """The public names of the errors."""
    return [name for name in echo_rt.__all__ if _is_error(getattr(echo_rt, name))]


def _is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, EchoRtError)


def markdown() -> str:
    """The page of every public name but the errors."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    names = [name for name in echo_rt.__all__ if name not in errors() and name != "__version__"]
    functions = [name for name in names if inspect.isfunction(getattr(echo_rt, name))]
    classes = [name for name in names if inspect.isclass(getattr(echo_rt, name))]
    constants = [name for name in names if name not in functions + classes]
    yield "# Python\n"
    yield from _object("echo_rt", members=False, show_root_heading=False)
    yield "`echo_rt.__version__` is the version. Errors have a [page of their own](errors.md).\n"
    for title, part in (("Functions", functions), ("Classes", classes), ("Constants", constants)):
        yield f"## {title}\n"
        for name in part:
            yield from _object(f"echo_rt.{name}")


def errors_markdown() -> str:
    """The page of all errors."""
    parts = ["# Errors\n", *_object("echo_rt.errors", members=False, show_root_heading=False), "## Each error\n"]
    for name in errors():
        parts += _object(f"echo_rt.{name}")
    return "\n".join(parts)


def model_file_markdown() -> str:
    """The page of the contract in a model file."""
    parts = ["# The model file\n", *_object("echo_rt.model.spec", members=False, show_root_heading=False)]
    parts.append("## What it holds\n")
    for name in MODEL_FILE:
        parts += _object(f"echo_rt.model.{name}")
    return "\n".join(parts)


def _object(path: str, **options: bool) -> Iterator[str]:
    """The lines that mkdocstrings puts the docstrings of an object in the place of."""
    yield f"::: {path}"
    if options:
        yield "    options:"
        yield from (f"      {name}: {str(value).lower()}" for name, value in options.items())
    yield ""
