"""Comfort in the shell: completions, examples, what a misspelt word is near to, and how much is said."""

from __future__ import annotations

import logging
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import echo_rt
from echo_rt import logs
from echo_rt.commands import app as command_line
from echo_rt.commands.engine_options import complete_device, complete_model
from echo_rt.engine import DEVICES, open_engine
from echo_rt.errors import ModelError, ParameterError, did_you_mean
from echo_rt.live.status import LiveStatus, LiveUpdate, Phase
from support.program import echo_rt as program

ROOT = typer.main.get_command(command_line.app)
SMALL = "phantom:?ef=60&hr=90&fps=25&seconds=1&height=120&width=160"


def said(*words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """The status of a command in this process, and what it said."""
    monkeypatch.setattr(sys, "argv", ["echo-rt", *words])
    status = command_line._status()
    return status, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("fille clip.dcm", "No such command 'fille'; did you mean file?"),
        ("trian", "No such command 'trian'; did you mean train?"),
        ("export onxx", "No such command 'onxx'. Did you mean 'onnx'?"),
        ("qqqq", "No such command 'qqqq'."),
        ("clip.avi", "No such command 'clip.avi'; did you mean echo-rt file clip.avi?"),
        ("file clip.dcm --outt x", "No such option: --outt (Possible options: --out)"),
        ("file clip.dcm --quiet", "No such option: --quiet; it stands before the command: echo-rt --quiet file"),
        ("-q -v models", "expected --quiet or --verbose, found both; leave one out"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_one_that_is_near(
    words: str, end: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.avi").touch()
    status, out, err = said(*words.split(), capsys=capsys, monkeypatch=monkeypatch)
    assert (status, out) == (2, "")
    assert err.strip().endswith(end)


def test_a_misspelt_model_or_device_is_answered_so_too() -> None:
    with pytest.raises(ModelError, match=r"found neither; did you mean lv-edge\?$"):
        open_engine("lv-egde", "cpu")
    with pytest.raises(ParameterError, match=r"found 'cdua'; did you mean cuda\?$"):
        open_engine(device="cdua")
    assert did_you_mean("zebra", ["file", "live"]) == ""


def test_without_arguments_five_examples_are_shown_that_the_commands_take(capsys, monkeypatch) -> None:
    _, out, err = said(capsys=capsys, monkeypatch=monkeypatch)
    shown = out + err
    block = shown.split("Examples:\n")[1].split("\n\n")[0]
    examples = [re.split(r"\s{3,}", line.strip())[0] for line in block.splitlines()]
    assert len(examples) == 5
    for example in examples:
        name, *words = shlex.split(example)[1:]
        command = ROOT.get_command(typer.Context(ROOT), name)  # type: ignore[attr-defined]
        command.make_context(name, words)  # an option that is not there raises
    for status in (0, 1, 2, 3, 130, 141):
        assert re.search(rf"^ +{status}\b", shown, re.MULTILINE), "every exit status is in the help"


def completed(line: str) -> tuple[list[str], set[str]]:
    """What bash is given for a line, and what was imported for it."""
    words = line.split(" ")
    asked = {"_ECHO_RT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    code = "import sys; from echo_rt.commands.app import main\ntry: main()\nfinally: print('IMPORTED', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked})
    words, imported = run.stdout.split("IMPORTED")
    return words.split(), set(imported.split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("echo-rt ph", ["phantom"]),
        ("echo-rt file --model lv-e", ["lv-edge"]),
        ("echo-rt live --vie", ["--view"]),
        ("echo-rt export che", ["check"]),
    ],
)
def test_completing_needs_no_heavy_library(line: str, expected: list[str]) -> None:
    words, imported = completed(line)
    assert words == expected
    assert not imported & {"numpy", "cv2", "torch", "onnx", "matplotlib", "av", "pydicom", "rich.console"}


def test_models_and_devices_are_completed() -> None:
    assert complete_model("lv-e") == ["lv-edge"]
    assert complete_model("/home") == []
    assert complete_device("") == ["auto", *DEVICES]


@pytest.mark.skipif(sys.platform == "win32", reason="bash is asked for")
def test_the_script_for_the_shell_is_shown() -> None:
    shown = program("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "complete -o default -F _echo_rt_completion echo-rt" in shown.stdout


def test_verbose_shows_what_is_done_and_results_stay_alone_on_standard_output() -> None:
    loud, still = program("--verbose", "file", SMALL, "--json"), program("file", SMALL, "--json")
    assert loud.returncode == still.returncode == 0, loud.stderr
    assert "INFO echo_rt.engine: model lv-edge" in loud.stderr
    assert re.search(r"INFO echo_rt.following: recording [0-9a-f]{16}: .* 25 frames", loud.stderr)
    assert "phantom:" not in loud.stderr, "whose recording it is is not logged"
    assert still.stderr == ""
    assert loud.stdout[:40] == still.stdout[:40] == '[\n  {\n    "recording": "phantom:?ef=60&h'


def test_a_program_takes_the_records_like_any_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "echo_rt")
    result = echo_rt.process(SMALL, device="cpu")
    names = [record.name for record in caplog.records]
    assert names == ["echo_rt.engine", "echo_rt.following"]
    assert caplog.messages[-1] == f"recording {result.provenance.recording_id}: {result.told}"


def test_the_nodes_lines_are_records_too_and_not_said_twice(caplog, capsys) -> None:
    from echo_rt.node.log import Log

    caplog.set_level(logging.INFO, "echo_rt")
    handler = logs._Shown()
    logging.getLogger("echo_rt").addHandler(handler)
    try:
        Log().say("one line")
    finally:
        logging.getLogger("echo_rt").removeHandler(handler)
    assert caplog.messages == ["one line"]
    assert capsys.readouterr().err.count("one line") == 1


def test_quiet_leaves_out_notes_and_keeps_errors(monkeypatch, capsys) -> None:
    from echo_rt.viewer.terminal import TerminalViewer

    update = LiveUpdate(None, None, LiveStatus(Phase.OPENING))
    for loudness, lines in (("", 2), (logs.QUIET, 0)):
        monkeypatch.setenv(logs.LOUDNESS, loudness)
        logs.note("an engine is built")
        TerminalViewer().show(update)
        assert len(capsys.readouterr().err.splitlines()) == lines
    assert program("--quiet", "file", "not-there.dcm").stderr.startswith("echo-rt: not-there.dcm: expected")


def test_no_colour_where_none_is_wanted() -> None:
    colour = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)[;m]")
    shown = program("file", SMALL, FORCE_COLOR="1", TERM="xterm-256color")
    plain = program("file", SMALL, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1")
    assert colour.search(shown.stderr + shown.stdout), "the bar has one"
    assert not colour.search(plain.stderr + plain.stdout)
