"""`echo-rt live` as a user starts it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from echo_rt.sources import camera, find_recordings, open_source
from echo_rt.sources.camera import Camera
from echo_rt.sources.feed import FeedOptions
from support.live_parts import eventually
from support.program import echo_rt

SMALL = "phantom:?height=120&width=160&fps=30"


def test_a_source_that_ends_ends_the_command_well_with_a_summary(tmp_path: Path) -> None:
    run = echo_rt("live", f"{SMALL}&seconds=3&hr=100", "--view", "none", "--record", tmp_path / "kept")
    assert run.returncode == 0, run.stderr
    (line,) = run.stdout.splitlines()
    assert "readings" in line
    assert "dropped" in line
    assert "recorded in" in line
    assert "running" in run.stderr
    (take,) = find_recordings([tmp_path / "kept"])
    about = json.loads((Path(take) / "recording.json").read_text())
    assert about["frames"] == int(line.split(" readings")[0].split()[-1])
    assert about["model"].startswith("lv-edge")
    assert echo_rt("file", tmp_path / "kept", "--json").returncode == 0


def test_not_in_real_time_every_frame_is_read_and_file_gives_the_same(tmp_path: Path) -> None:
    address = f"{SMALL}&seconds=3&hr=100&ef=40"
    options = ("--view", "none", "--no-realtime", "--roi", "none")
    run = echo_rt("live", address, *options, "--record", tmp_path / "kept")
    assert run.returncode == 0, run.stderr
    assert "90 readings, dropped: none" in run.stdout
    (followed,) = json.loads(echo_rt("file", address, "--json").stdout)
    (again,) = json.loads(echo_rt("file", tmp_path / "kept", "--json").stdout)
    other = {"recording", "recording_id", "latency_ms", "spacing_note", "roi"}
    timeless = [{key: summary[key] for key in summary if key not in other} for summary in (followed, again)]
    assert timeless[0] == timeless[1]
    assert followed["beats"]


def started(*arguments: str) -> subprocess.Popen[str]:
    """The command line, begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "echo_rt", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "220"},
        # A shell that starts this in the background has it ignore Ctrl-C, and its children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_a_recording_whose_folder_was_moved_away_is_not_called_kept(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from echo_rt.commands.app import main; main()"]
    command = [*program, "live", SMALL, "--view", "none", "--roi", "none", "--record", str(tmp_path / "kept")]
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # see `started`
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeds)
    lines = tmp_path / "kept" / "take-001" / "readings.jsonl"
    eventually(lambda: lines.exists() and len(lines.read_bytes().splitlines()) > 3)
    (tmp_path / "kept").rename(tmp_path / "elsewhere")
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 2, error
    assert "recorded in" not in out
    assert "echo-rt: not all is recorded" in error
    assert "moved away" in error


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_cleanly_with_whole_files(number: int, tmp_path: Path) -> None:
    process = started("live", SMALL, "--view", "none", "--record", str(tmp_path))
    lines = tmp_path / "take-001" / "readings.jsonl"
    eventually(lambda: lines.exists() and len(lines.read_bytes().splitlines()) > 10)
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 128 + number, error
    assert "readings" in out
    assert "Traceback" not in error
    kept = len(lines.read_text().splitlines())
    assert json.loads((tmp_path / "take-001" / "recording.json").read_text())["frames"] == kept
    with open_source(tmp_path / "take-001") as source:
        assert sum(1 for _ in source) == kept


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_a_feed_that_is_not_there_yet_is_waited_for_and_can_be_ended() -> None:
    process = started("live", "rtsp://127.0.0.1:9/x", "--view", "none")
    assert process.stderr is not None
    said = ""
    while "source lost" not in said:
        said = process.stderr.readline()
        assert said, "it ended"
    assert "refused" in said
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert "0 readings" in out


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("live", "expected a source"),
        ("live missing.avi --view none", "found nothing at that path"),
        ("live phantom:?ef=200 --view none", "ef"),
        ("live 0 --view hologram", "--view"),
        ("live 0 --view none --size big", "--size"),
        ("live 0 --view none --pixel-format JPEGS", "--pixel-format"),
        ("live 0 --view none --roi here", "--roi"),
        ("live 0 --view none --forget-after 0", "--forget-after"),
        ("live phantom: --view none --ef-method guess", "expected an EF method"),
        ("doctor rtsp://127.0.0.1:9/x", "nothing listens there"),
    ],
)
def test_what_is_misspelt_is_one_line_and_status_2(arguments: str, found: str) -> None:
    run = echo_rt(*arguments.split())
    assert run.returncode == 2
    assert found in run.stderr + run.stdout
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) <= 1


def test_the_help_has_examples_a_line_each() -> None:
    lines = echo_rt("live", "--help").stdout.splitlines()
    examples = lines[lines.index("  EXAMPLES") + 1 :]
    assert all(line.startswith("    echo-rt live ") for line in examples[: examples.index("")])
    assert examples.index("") >= 3


def test_the_list_of_devices_names_them_or_says_that_there_are_none() -> None:
    run = echo_rt("live", "--list")
    assert run.returncode == 0
    assert "/dev/video" in run.stdout or "no cameras" in run.stdout


def test_on_linux_the_systems_list_names_each_device_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, index, device in (("video10", "0", "Card"), ("video2", "0", "Camera"), ("video3", "1", "Camera")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index").write_text(index + "\n")
        (tmp_path / name / "name").write_text(device + "\n")
    monkeypatch.setattr(camera, "SYSTEM_LIST", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert camera.cameras() == [("/dev/video2", "Camera"), ("/dev/video10", "Card")]


class StandInCapture:
    """OpenCV's capture of a device that is 640x480 YUYV whatever it is asked for, and gives three pictures."""

    def __init__(self, number: int, backend: int) -> None:
        self.number, self.left, self.asked = number, 3, []

    def isOpened(self) -> bool:
        return True

    def set(self, name: int, wanted: float) -> bool:
        self.asked.append((name, wanted))
        return True

    def get(self, name: int) -> float:
        cv2 = camera.cv2
        device = {
            cv2.CAP_PROP_FOURCC: int.from_bytes(b"YUYV", "little"),
            cv2.CAP_PROP_FRAME_WIDTH: 640,
            cv2.CAP_PROP_FRAME_HEIGHT: 480,
            cv2.CAP_PROP_FPS: 30,
        }
        return device.get(name, 0)

    def read(self):
        import numpy as np

        self.left -= 1
        return self.left >= 0, np.zeros((480, 640, 3), np.uint8)

    def release(self) -> None: ...


def test_a_camera_is_asked_and_what_it_does_otherwise_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # No camera is at hand here: a stand-in shows what is asked of OpenCV, and in which order.
    monkeypatch.setattr(camera.cv2, "VideoCapture", StandInCapture)
    monkeypatch.setattr(camera, "check_device", lambda path: None)
    with Camera("/dev/video7", FeedOptions((1280, 720), 30.0, "mjpg")) as source:
        capture = source._capture
        assert capture.number == 7
        assert capture.asked[0] == (camera.cv2.CAP_PROP_FOURCC, int.from_bytes(b"MJPG", "little"))
        assert source.note == "the camera gives pixel format YUYV instead of MJPG, size 640x480 instead of 1280x720"
        first, second = next(source), next(source)
        assert second.t_s > first.t_s == 0
        next(source)
        with pytest.raises(OSError, match="check its cable"):
            next(source)


def test_several_feeds_are_recorded_each_in_its_own_folder_and_each_has_its_line(tmp_path: Path) -> None:
    feeds = (f"healthy={SMALL}&seconds=3&hr=100&ef=60", f"weak={SMALL}&seconds=3&hr=100&ef=30")
    options = ("--view", "none", "--no-realtime", "--roi", "none", "--record", tmp_path / "kept")
    run = echo_rt("live", *feeds, *options)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["healthy", "weak"]
    assert all("90 readings, dropped: none" in line for line in lines)
    assert "healthy: running" in run.stderr
    assert find_recordings([tmp_path / "kept"]) == [
        tmp_path / "kept" / name / "take-001" for name in ("healthy", "weak")
    ]
    found = json.loads(echo_rt("file", tmp_path / "kept", "--json").stdout)
    alone = json.loads(echo_rt("file", f"{SMALL}&seconds=3&hr=100&ef=30", "--json").stdout)
    assert found[1]["beats"] == alone[0]["beats"], "what another feed does changes nothing"
    assert found[0]["ef_percent"] > found[1]["ef_percent"] + 20


def test_two_feeds_that_are_no_two_views_say_so_and_the_file_too(tmp_path: Path) -> None:
    feed = f"{SMALL}&seconds=3&hr=100"
    options = ("--biplane", "--view", "none", "--no-realtime", "--roi", "none", "--record", tmp_path)
    run = echo_rt("live", f"A4C={feed}", f"A2C={feed}", *options)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].startswith("biplane: no EF: expected")
    assert "expected" in (tmp_path / "biplane.csv").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_of_several_feeds_one_that_is_not_there_keeps_none_from_running_and_all_can_be_ended(tmp_path: Path) -> None:
    process = started(
        "live", SMALL, "gone=rtsp://127.0.0.1:9/x", "--view", "none", "--roi", "none", "--record", str(tmp_path)
    )
    lines = tmp_path / "phantom" / "take-001" / "readings.jsonl"
    eventually(lambda: lines.exists() and len(lines.read_bytes().splitlines()) > 10)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT, error
    assert "gone: source lost" in error
    first, second = out.splitlines()
    assert first.startswith("phantom: ")
    assert second.startswith("gone: ")
    assert "0 readings" in second
    kept = len(lines.read_text().splitlines())
    assert json.loads((tmp_path / "phantom" / "take-001" / "recording.json").read_text())["frames"] == kept


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("live 0 1", "expected web or none for 2 sources, found 'window'"),
        ("live 0 missing.avi --view none", "found nothing at that path"),
        ("live a=0 A=1 --view none", "expected a name of its own"),
        ("live 0 1 2 --view none --biplane", "biplane: expected two sources"),
        ("live 0 --view none --biplane", "biplane: expected two sources"),
        ("live 0 1 --view none --biplane --ef-method area", "biplane: expected the EF method disks"),
        ("live 0 1 --view none --height-cm 180 --weight-kg 80", "may be of several patients"),
    ],
)
def test_what_does_not_fit_several_feeds_is_one_line_and_status_2(arguments: str, found: str) -> None:
    run = echo_rt(*arguments.split())
    assert run.returncode == 2
    assert found in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
