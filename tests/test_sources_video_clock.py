"""The times of a video's frames: stamps that stand still, that lie, and headers that say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.sources import open_source
from echo_rt.sources.clock import StampClock
from support import clips
from support.reading import read


def run(stamps: Sequence[float | None], fps: float | None = 50) -> list[float]:
    clock = StampClock(Path("a"), fps)
    return [clock.at(stamp) for stamp in stamps]


def test_time_stamps_that_stand_still_or_go_back_are_made_to_go_forward() -> None:
    assert run([0.1, 0.12, None, 0.16]) == pytest.approx([0.1, 0.12, 0.14, 0.16])
    assert run([0.0, 0.02, 0.02, 0.04]) == pytest.approx([0, 0.02, 0.022, 0.04])
    assert run([None, None, None]) == pytest.approx([0, 0.02, 0.04])
    assert run([9.0, 9.02, 0.0, 0.04, 0.06]) == pytest.approx([9, 9.02, 9.04, 9.08, 9.1])
    with pytest.raises(SourceFormatError, match="found neither; give its frame rate with --fps"):
        run([0.0, None], fps=None)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e4, 1e4)), min_size=2, max_size=40))
def test_times_go_forward_whatever_the_stamps(stamps: list[float | None]) -> None:
    assert (np.diff(run(stamps)) > 0).all()


def restamped(path: Path, seconds: Sequence[float], rate: int = 25, ticks: int = 90_000) -> Path:
    """A video of as many frames with these time stamps, and that rate in its header where the format has one."""
    codec = "libx264" if path.suffix == ".mp4" else "mjpeg"
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, options={"bf": "0"} if codec == "libx264" else {})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p" if codec == "libx264" else "yuvj420p"
        packets = []
        for index, image in enumerate(clips.grey_images(len(seconds))):
            frame = av.VideoFrame.from_ndarray(image, "gray").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            packets += stream.encode(frame)
        packets += stream.encode()
        for packet, second in zip(packets, seconds, strict=True):
            packet.time_base = Fraction(1, ticks)
            packet.pts = packet.dts = round(second * ticks)
            packet.duration = 1
            file.mux(packet)
    return path


def test_the_stamps_win_over_the_headers_rate_with_a_note(tmp_path: Path) -> None:
    seconds = [round(index / 30, 3) for index in range(40)]
    path = restamped(tmp_path / "a.mkv", seconds, rate=1000)
    with open_source(path) as source:
        promised = source.fps
        assert [frame.t_s for frame in source] == pytest.approx(seconds, abs=1e-6)
        assert source.fps == pytest.approx(30, rel=0.02)
        notes = source.notes
    assert promised == 1000
    assert notes == ["the header says 1000 frames a second, the time stamps 30.3: the stamps are used"]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_a_header_that_agrees_with_its_stamps_is_not_worth_a_word(tmp_path: Path, name: str) -> None:
    codec, pix_fmt = ("mjpeg", "yuvj420p") if name != "a.mp4" else ("libx264", "yuv420p")
    path = clips.write_video(tmp_path / name, clips.grey_images(40), 30, codec, pix_fmt)
    with open_source(path) as source:
        assert len(list(source)) == 40
        assert (source.notes, source.fps) == ([], pytest.approx(30, rel=0.01))


def test_a_variable_rate_is_no_contradiction(tmp_path: Path) -> None:
    seconds = [index / 30 for index in range(60) if index % 5]
    with open_source(restamped(tmp_path / "a.mp4", seconds, rate=30)) as source:
        assert np.diff([frame.t_s for frame in source]) == pytest.approx(np.diff(seconds), abs=1e-4)
        assert source.notes == []


@pytest.mark.parametrize(
    ("name", "seconds", "found"),
    [
        ("a.mkv", [0.0] * 12, "11 of 12 that stand still"),
        ("a.mkv", [0.0] * 40, "of 30 that stand still"),
        ("a.mp4", [index / 9000 for index in range(60)], "e[+]0[34] frames a second"),  # all within 7 ms
        ("a.mkv", [index * 40.0 for index in range(20)], "0.025 frames a second"),  # milliseconds taken for seconds
    ],
)
def test_stamps_that_no_scanner_has_ask_for_the_rate_and_are_not_used_where_it_is_given(
    tmp_path: Path, name: str, seconds: list[float], found: str
) -> None:
    path = restamped(tmp_path / name, seconds)
    with pytest.raises(ParameterError, match=found + r".*give the frame rate with --fps"):
        read(path)
    assert [frame.t_s for frame in read(path, fps=25)] == pytest.approx([n / 25 for n in range(len(seconds))])


@pytest.mark.parametrize(("delay_ms", "fps"), [(0, None), (20, 50), (40, 25)])
def test_a_gif_without_delays_has_no_clock(tmp_path: Path, delay_ms: int, fps: float | None) -> None:
    pictures = [Image.fromarray(image) for image in clips.grey_images(40)]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=delay_ms)
    if fps is None:
        with pytest.raises(ParameterError, match="found an animation whose pictures follow at once; give its frame"):
            read(path)
    times = [frame.t_s for frame in read(path, fps or 30)]
    assert np.diff(times) == pytest.approx(1 / (fps or 30))
    if fps is not None:
        assert [frame.t_s for frame in read(path)] == pytest.approx(times)
