"""The code on a page: its blocks, and the commands in those of a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from markdown_it import MarkdownIt

SHELL = ("", "sh", "bash", "shell", "console")
"""What a block of a shell says it is; an indented one says nothing."""

NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
"""A comment right before a block: it is read, and not run, for a reason."""

OPERATORS = frozenset("|&;<>")


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, in what language, and why it is not run, where it says so."""

    page: str
    line: int
    language: str
    code: str
    not_run: str | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a shell: its words up to the first operator. `whole` is the line without its comment."""

    block: Block
    whole: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block.page}: {self.whole}"


def blocks(root: Path, page: str) -> Iterator[Block]:
    """All of a page, those in lists and quotes too."""
    reason = None
    for token in MarkdownIt("commonmark").parse((root / page).read_text(encoding="utf-8")):
        if token.type == "html_block":
            found = NOT_RUN.search(token.content)
            reason = found[1] if found else None
        elif token.type in ("fence", "code_block"):
            language = (token.info.split() or [""])[0].strip("{.}")
            yield Block(page, (token.map or [0])[0] + 1, language, token.content, reason)
            reason = None
        elif token.content:
            reason = None


def commands(block: Block) -> Iterator[Command]:
    """Those of a block of a shell. Lines that a backslash ends go on; what is behind an operator is another command."""
    text = block.code.replace("\\\n", " ")
    for line in filter(None, (line.strip().removeprefix("$ ") for line in text.splitlines())):
        try:
            reader = shlex.shlex(line, posix=True, punctuation_chars=True)
            reader.whitespace_split = True
            words = list(reader)
        except ValueError:  # what a program prints has quotes that nothing ends
            continue
        if words:
            end = next((n for n, word in enumerate(words) if set(word) <= OPERATORS), len(words))
            yield Command(block, re.split(r"\s+#\s", line)[0].strip(), tuple(words[:end]))


def spans(root: Path, page: str) -> Iterator[str]:
    """What stands in a page as code in the middle of a sentence."""
    for token in MarkdownIt("commonmark").enable("table").parse((root / page).read_text(encoding="utf-8")):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content


def command_of(root: Any, words: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The command that the words after ``echo-rt`` name, and those left for it.

    Raises:
        UsageError: there is no such command.
    """
    command, left = root, list(words)
    context = typer.Context(root)
    while hasattr(command, "commands"):
        made = command.make_context(command.name, list(left), parent=context if command is not root else None)
        rest = [*getattr(made, "_protected_args", ()), *made.args]
        if not rest:
            return command, []
        context = made
        _, command, left = command.resolve_command(made, rest)
    return command, left


def parsed(root: Any, words: tuple[str, ...]) -> None:
    """Read the words as the command line does, and run nothing.

    Raises:
        UsageError: a command or an option is not known, or a value is not one of its kind.
    """
    command, left = command_of(root, words)
    if not hasattr(command, "commands"):
        command.make_context(command.name, left)


def options(root: Any, words: tuple[str, ...]) -> set[str]:
    """Every option of the command that the first words name, its groups' included."""
    found: set[str] = {"-h", "--help"}
    command = root
    for word in ("", *words):
        if word:
            if word not in getattr(command, "commands", ()) and not hasattr(command, "get_command"):
                break
            child = command.get_command(typer.Context(command), word)
            if child is None:
                break
            command = child
        for parameter in command.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    # A group that has a command by default takes its options too.
    for child in getattr(command, "commands", {}).values() if command is not root else ():
        for parameter in child.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found
