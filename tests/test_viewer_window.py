"""The window: what it draws, what its keys do, and a real one where there is a screen to be had."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from echo_rt.errors import DeviceError
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.outputs.overlay import draw
from echo_rt.viewer import open_viewer
from echo_rt.viewer.window import TITLE, WindowViewer, picture
from support.looking import RUNNING, StandInControl, as_phase, readings


def test_the_window_shows_the_overlay_with_a_bar_below() -> None:
    update = readings()[-1]
    shown = picture(update)
    overlay = draw(update.frame, update.reading)
    np.testing.assert_array_equal(shown[: len(overlay)], overlay)
    assert len(shown) > len(overlay)
    assert (shown[len(overlay) :] > 150).any(), "the keys are written there"


def test_a_picture_that_is_not_current_is_dim() -> None:
    update = readings()[-1]
    bright = picture(update)[:400].mean()
    assert picture(as_phase(update, Phase.LOST, "no frame for 2 s"))[:400].mean() < 0.5 * bright
    assert picture(as_phase(update, Phase.FROZEN))[:400].mean() < 0.9 * bright


def test_before_the_first_picture_there_is_a_bar_alone() -> None:
    waiting = LiveUpdate(None, None, dataclasses.replace(RUNNING, phase=Phase.OPENING, message="opening"))
    assert (picture(waiting)[-40:] > 100).any()


def test_text_of_a_name_is_escaped_in_the_bar_and_the_title_has_none(monkeypatch) -> None:
    written: list[str] = []
    monkeypatch.setattr("cv2.putText", lambda canvas, text, *how: written.append(text))
    source = dataclasses.replace(RUNNING, source="a\x1b[2J\n\u202e.mp4", message="two\rlines")
    picture(LiveUpdate(None, None, source), note="written: \x07")
    assert all(text.isprintable() and text.isascii() for text in written)
    shown = " ".join(written)
    assert all(escaped in shown for escaped in (r"a\x1b[2J\n\u202e.mp4", r"two\rlines", r"\x07"))
    assert TITLE == "echo-rt"


def test_the_keys_do_what_the_bar_says(monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":none")
    control = StandInControl()
    viewer = WindowViewer(control)
    for key, phase in (
        ("r", Phase.RUNNING),
        (" ", Phase.RUNNING),
        (" ", Phase.FROZEN),
        ("s", Phase.RUNNING),
        ("q", Phase.RUNNING),
    ):
        viewer._press(ord(key), phase)
    assert control.calls == ["reset", ("freeze", True), ("freeze", False), "snapshot", "end"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_without_a_screen_it_says_so_in_one_line(monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DeviceError, match=r"expected a screen \(DISPLAY\), found none; use --view web"):
        open_viewer("window", StandInControl())


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="no virtual screen (Debian: xvfb)")
def test_a_real_window_opens_shows_and_closes() -> None:
    command = [
        "xvfb-run",
        "-a",
        sys.executable,
        "-m",
        "echo_rt",
        "live",
        "phantom:?ef=55&hr=70&fps=30&seconds=2&height=240&width=320",
    ]
    environment = {name: content for name, content in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "readings" in done.stdout
    assert "viewer:" not in done.stdout, "the viewer failed"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
def test_on_a_machine_without_a_screen_the_command_ends_in_one_line() -> None:
    environment = {name: content for name, content in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-m", "echo_rt", "live", "phantom:?ef=55&hr=70&fps=30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "echo-rt: --view window: expected a screen (DISPLAY), found none; use --view web or --view none"
    ]
