"""The commands of the training and export packages on the one command line, and how a package brings one."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
import typer

from echo_rt.commands import plugins
from echo_rt.commands.app import app
from echo_rt.errors import MissingExtraError

HEAVY = ("torch", "onnx", "hydra", "matplotlib", "cv2", "numpy")


def imported_after(*arguments: str) -> set[str]:
    """What a process has imported after one command."""
    code = (
        "import sys; from echo_rt.commands.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('IMPORTED', *sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(run.stdout.split("IMPORTED")[1].split())


@pytest.mark.parametrize("arguments", ["--help", "export --help", "export onnx -h", "train --help", "evaluate -h"])
def test_help_is_shown_without_a_heavy_library(arguments: str) -> None:
    imported = imported_after(*arguments.split())
    assert "echo_rt_export.commands" in imported or "echo_rt_train.commands" in imported
    assert not imported & set(HEAVY)


def test_a_command_of_the_runtime_imports_no_plug_in() -> None:
    assert not [name for name in imported_after("--version") if name.startswith(("echo_rt_train", "echo_rt_export"))]


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A command and all below it, by full name."""
    yield name, command
    for child in getattr(command, "commands", {}):
        yield from commands(command.commands[child], f"{name} {child}")


ROOT = typer.main.get_command(app)
OURS = dict(
    pair
    for name in ("train", "evaluate", "explain", "export")
    for pair in commands(ROOT.get_command(typer.Context(ROOT), name), name)  # type: ignore[attr-defined]
)


def test_the_commands_are_these() -> None:
    kinds = ("onnx", "check", "weights", "tensorrt", "triton")
    assert set(OURS) == {"train", "evaluate", "explain", "export", *(f"export {kind}" for kind in kinds)}
    assert set(ROOT.list_commands(typer.Context(ROOT))) >= {"file", "train", "evaluate", "explain", "export"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", OURS)
def test_a_help_ends_in_examples_that_the_command_takes(name: str) -> None:
    before, examples = OURS[name].help.split("\b\nExamples:\n")
    assert before.strip()
    lines = examples.splitlines()
    assert 2 <= len(lines) <= 4
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "echo-rt"
        assert " ".join(words).startswith(name)
        command, words = OURS[words[0]], words[1:]
        if hasattr(command, "commands"):
            command, words = command.commands[words[0]], words[1:]
        command.make_context(command.name, words)  # an option that is not there, or an argument that is missing, raises


def greet(name: str, loud: bool = False) -> None:
    """Say hello."""
    typer.echo(f"HELLO {name}" if loud else f"hello {name}")


app_of_two = plugins.plain_app()
app_of_two.command("greet")(greet)


@app_of_two.command()
def fail() -> None:
    """Need a library that is not there."""
    raise ModuleNotFoundError("No module named 'abacus'", name="abacus")


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "of_somebody_else", sys.modules[__name__])
    values = {"greet": "of_somebody_else:greet", "both": "of_somebody_else:app_of_two [web]"}
    found = {name: EntryPoint(name, value, "echo_rt.commands") for name, value in values.items()}
    monkeypatch.setattr(plugins, "_plugins", lambda: found)


def test_an_entry_point_may_name_a_function_or_an_app(points: None, capsys: pytest.CaptureFixture[str]) -> None:
    ROOT(["greet", "you"], standalone_mode=False)
    ROOT(["both", "greet", "you", "--loud"], standalone_mode=False)
    assert capsys.readouterr().out == "hello you\nHELLO you\n"
    ROOT(["--help"], standalone_mode=False)
    assert "greet    Say hello." in capsys.readouterr().out


def test_what_a_plug_in_lacks_is_named_with_the_extra_that_brings_it(points: None) -> None:
    with pytest.raises(MissingExtraError, match=r"echo-rt both \(without abacus\) .* pip install 'echo-rt\[web\]'"):
        ROOT(["both", "fail"], standalone_mode=False)
