"""What a signal does to a command: the rules of `Ending`, and what libraries do with the exception of a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest

from echo_rt.commands import live_following, live_several
from echo_rt.commands.ending import Ending, Told
from echo_rt.commands.live_options import IgtlOptions, LiveOptions, ViewOptions
from echo_rt.sources import FeedOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Ending:
    """One that ends no process: a test that would is told its status."""
    made = Ending()

    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(Ending, "_swallowed", lambda self, watched: None)  # it would tell the tests' own process
    return made


def test_while_modules_load_nothing_is_raised_into_them(ending: Ending, capfd) -> None:
    with pytest.raises(SystemExit) as end:
        ending._heed(signal.SIGINT, None)
    assert end.value.code == 130
    assert capfd.readouterr().err == "echo-rt: interrupted; results that were not finished are not kept\n"


def test_a_command_is_told_once_and_the_status_and_the_line_are_those_of_the_first_signal(
    ending: Ending, capfd
) -> None:
    ending.work()
    with pytest.raises(Told):
        ending._heed(signal.SIGTERM, None)
    ending._heed(signal.SIGINT, None)  # it is letting go of its files: nothing is raised into that
    ending.done()
    assert ending.status(0) == 143
    assert ending.status(0) == 143
    assert capfd.readouterr().err == "echo-rt: ended by SIGTERM; results that were not finished are not kept\n"


def test_a_command_that_ends_by_itself_says_how_it_went_instead(ending: Ending, capfd) -> None:
    ending.work()
    calls: list[str] = []
    with ending.gently(lambda: calls.append("end")):
        ending._heed(signal.SIGINT, None)
    assert calls == ["end"]
    ending._heed(signal.SIGINT, None)  # it says how it went: nothing is raised into that
    assert ending.status(0) == 130
    assert capfd.readouterr().err == ""


def test_a_signal_that_comes_while_a_command_says_how_it_went_changes_nothing(ending: Ending, capfd) -> None:
    ending.work()
    ending.done()
    ending._heed(signal.SIGINT, None)
    assert ending.status(0) == 0
    assert capfd.readouterr().err == ""


def test_a_command_that_never_heard_of_a_signal_ends_by_itself_at_once(ending: Ending, capfd) -> None:
    ending.work()
    with suppress(Told):  # as a library does, around an import
        ending._heed(signal.SIGTERM, None)
    calls: list[str] = []
    with ending.gently(lambda: calls.append("end")):
        assert calls == ["end"]
    ending.done()
    assert ending.status(0) == 143
    assert capfd.readouterr().err == ""


def test_without_a_signal_the_status_is_the_commands(ending: Ending) -> None:
    ending.work()
    ending.done()
    assert [ending.status(number) for number in (0, 2, 3)] == [0, 2, 3]


HANGS = """
import sys, threading, time
from echo_rt.commands import ending
ending.GRACE_S, ending.AGAIN_S = {grace_s}, 0.2
ending.ending.watch()
ending.ending.work()
{body}
"""
DROPPED = """
class Dropped:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(600)
try:
    made = Dropped()
    del made
    time.sleep(600)
except ending.Told:
    print("told", flush=True)
    sys.exit(7)
"""


@pytest.fixture
def start():
    """Starts a program that works on something, and ends it if the test has not."""
    running: list[subprocess.Popen[str]] = []

    def begin(body: str, grace_s: float = 600) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HANGS.format(grace_s=grace_s, body=body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


SWALLOWS = """
def sleep():
    try:
        print("ready", flush=True)
        time.sleep(600)
    except BaseException:
        sleep()
sleep()
"""


def test_what_swallows_the_exception_is_ended_after_a_while(start) -> None:
    process = start(SWALLOWS, grace_s=0.5)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, error.count("\n")) == (143, 1), (out, error)


def test_a_second_signal_ends_at_once_what_hangs(start) -> None:
    process = start(SWALLOWS)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.3)
    assert process.returncode == 130


SWALLOWED = """
try:
    try:
        print("ready", flush=True)
        time.sleep(600)
    except:
        pass
    time.sleep(600)
except ending.Told:
    print("told", flush=True)
    sys.exit(7)
"""


@pytest.mark.parametrize("body", [DROPPED, SWALLOWED], ids=["Python, in a finaliser", "a library, around an import"])
def test_a_signal_whose_exception_is_swallowed_comes_again(start, body: str) -> None:
    process = start(body)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (7, "told\n", "")


# -- the commands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
def test_of_a_feed_that_has_ended_there_is_its_summary_alone_however_late_the_signal(
    ending: Ending, several: bool, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    said: list[str] = []

    def echo(text: str) -> None:
        said.append(text)
        ending._heed(signal.SIGINT, None)

    for module in (live_following, live_several):
        monkeypatch.setattr(module, "ending", ending)
        monkeypatch.setattr(module, "typer", SimpleNamespace(echo=echo))
    feed = "phantom:?height=96&width=128&fps=20&seconds=0.2"
    view, none = ViewOptions("none", "127.0.0.1", 0, None), (None, None, None)
    options = LiveOptions(feed, "lv-edge", "cpu", view, None, IgtlOptions(), False, FeedOptions(*none), "disks", None)
    ending.work()
    if several:
        live_several.follow_feeds(options, {"bed1": feed, "bed2": feed}, biplane=False)
    else:
        live_following.follow_feed(options)
    ending.done()
    assert [line.count(" readings, dropped: ") for line in said] == [1] * (1 + several)
    assert ending.status(0) == 0
    assert "interrupted" not in capfd.readouterr().err
