"""Streams of real servers on loopback: GStreamer's RTSP server, FFmpeg's UDP and HTTP."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

import echo_rt.live.capture as capture_module
from echo_rt.cardiac.verdict import MAX_GAP_S
from echo_rt.doctor.feed import examine_source
from echo_rt.errors import EchoRtError, SourceError
from echo_rt.live.status import Phase
from echo_rt.sources import is_feed, network, open_source
from echo_rt.sources.feed import FeedClock, plausible_spacing
from echo_rt.sources.network import shown
from support.live_parts import Running

SYSTEM_PYTHON = "/usr/bin/python3"
FFMPEG = shutil.which("ffmpeg")

needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg (Debian: apt install ffmpeg)")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def processes() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process that is killed with the test."""
    with ExitStack() as running:

        def start(*command: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            running.callback(process.stdout.close)
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        yield start


@pytest.fixture
def rtsp(processes) -> Callable[..., subprocess.Popen[str]]:
    bindings = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if (
        not Path(SYSTEM_PYTHON).exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", bindings], capture_output=True, check=False).returncode
    ):
        pytest.skip(
            "no RTSP server (Debian: apt install gir1.2-gst-rtsp-server-1.0 python3-gi "
            "gstreamer1.0-plugins-{base,good,ugly})"
        )

    def serve(port: int, width: int = 320, height: int = 240) -> subprocess.Popen[str]:
        process = processes(
            SYSTEM_PYTHON,
            str(Path(__file__).with_name("support") / "rtsp_server.py"),
            str(port),
            str(width),
            str(height),
        )
        assert process.stdout.readline() == "ready\n"
        return process

    return serve


def ffmpeg_stream(to: list[str], size: str = "320x240") -> list[str]:
    assert FFMPEG is not None
    picture = [
        "-re",
        "-f",
        "lavfi",
        "-i",
        f"testsrc=size={size}:rate=30",
        "-c:v",
        "mpeg2video",
        "-g",
        "10",
        "-b:v",
        "2M",
    ]
    return [FFMPEG, "-hide_banner", "-loglevel", "error", *picture, *to]


def first_frames(uri: str, count: int = 15) -> list:
    with open_source(uri) as source:
        return list(islice(source, count))


def check(frames: list, shape: tuple[int, ...] = (240, 320, 3)) -> None:
    assert {frame.image.shape for frame in frames} == {shape}
    assert all(later.t_s > one.t_s for one, later in pairwise(frames))
    # At 30 fps, by the sender's clock, however they arrived.
    assert 0.3 < frames[-1].t_s - frames[0].t_s < 1.5
    assert frames[0].spacing_mm is None
    assert (frames[0].image != frames[-1].image).any()


def test_an_rtsp_stream_is_read(rtsp) -> None:
    rtsp(port := free_port())
    check(first_frames(f"rtsp://127.0.0.1:{port}/echo"))


@needs_ffmpeg
def test_a_udp_stream_is_read(processes) -> None:
    port = free_port(socket.SOCK_DGRAM)
    processes(*ffmpeg_stream(["-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316"]))
    check(first_frames(f"udp://127.0.0.1:{port}"))


@needs_ffmpeg
def test_an_http_stream_is_read(processes) -> None:
    port = free_port()
    processes(*ffmpeg_stream(["-f", "mpegts", "-listen", "1", f"http://127.0.0.1:{port}/echo.ts"]))
    wait_for_port_of_ffmpeg(port)
    check(first_frames(f"http://127.0.0.1:{port}/echo.ts"))


def wait_for_port_of_ffmpeg(port: int) -> None:
    # It serves one client alone, so that it cannot be asked by connecting.
    from support.live_parts import eventually

    eventually(lambda: f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text())


def test_a_server_killed_and_restarted_five_times_comes_back_five_times(rtsp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_module, "BACK_OFF_S", (0.1, 0.5))
    port = free_port()
    server = rtsp(port)
    with Running(lambda: open_source(f"rtsp://127.0.0.1:{port}/echo")) as running:
        for number in range(5):
            running.until(
                lambda update, number=number: (
                    update.status.phase is Phase.RUNNING and update.status.counts.reopened == number
                )
            )
            server.kill()
            server.wait()
            lost = running.until(lambda update: update.status.phase is Phase.LOST)
            assert lost.status.message
            # It comes back with another size the last time.
            server = rtsp(port, *((400, 304) if number == 4 else ()))
        running.until(lambda update: update.status.phase is Phase.RUNNING and update.status.counts.reopened == 5)
        running.until(lambda update: update.frame is not None and update.frame.image.shape == (304, 400, 3))
        status = running.end()
    assert status.counts.reopened == 5


@needs_ffmpeg
def test_a_udp_sender_that_falls_silent_is_lost_and_found_again(processes) -> None:
    port = free_port(socket.SOCK_DGRAM)
    command = ffmpeg_stream(["-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316"])
    sender = processes(*command)
    with Running(lambda: open_source(f"udp://127.0.0.1:{port}")) as running:
        running.until(lambda update: update.status.counts.frames > 5)
        sender.kill()
        running.until(lambda update: update.status.phase is Phase.LOST)
        processes(*command)
        running.until(lambda update: update.status.counts.reopened == 1 and update.status.phase is Phase.RUNNING)


def test_a_server_that_says_nothing_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "OPEN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(SourceError, match="no answer in time"):
        first_frames(f"http://127.0.0.1:{silent.getsockname()[1]}/x")


def test_nobody_there_is_one_line_with_what_to_do() -> None:
    with pytest.raises(SourceError, match=r"refused.*echo-rt doctor") as caught:
        first_frames(f"rtsp://user:secret@127.0.0.1:{free_port()}/x")
    assert "secret" not in str(caught.value)
    assert shown("rtsp://user:secret@host:1/x") == "rtsp://host:1/x"


@pytest.mark.parametrize(
    ("uri", "step", "found"),
    [
        ("rtsp://no-such-host.invalid/x", "host", "no such host"),
        ("rtsp://127.0.0.1:{port}/x", "port", "nothing listens there"),
        ("igtl://127.0.0.1:{port}", "port", "refuses connections"),
        ("/dev/video93", "picture", "no such device"),
        ("missing.avi", "picture", "found nothing at that path"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the device file is Linux's")
def test_the_doctor_says_at_which_step_a_feed_fails_and_what_to_do(uri: str, step: str, found: str) -> None:
    findings = examine_source(uri.format(port=free_port()))
    assert all(finding.ok for finding in findings[:-1])
    assert (findings[-1].name, findings[-1].ok) == (step, False)
    assert found in findings[-1].text
    assert ";" in findings[-1].text, "what to do"


def test_the_doctor_sees_the_first_picture() -> None:
    (finding,) = examine_source("phantom:?height=120&width=160&overlay=0")
    assert finding.ok
    assert "160x120" in finding.text


def test_a_feeds_clock_follows_the_sender_and_outlives_its_jumps() -> None:
    clock = FeedClock()
    assert clock.at(1000.0, 50.0) == 0.0
    # Jitter on the way does not show.
    assert clock.at(1000.04, 50.09) == pytest.approx(0.04)
    assert clock.at(1000.08, 50.09) == pytest.approx(0.08)
    # The sender's clock was set: this machine's goes on.
    assert clock.at(5.0, 50.12) == pytest.approx(0.12)
    assert clock.at(5.04, 50.20) == pytest.approx(0.16)
    # The same stamp twice, none, and one that goes back.
    times = [clock.at(stamp, 50.22 + n / 100) for n, stamp in enumerate((5.04, None, 5.0))]
    assert all(later > one for one, later in pairwise([0.16, *times]))


def test_no_beat_runs_across_a_clock_that_was_set_anew() -> None:
    clock = FeedClock()
    before = [clock.at(1000 + n / 25, 50 + n / 25) for n in range(50)]
    after = [clock.at(4600 + n / 25, 52 + n / 25) for n in range(50)]
    assert MAX_GAP_S < after[0] - before[-1] < 1.0
    assert np.diff(after) == pytest.approx(1 / 25), "and only once"


def test_what_is_a_feed_and_what_is_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert all(map(is_feed, ("0", "/dev/video0", "rtsp://h/x", "udp://h:1", "https://h/x", "igtl://h")))
    assert not any(map(is_feed, ("clip.avi", "phantom:?ef=1", "C:clip.avi", "C0")))
    (tmp_path / "0").mkdir()
    assert not is_feed("0"), "a folder of that name"


def test_a_scale_that_does_not_fit_a_chest_is_none() -> None:
    assert plausible_spacing((0.3, 0.3), (480, 640)) == (0.3, 0.3)
    assert plausible_spacing((1.0, 1.0), (480, 640)) is None
    assert plausible_spacing((0.0, 0.0), (480, 640)) is None


def test_errors_of_feeds_are_ours() -> None:
    for uri in ("igtl://", "rtsp://:x/", "udp://127.0.0.1:1x"):
        with pytest.raises(EchoRtError):
            first_frames(uri)
