"""Capture cards of Linux. None is at hand: FFmpeg's own reader of V4L2 runs against an emulated driver."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from echo_rt.commands.live import live
from echo_rt.sources import FeedOptions, camera, open_source, v4l2, v4l2_camera
from echo_rt.sources.v4l2 import Mode, modes

SUPPORT = Path(__file__).with_name("support")

Look = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Runs `v4l2_program.py` with an emulated card."""
    if not sys.platform.startswith("linux") or shutil.which("gcc") is None:
        pytest.skip("no V4L2, or no gcc to build its emulation with")
    folder = tmp_path_factory.mktemp("card")
    driver, device = folder / "fake_v4l2.so", folder / "video7"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(driver), str(SUPPORT / "fake_v4l2.c"), "-ldl"]
    subprocess.run(command, check=True)
    device.touch()

    def run(options: list[Any], count: int = 3, seconds: float = 0.0, **environment: str) -> dict[str, Any]:
        run = subprocess.run(
            [sys.executable, SUPPORT / "v4l2_program.py", folder, json.dumps(options), str(count), str(seconds)],
            env={**os.environ, "LD_PRELOAD": str(driver), "FAKE_V4L2": str(device), **environment},
            capture_output=True,
            check=True,
            timeout=60,
        )
        return dict(json.loads(run.stdout))

    return run


def test_a_frames_time_is_the_kernels_whenever_it_comes(look: Look) -> None:
    found = look([None, 50, None], count=20)
    times, shapes, greys = zip(*found["frames"], strict=True)
    # The card gives its pictures up to half a period late, by turns.
    assert np.diff(times) == pytest.approx(np.full(19, 0.02), abs=1e-6)
    assert set(map(tuple, shapes)) == {(48, 64, 3)}
    assert (np.diff(greys) > 0).all(), "each picture is brighter than the one before"
    assert (found["note"], found["fps"]) == (None, 50)


def test_the_modes_that_a_card_offers_are_listed(look: Look) -> None:
    assert look([None, None, None], count=0)["modes"] == [
        "YUYV 64x48 at 100, 50 fps",
        "YUYV 128x96 at 10 fps",
        "MJPG up to 128x96 at 60 fps",
    ]


def test_the_format_is_one_that_has_the_size_and_the_rate(look: Look, tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    cv2.imwrite(str(picture), np.full((96, 128, 3), 90, np.uint8))
    quick = look([[128, 96], 60, None], FAKE_V4L2_JPEG=str(picture))
    assert (quick["note"], quick["fps"]) == (None, 60)
    assert quick["frames"][-1][1:] == [[96, 128, 3], pytest.approx(90, abs=2)], "compressed, as only that is so quick"
    raw = look([[128, 96], 60, "yuyv"])
    assert raw["note"] == "the camera gives rate 10 fps instead of 60 fps", "what was asked for goes before"


def test_whoever_is_slower_than_the_card_sees_the_newest(look: Look) -> None:
    times = [t_s for t_s, *_ in look([None, 100, None], count=8, seconds=0.1)["frames"]]
    assert times[-1] > 0.5, "the frames in between are left out"


def test_a_signal_that_is_lost_is_noticed(look: Look) -> None:
    found = look([None, None, None], count=99, FAKE_V4L2_FRAMES="6")
    assert len(found["frames"]) == 6
    assert "expected a picture from the camera, found none; check its cable" in found["error"]
    for options in ([None, None, None], [[128, 96], 60, "MJPG"]):
        found = look(options, FAKE_V4L2_FRAMES="0")
        assert (found["frames"], "found none; check" in found["error"]) == ([], True), "from the start"


class StandInCapture:
    """OpenCV's capture of a device that gives one picture."""

    def __init__(self, number: int, backend: int) -> None:
        self.left = 1

    def isOpened(self) -> bool:
        return True

    def set(self, name: int, wanted: float) -> bool:
        return True

    def get(self, name: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, np.ndarray]:
        self.left -= 1
        return self.left >= 0, np.zeros((48, 64, 3), np.uint8)

    def release(self) -> None: ...


@pytest.mark.parametrize(("pixel_format", "why"), [(None, "Inappropriate ioctl"), ("H264", "no name for H264")])
def test_what_ffmpeg_does_not_open_opencv_does_and_it_is_said(
    pixel_format: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "video7").touch()
    monkeypatch.setattr(v4l2_camera, "DEVICES", tmp_path)
    monkeypatch.setattr(camera, "check_device", lambda device: None)
    monkeypatch.setattr(camera.cv2, "VideoCapture", StandInCapture)
    with open_source("7", feed=FeedOptions(pixel_format=pixel_format)) as source:
        assert next(iter(source)).image.shape == (48, 64, 3)
        assert "times are of arrival" in source.note
        assert why in source.note


def driver(monkeypatch: pytest.MonkeyPatch, can: int, formats: int = 1, kind: int = v4l2.CAPTURE) -> None:
    """A driver that has so many formats of one size and rate, for one kind of buffers."""

    def answer(handle: int, request: int, given: bytes) -> bytes | None:
        index, second = struct.unpack_from("=II", given)
        if request == v4l2._QUERYCAP:
            return bytes(84) + struct.pack("=II12x", can | v4l2.OF_THIS_NODE, can)
        if request == v4l2._ENUM_FMT:
            return given[:44] + b"NV12" + given[48:] if index < formats and second == kind else None
        if request == v4l2._ENUM_FRAMESIZES:
            return given[:8] + struct.pack("=7I", 1, 1920, 1080, 0, 0, 0, 0) + given[36:] if index == 0 else None
        return given[:16] + struct.pack("=III", 1, 1001, 60000) + given[28:] if index == 0 else None

    monkeypatch.setattr(v4l2, "_ask", answer)


def test_a_card_whose_colours_lie_apart_is_asked_for_those(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver(monkeypatch, v4l2.CAN_CAPTURE_PLANES, kind=v4l2.CAPTURE_PLANES)
    (tmp_path / "video0").touch()
    (mode,) = modes(tmp_path / "video0")
    assert str(mode) == "NV12 1920x1080 at 59.94 fps"


def test_a_list_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver(monkeypatch, v4l2.CAN_CAPTURE, formats=10**9)
    (tmp_path / "video0").touch()
    assert len(modes(tmp_path / "video0")) == v4l2.MOST


def test_what_is_no_camera_or_not_there_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    (tmp_path / "video0").touch()
    assert camera.offered_modes(str(tmp_path / "video0")) == ["its modes are not known: no camera"]
    assert camera.offered_modes(str(tmp_path / "video1")) == ["its modes are not known: No such file or directory"]
    driver(monkeypatch, 0x00800000)  # a node for metadata
    assert camera.offered_modes(str(tmp_path / "video0")) == ["its modes are not known: no camera"]


def test_the_list_has_each_device_with_its_modes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera, "cameras", lambda: [("/dev/video7", "Card")])
    monkeypatch.setattr(camera, "offered_modes", lambda address: [f"YUYV 64x48 of {address}"])
    live(devices=True)
    assert capsys.readouterr().out == "/dev/video7  Card\n    YUYV 64x48 of /dev/video7\n"


def test_a_mode_that_goes_up_to_a_size_offers_smaller_ones() -> None:
    mode = Mode("MJPG", (1920, 1080), (60.0,), largest=True)
    assert mode.offers((1280, 720))
    assert not mode.offers((1280, 1200))
    assert not Mode("MJPG", (1920, 1080), ()).offers((1280, 720))
