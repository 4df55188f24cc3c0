"""Every command of `echo-rt` with its options, read from the command line itself."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer.main

from echo_rt.commands.app import app

MORE = re.compile(r"\s+\[(?P<more>[^\[\]]*)\]$")
"""What Typer adds to an option's help: its default, its variable, its range."""


@dataclass(frozen=True)
class Option:
    """An option or an argument of a command.

    Attributes:
        name: with what it takes, such as ``--out <path>``.
        text: its help.
        more: its default, its variable of the environment, its range; or that it is required.
        names: all that may be written for it; empty for an argument.
    """

    name: str
    text: str
    more: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """Lines of a help text that are printed as they are, such as its examples."""

    title: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Block:
        """That of a part of a help text, whose first line is the title."""
        title, _, lines = text.strip("\b\n").partition("\n")
        return cls(title.strip().capitalize(), tuple(textwrap.dedent(lines).splitlines()))


@dataclass(frozen=True)
class Command:
    """A command: its help, as paragraphs and as blocks, and what it takes."""

    path: str
    usage: str
    paragraphs: tuple[str, ...]
    blocks: tuple[Block, ...]
    arguments: tuple[Option, ...]
    options: tuple[Option, ...]

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return re.split(r"(?<=\.)\s", self.paragraphs[0])[0]


def commands() -> Iterator[Command]:
    """The program, then each command followed by those below it."""
    root = typer.main.get_command(app)
    yield from _below(root, "echo-rt", None)


def _below(found: Any, name: str, parent: Any) -> Iterator[Command]:
    context = found.context_class(found, info_name=name, parent=parent)
    yield _command(found, context)
    if hasattr(found, "list_commands"):
        for child in found.list_commands(context):
            yield from _below(found.get_command(context, child), child, context)


def _command(found: Any, context: Any) -> Command:
    parts = [part.strip("\n") for text in (found.help, found.epilog) for part in (text or "").split("\n\n")]
    blocks = [Block.of(part) for part in parts if part.startswith("\b")]
    paragraphs = [" ".join(part.split()) for part in parts if part and not part.startswith("\b")]
    arguments: list[Option] = []
    options: list[Option] = []
    for parameter in found.get_params(context):
        shown = parameter.get_help_record(context)
        if shown is not None and parameter.name != "help":
            argument = parameter.param_type_name == "argument"
            names = () if argument else (*parameter.opts, *parameter.secondary_opts)
            (arguments if argument else options).append(_option(shown[0], shown[1], names))
    usage = " ".join([context.command_path, *found.collect_usage_pieces(context)])
    lists = tuple(paragraphs), tuple(blocks), tuple(arguments), tuple(options)
    return Command(context.command_path, usage, *lists)


def _option(name: str, text: str, names: tuple[str, ...]) -> Option:
    more = MORE.search(text)
    return Option(name, text[: more.start()] if more else text, more["more"] if more else "", names)
