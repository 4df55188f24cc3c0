"""Senders that are ahead of time: recordings over HTTP, streams in segments, bursts; and those that are on time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.errors import SourceFormatError
from echo_rt.live.status import Phase
from echo_rt.sources import network, open_source, pace
from echo_rt.sources.feed import FeedClock
from echo_rt.sources.network import FORGIVEN, JITTER_S, NetworkStream
from echo_rt.sources.pace import TARDY_S, Paced, PlayOut
from support import clips
from support.live_parts import Given, Running, frames
from support.web import Waited, web

FPS = 30


def played(arrivals_s: list[float], play_out: PlayOut, decode_s: float = 0.0) -> list[float]:
    """When each of the frames of a steady 30 fps is shown that reach this machine at these times."""
    shown, free_s = [], 0.0
    for index, arrived_s in enumerate(arrivals_s):
        starved_s = max(0.0, arrived_s - free_s)
        now_s = max(free_s, arrived_s) + decode_s
        free_s = now_s + play_out.wait_s(7 + index / FPS, now_s, starved_s)
        shown.append(free_s)
    return shown


def http() -> PlayOut:
    """As for a stream over HTTP without an end."""
    return PlayOut(JITTER_S, FORGIVEN)


def bursts(count: int, seconds: float, late_s: float = 0.0) -> list[float]:
    """Arrivals of `count` frames, each `seconds` at once; all bursts but the first come late."""
    size = round(seconds * FPS)
    return [(n // size) * seconds + (late_s if n >= size else 0.0) for n in range(count)]


def test_a_sender_on_time_is_never_held_up() -> None:
    rng = np.random.default_rng(0)
    jitter = rng.uniform(0, 0.9 * JITTER_S, 3000)
    jitter[0] = 0.9 * JITTER_S  # the worst case: all others seem early
    arrivals = list(np.maximum.accumulate(np.arange(3000) / FPS + jitter))
    assert played(arrivals, http()) == pytest.approx(arrivals)


def test_a_stream_that_was_held_up_on_the_way_catches_up_at_once() -> None:
    arrivals = [max(n / FPS, 7.0) if 4 <= n / FPS < 7 else n / FPS for n in range(600)]
    shown = played(arrivals, http())
    assert shown == pytest.approx(arrivals)
    assert shown[-1] == pytest.approx(599 / FPS), "nothing of the delay stays"


@pytest.mark.parametrize("seconds", [1.0, 2.0, 6.0])
@pytest.mark.parametrize("late_s", [0.0, 0.04, 0.7])
def test_bursts_are_spread_over_their_time(seconds: float, late_s: float) -> None:
    for play_out in (PlayOut(), http()):
        shown = np.array(played(bursts(round(20 * FPS * seconds), seconds, late_s), play_out))
        steps = np.diff(shown)[round(4 * FPS * seconds) :]
        # What is a little late is shown at once, and not made up for by waiting ever after.
        assert steps == pytest.approx(np.full_like(steps, 1 / FPS), abs=(late_s if late_s < TARDY_S else 0) + 1e-9)


def test_bursts_of_a_stream_that_was_met_in_the_middle_of_one_are_spread_as_well() -> None:
    arrivals = [0.0] * 10 + [2.0 * (1 + n // 60) for n in range(1200)]
    steps = np.diff(played(arrivals, http()))[-900:]
    assert steps == pytest.approx(np.full_like(steps, 1 / FPS), abs=1e-9)


def test_a_machine_that_was_held_up_itself_catches_up_with_segments_that_are_there() -> None:
    play_out = PlayOut()
    shown = [play_out.wait_s(n / FPS, n / FPS) for n in range(60)]
    assert shown == [0.0] * 60
    for n in range(60, 90):  # 1.5 s late, though the frames were there
        assert play_out.wait_s(n / FPS, 3.5 + n / 1000) == 0
    assert play_out.wait_s(4.9, 4.0) == pytest.approx(0.9), "due as before"


def test_one_that_is_too_slow_for_its_stream_goes_on_from_where_it_is() -> None:
    late = [n * 0.1 - n / FPS for n in range(300)]
    shown = played([0.0] * 300, PlayOut(), decode_s=0.1)
    assert shown == pytest.approx([(n + 1) * 0.1 for n in range(300)])
    assert late[-1] > 15, "it was late all the time"


def test_a_stream_whose_clock_was_set_anew_goes_on_at_once() -> None:
    play_out = PlayOut()
    play_out.wait_s(1e6, 0.0)
    assert play_out.wait_s(1e6 + 0.033, 0.0) == pytest.approx(0.033)
    assert play_out.wait_s(5.0, 0.05) == 0
    assert play_out.wait_s(5.033, 0.05) == pytest.approx(0.033)


@pytest.mark.parametrize("leap_s", [6.0, 3600.0])
def test_what_comes_after_a_gap_in_the_stamps_is_not_waited_for(leap_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for play_out in (PlayOut(), http()):
        assert play_out.wait_s(7.0, 0.0) == 0
        assert play_out.wait_s(7.0 + leap_s, 0.04) == 0
        assert play_out.wait_s(7.5 + leap_s, 0.08) == pytest.approx(0.46), "and from there on as before"
    waited = Waited(monkeypatch)
    monkeypatch.setattr(pace, "time", network.time)
    monkeypatch.setattr(pace, "threading", network.threading)
    leapt = [replace(frame, t_s=frame.t_s + leap_s) for frame in frames(10, start=10)]
    with Paced(Given([*frames(10), *leapt])) as source:
        shown = list(source)
    assert [frame.t_s for frame in shown] == [frame.t_s for frame in [*frames(10), *leapt]], "their times stay"
    assert sum(waited.waits) == pytest.approx(18 / 50)


# -- the times of frames -----------------------------------------------------------------------------------------------


def times(stamps: list[float | None], arrivals: list[float]) -> np.ndarray:
    clock = FeedClock()
    return np.array([clock.at(stamp, arrived) for stamp, arrived in zip(stamps, arrivals, strict=True)])


STEADY = [7 + n / FPS for n in range(600)]


@pytest.mark.parametrize(
    "arrivals",
    [
        bursts(600, 2.0), bursts(600, 6.0, late_s=0.5), [n / 2000 for n in range(600)],
        [max(n / FPS, 9.0) if 5 <= n / FPS < 9 else n / FPS for n in range(600)], [n / 25 for n in range(600)],
    ],
    ids=["2 s at once", "6 s at once", "all in 0.3 s", "held up for 4 s", "a slow network"],
)  # fmt: skip
def test_times_are_the_senders_however_its_frames_arrive(arrivals: list[float]) -> None:
    assert times(list(STEADY), arrivals) == pytest.approx(np.arange(600) / FPS)


def test_frames_that_were_lost_on_the_way_leave_their_gap() -> None:
    kept = [n for n in range(600) if not 100 <= n < 220]
    assert times([STEADY[n] for n in kept], [0.001 * n for n in kept]) == pytest.approx(np.array(kept) / FPS)


@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.1], ids=["stands still", "milliseconds for seconds", "a tenth"])
def test_a_clock_that_does_not_go_on_is_not_believed(rate: float) -> None:
    arrivals = [50 + n / FPS for n in range(1200)]
    found = times([5 + rate * n / FPS for n in range(1200)], arrivals)
    assert (np.diff(found) > 0).all()
    assert found[-600:] == pytest.approx(np.arange(600, 1200) / FPS)


def test_a_clock_that_stops_late_is_found_out_as_soon() -> None:
    stamps = [min(n, 1500) / FPS for n in range(1600)]
    assert times(stamps, [n / FPS for n in range(1600)])[-50:] == pytest.approx(np.arange(1550, 1600) / FPS)


def test_stamps_in_the_wrong_unit_are_not_taken_for_time() -> None:
    found = times([1000 * stamp for stamp in STEADY], [n / FPS for n in range(600)])
    assert found == pytest.approx(np.arange(600) / FPS)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.floats(-1e6, 1e6)), st.floats(0, 30)), min_size=2, max_size=30),
)
def test_times_go_forward_whatever_comes(frames: list[tuple[float | None, float]]) -> None:
    arrivals = np.cumsum([passed for _, passed in frames])
    assert (np.diff(times([stamp for stamp, _ in frames], list(arrivals))) > 0).all()


# -- over HTTP ---------------------------------------------------------------------------------------------------------

MOVIES = [
    ("a.mp4", "libx264", {}), ("b.mp4", "libx264", {"movflags": "faststart"}), ("a.mkv", "libx264", {}),
    ("a.avi", "mpeg4", {}), ("a.ts", "libx264", {}), ("a.mov", "mpeg4", {"movflags": "faststart"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "codec", "container"), MOVIES)
def test_a_recording_over_http_gives_every_frame_at_its_time_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, container: dict[str, str]
) -> None:
    path = clips.write_video(tmp_path / name, clips.grey_images(45), FPS, codec, container=container)
    with open_source(path) as source:
        expected = list(source)
    waited = Waited(monkeypatch)
    with web(tmp_path) as address, open_source(f"{address}/{name}") as source:
        assert isinstance(source, NetworkStream)
        assert source.ends
        frames = list(source)
    assert len(frames) == len(expected) == 45
    for one, other in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.t_s == pytest.approx(other.t_s - expected[0].t_s, abs=2e-3)
    # Whoever watches sees it for as long as it is.
    assert sum(waited.waits) == pytest.approx(44 / FPS, abs=2e-3)


def test_a_recording_over_http_is_finished_at_its_end_and_not_opened_again(tmp_path: Path) -> None:
    clips.write_video(tmp_path / "a.mp4", clips.grey_images(20), FPS, container={"movflags": "faststart"})
    with web(tmp_path) as address, Running(lambda: open_source(f"{address}/a.mp4")) as running:
        status = running.wait()
    assert (status.phase, status.message, status.counts.reopened) == (Phase.ENDED, "", 0)
    assert status.counts.frames + status.counts.dropped_frames == 20
    assert Phase.LOST not in running.looker.phases


def test_a_turned_recording_is_turned_over_http_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Waited(monkeypatch)
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(5), container={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 20] = b"\xff\xff\0\0" + bytes(12) + b"\xff\xff\0\0"  # upside down
    path.write_bytes(data)
    with web(tmp_path) as address, open_source(f"{address}/a.mp4") as source:
        frames = list(source)
    assert np.abs(frames[2].image[::-1, ::-1, 1].astype(int) - clips.grey_images(5)[2]).mean() < 4
    assert source.notes == ["turned by 180 degrees clockwise, as its display matrix says"]


def test_a_recording_without_times_over_http_has_to_be_downloaded(tmp_path: Path) -> None:
    clips.write_video(tmp_path / "a.mjpeg", clips.grey_images(9), 25, "mjpeg", "yuvj420p")
    with (
        web(tmp_path) as address,
        pytest.raises(SourceFormatError, match=r"found a bare .*; download it"),
        open_source(f"{address}/a.mjpeg"),
    ):
        pass


def test_a_sender_without_an_end_that_is_faster_than_its_clock_waits_for_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = clips.grey_images(90)
    clips.write_video(tmp_path / "a.ts", images, FPS, "mpeg2video", options={"g": "5"}).rename(tmp_path / "a.live")
    waited = Waited(monkeypatch)
    with web(tmp_path) as address, open_source(f"{address}/a.live") as source:
        assert not source.ends
        frames = list(source)
    assert len(frames) > 40  # it begins where it was met
    assert np.diff([frame.t_s for frame in frames]) == pytest.approx(1 / FPS, abs=1e-4)
    assert sum(waited.waits) == pytest.approx((len(frames) - 1) / FPS, abs=0.04)


def test_a_stream_that_changes_to_other_pixels_is_shown_with_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Waited(monkeypatch)
    for name, aspect, size in (("a.ts", Fraction(3, 2), (48, 64)), ("b.ts", Fraction(1), (60, 80))):
        with av.open(str(tmp_path / name), "w") as file:
            stream = file.add_stream("libx264", rate=FPS, options={"g": "5"})
            stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.sample_aspect_ratio = aspect
            for image in clips.grey_images(40, *size):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "gray").reformat(format="yuv420p")))
            file.mux(stream.encode())
    (tmp_path / "a.live").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    with web(tmp_path) as address, open_source(f"{address}/a.live") as source:
        shapes = [frame.image.shape for frame in source]
    assert shapes[0] == (48, 96, 3), "three columns for two"
    assert shapes[-1] == (60, 80, 3)
    assert set(shapes) == {shapes[0], shapes[-1]}


@pytest.mark.parametrize("over", [False, True])
def test_a_stream_in_segments_is_steady_and_only_a_finished_one_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: bool
) -> None:
    flags = {} if over else {"hls_flags": "omit_endlist"}
    container = {"hls_time": "1", "hls_list_size": "0", **flags}
    path = tmp_path / "a.m3u8"
    with av.open(str(path), "w", format="hls", options=container) as file:
        stream = file.add_stream("libx264", rate=FPS, options={"g": str(FPS), "sc_threshold": "0"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for image in clips.grey_images(3 * FPS):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "gray").reformat(format="yuv420p")))
        file.mux(stream.encode())
    waited = Waited(monkeypatch)
    with web(tmp_path) as address, open_source(f"{address}/a.m3u8") as source:
        assert (source.ends, source.patience_s > 10) == (over, True)
        frames = list(source if over else islice(source, 80))
    assert len(frames) == (90 if over else 80)
    assert np.diff([frame.t_s for frame in frames]) == pytest.approx(1 / FPS, abs=1e-4)
    assert waited.waits[1:] == pytest.approx(np.full(len(frames) - 1, 1 / FPS), abs=1e-4)
    assert all(later.t_s > one.t_s for one, later in pairwise(frames))
