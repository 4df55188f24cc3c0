"""The page of all commands, and the manual page echo-rt.1, from the same source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from command_tree import Command, Option, commands

from echo_rt.commands import exit_status

STATUSES = (
    ("0", "All went well."),
    ("1", "A defect of echo-rt: please report it."),
    (f"{exit_status.BAD_INPUT}", "Something given was not as expected. A line says what."),
    (f"{exit_status.NO_DEVICE}", "This machine lacks the device that was named."),
    (f"{exit_status.INTERRUPTED}, {exit_status.TERMINATED}", "Ctrl-C or SIGTERM ended it."),
    (f"{exit_status.NOBODY_READS}", "Nobody reads its output any more, as behind `head`."),
)

ABOUT = "Each command also takes `-h` and `--help`."


def markdown() -> str:
    """The page: a section a command."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield f"# Commands\n\nMade from the command line itself. {ABOUT}\n"
    for command in commands():
        yield f"{'##' if command.path.count(' ') < 2 else '###'} {command.path}\n"
        yield "\n\n".join(command.paragraphs) + "\n"
        yield _code([command.usage])
        for block in command.blocks:
            yield f"{block.title}\n"
            yield _code(block.lines)
        for title, options in (("argument", command.arguments), ("option", command.options)):
            if options:
                yield f"| {title} | what it does | default, range |\n|---|---|---|"
                yield from (f"| `{_cell(o.name)}` | {_cell(o.text)} | {_more(o)} |" for o in options)
                yield ""
    yield "## Exit status\n\n| status | meaning |\n|---|---|"
    yield from (f"| {status} | {meaning} |" for status, meaning in STATUSES)


def _code(lines: Iterable[str]) -> str:
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _more(option: Option) -> str:
    """Such as: default `auto`."""
    parts = (re.sub(r"^(default|env var): (.*)$", r"\1 `\2`", part) for part in option.more.split("; "))
    return _cell("; ".join(parts).replace("env var", "variable"))


def manual() -> str:
    """The text of echo-rt.1, for `man`."""
    return "\n".join(_manual()) + "\n"


def _manual() -> Iterator[str]:
    (program, *others) = commands()
    yield f'.TH ECHO-RT 1 "" "echo-rt {version("echo-rt")}" "User Commands"'
    yield ".ad l\n.nh"
    yield f".SH NAME\necho-rt \\- {_roff(program.summary.rstrip('.'))}"
    yield ".SH SYNOPSIS"
    yield f"{_roff(program.usage)}"
    yield f".SH DESCRIPTION\n{_roff(' '.join(program.paragraphs))}\n.PP\n{_roff(ABOUT)}"
    yield ".SH OPTIONS"
    yield from map(_tagged, program.options)
    yield ".SH COMMANDS"
    for command in others:
        yield from _section(command)
    yield ".SH EXIT STATUS"
    yield from (f".TP\n.B {status}\n{_roff(meaning)}" for status, meaning in STATUSES)


def _section(command: Command) -> Iterator[str]:
    yield f".SS {_roff(command.path)}\n{_roff(command.usage)}"
    yield from (f".PP\n{_roff(paragraph)}" for paragraph in command.paragraphs)
    yield from map(_tagged, (*command.arguments, *command.options))
    for block in command.blocks:
        lines = "\n".join(f"    {_roff(line)}" for line in block.lines)
        yield f".PP\n{_roff(block.title)}\n.PP\n.nf\n{lines}\n.fi"


def _tagged(option: Option) -> str:
    more = f" [{option.more}]" if option.more else ""
    return f".TP\n.B {_roff(option.name)}\n{_roff(option.text + more)}"


def _roff(text: str) -> str:
    """Text as roff takes it: no sign of it begins a request, and a minus stays one that can be copied."""
    plain = text.replace("`", "").replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\&.", plain, flags=re.MULTILINE)


if __name__ == "__main__":
    print(manual(), end="")
