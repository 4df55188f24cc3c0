"""Videos: their clocks, their colours, and what happens to damaged ones."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.frame import Frame
from echo_rt.sources import open_source
from support import clips

AVI = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}


def read(path: Path, fps: float | None = None) -> list[Frame]:
    with open_source(path, fps) as source:
        return list(source)


def refused(path: Path) -> str:
    with pytest.raises(SourceFormatError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: expected ")
    assert ", found " in message
    return message


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p"), ("a.avi", "mpeg4", "yuv420p"), ("a.avi", "libx264", "yuv420p"),
        ("a.mkv", "ffv1", "bgr0"), ("a.mov", "libx264", "yuv444p"),
    ],
)  # fmt: skip
def test_every_frame_of_a_video_comes_in_order_at_its_time(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    images = clips.grey_images(30)
    path = clips.write_video(tmp_path / name, images, 50, codec, pix_fmt)
    with open_source(path) as source:
        assert (source.name, source.view, source.spacing_mm) == (name, None, None)
        assert source.spacing_note
        assert source.fps == 50
        assert source.frames == (None if name.endswith("mkv") else 30)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.t_s for frame in frames] == pytest.approx([index / 50 for index in range(30)], abs=6e-4)
    shown = np.stack([frame.image[..., 1] for frame in frames])
    assert shown.dtype == np.uint8
    assert np.abs(shown.astype(int) - images).mean() < 4


def test_colours_are_bgr(tmp_path: Path) -> None:
    images = clips.colour_images(3)
    lossless = clips.write_video(tmp_path / "a.mkv", images, codec="ffv1", pix_fmt="bgr0")
    np.testing.assert_array_equal(np.stack([frame.image for frame in read(lossless)]), images)
    lossy = clips.write_video(tmp_path / "a.mp4", images, options={"qp": "1"})
    shown = np.stack([frame.image for frame in read(lossy)]).astype(int)
    for left in (4, 20, 36):
        patch = np.s_[:, 31:37, left + 3 : left + 9]
        assert np.abs(shown[patch] - images[patch]).max() < 12


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le"])
def test_grey_video_gives_grey_images(tmp_path: Path, pix_fmt: str) -> None:
    images = clips.grey_images(3, 47, 61)
    path = clips.write_video(tmp_path / "a.mkv", images, codec="ffv1", pix_fmt=pix_fmt)
    shown = np.stack([frame.image for frame in read(path)])
    assert shown.shape == images.shape
    assert np.abs(shown.astype(int) - images).max() <= 1


def test_time_stamps_of_a_variable_rate_mp4_are_kept(tmp_path: Path) -> None:
    times_ms = [0, 20, 40, 100, 120, 250, 251, 300]
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(8), times_ms=times_ms)
    assert [frame.t_s for frame in read(path)] == pytest.approx([ms / 1000 for ms in times_ms], abs=6e-4)


def test_fps_replaces_the_time_stamps(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(4), times_ms=[0, 20, 90, 100])
    with open_source(path, fps=10) as source:
        assert source.fps == 10
        assert [frame.t_s for frame in source] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_delays_of_a_gif_are_its_time_stamps(tmp_path: Path) -> None:
    images = clips.grey_images(5)
    path = tmp_path / "a.gif"
    from PIL import Image

    first, *others = (Image.fromarray(image) for image in images)
    first.save(path, save_all=True, append_images=others, duration=[50, 200, 30, 80, 50])
    frames = read(path)
    assert [frame.t_s for frame in frames] == pytest.approx([0, 0.05, 0.25, 0.28, 0.36])
    assert np.abs(np.stack([frame.image[..., 0] for frame in frames]).astype(int) - images).mean() < 2


@pytest.mark.parametrize("name", ["a.h264", "a.mjpeg"])
def test_a_bare_stream_has_no_clock_and_asks_for_fps(tmp_path: Path, name: str) -> None:
    codec, pix_fmt = ("libx264", "yuv420p") if name == "a.h264" else ("mjpeg", "yuvj420p")
    path = clips.write_video(tmp_path / name, clips.grey_images(5), 60, codec, pix_fmt)
    with pytest.raises(ParameterError, match="--fps"):
        read(path)
    assert [frame.t_s for frame in read(path, fps=60)] == pytest.approx([index / 60 for index in range(5)])


def test_time_stamps_that_stand_still_or_go_back_are_made_to_go_forward() -> None:
    from echo_rt.sources.video import _Clock

    def run(stamps: list[float | None]) -> list[float]:
        clock = _Clock(Path("a"), 50)
        return [clock.at(stamp) for stamp in stamps]

    assert run([0.1, 0.12, None, 0.16]) == pytest.approx([0.1, 0.12, 0.14, 0.16])
    assert run([0.0, 0.02, 0.02, 0.04]) == pytest.approx([0, 0.02, 0.022, 0.04])
    assert run([None, None, None]) == pytest.approx([0, 0.02, 0.04])
    assert run([9.0, 9.02, 0.0, 0.04, 0.06]) == pytest.approx([9, 9.02, 9.04, 9.08, 9.1])


def test_rotation_metadata_is_ignored(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(3))
    data = bytearray(path.read_bytes())
    # The matrix of the track header: identity to a quarter turn, in 16.16 fixed point.
    identity = b"\0\1\0\0" + b"\0" * 12 + b"\0\1\0\0" + b"\0" * 12 + b"\x40\0\0\0"
    quarter = b"\0\0\0\0" + b"\0\1\0\0" + b"\0\0\0\0" + b"\xff\xff\0\0" + b"\0" * 16 + b"\x40\0\0\0"
    at = data.index(identity, data.index(b"tkhd"))
    data[at : at + 36] = quarter
    path.write_bytes(data)
    with av.open(str(path)) as file:
        frame = next(file.decode(video=0))
        assert abs(getattr(frame, "rotation", 90)) == 90  # PyAV says since 14 what it read
    assert read(path)[0].image.shape == (48, 64, 3)


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_a_truncated_avi_is_refused(tmp_path: Path, codec: str, share: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 48, 64), np.uint8)
    path = clips.write_video(
        tmp_path / "a.avi", images, codec=codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
    )
    message = refused(clips.cut(path, share))
    assert "expected 60 frames" in message
    assert "truncated" in message


def test_an_avi_cut_within_its_first_frames_is_refused(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(60), **AVI)
    position = clips.packets_of(path)[1][0]
    path.write_bytes(path.read_bytes()[: position + 20])
    assert "60 frames" in refused(path) or "at least 2 frames" in refused(path)


def test_an_avi_that_lost_only_its_index_is_whole(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), **AVI)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])
    assert len(read(path)) == 20


def test_a_truncated_mp4_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 48, 64), np.uint8)
    assert "cut off before its index" in refused(clips.cut(clips.write_video(tmp_path / "a.mp4", images), 0.6))
    front = clips.write_video(tmp_path / "b.mp4", images, container={"movflags": "faststart"})
    assert "expected 60 frames" in refused(clips.cut(front, 0.6))


def test_a_truncated_mkv_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 48, 64), np.uint8)
    path = clips.write_video(tmp_path / "a.mkv", images, codec="mjpeg", pix_fmt="yuvj420p")
    assert "expected 4.00 s" in refused(clips.cut(path, 0.7))


def test_a_corrupt_packet_is_skipped_counted_and_leaves_its_gap_in_time(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), 50, **AVI)
    position, length = clips.packets_of(path)[7]
    data = bytearray(path.read_bytes())
    data[position + 8 : position + length] = bytes(length - 8)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source)
        assert source.skipped == 1
    assert [frame.index for frame in frames] == [index for index in range(20) if index != 7]
    assert [frame.t_s for frame in frames] == pytest.approx([frame.index / 50 for frame in frames])
    assert [frame.t_s for frame in read(path, fps=10)] == pytest.approx([frame.index / 10 for frame in frames])


def test_a_video_of_which_most_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), **AVI)
    data = bytearray(path.read_bytes())
    for position, length in clips.packets_of(path)[4:]:
        data[position + 8 : position + length] = bytes(length - 8)
    path.write_bytes(data)
    assert "found 16 that cannot and 4 that can" in refused(path)


def with_empty_chunks(path: Path, pattern: list[int]) -> Path:
    """The AVI at `path` with as many empty chunks after each frame as the pattern says, frame by frame and again from
    its start."""
    data = path.read_bytes()
    start, end = data.index(b"movi") + 4, data.rindex(b"idx1")
    chunks, at = b"", start
    count = index = 0
    while at < end:
        length = struct.unpack_from("<I", data, at + 4)[0]
        whole = data[at : at + 8 + length + length % 2]
        empty = pattern[index % len(pattern)]
        chunks += whole + b"00dc\0\0\0\0" * empty
        at, count, index = at + len(whole), count + 1 + empty, index + 1
    head = bytearray(data[:start])
    struct.pack_into("<I", head, head.rindex(b"movi") - 4, len(chunks) + 4)
    struct.pack_into("<I", head, head.index(b"avih") + 8 + 16, count)
    struct.pack_into("<I", head, head.index(b"strh") + 8 + 32, count)
    path.write_bytes(bytes(head) + chunks)
    return path


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
@pytest.mark.parametrize("pattern", [[0, 0, 0, 0, 1], [0, 0, 3, 0], [2, 0, 0], [11]])
def test_empty_chunks_of_an_avi_are_gaps_in_time_and_neither_damage_nor_its_end(
    tmp_path: Path, codec: str, pattern: list[int]
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = with_empty_chunks(clips.write_video(tmp_path / "a.avi", clips.grey_images(20), 50, codec, pix_fmt), pattern)
    with open_source(path) as source:
        frames = list(source)
        assert source.skipped == 0
    places = [index + sum((pattern * 20)[:index]) for index in range(20)]
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.t_s for frame in frames] == pytest.approx([place / 50 for place in places])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"this is a text file, whatever its name says\n" * 50, "a text file"),
        (b"ffconcat version 1.0\nfile secret.mp4\n", "a text file"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n", "a text file"),
        (bytes(range(256)) * 20, "none"),
        (b"RIFF\x00\x10\x00\x00AVI LIST", "none"),
    ],
)
def test_a_file_that_is_only_named_avi_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "a.avi").write_bytes(content)
    assert f"found {found}" in refused(tmp_path / "a.avi")


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    assert "no video stream" in refused(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_a_video_of_one_frame_is_refused(tmp_path: Path, name: str) -> None:
    path = clips.write_video(tmp_path / name, clips.grey_images(1), codec="mpeg4")
    assert "at least 2 frames, found 1" in refused(path)


def test_a_still_image_is_refused(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path, clips.grey_images(1))
    with pytest.raises(SourceFormatError, match="found 1"):
        read(folder / "frame1.png")


def test_a_name_with_a_colon_and_a_percent_sign_is_only_a_name(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(3)).rename(tmp_path / "http:study %03d.mp4")
    assert len(read(path)) == 3
    assert path.is_file()


def test_a_title_that_is_not_utf8_is_no_reason_to_refuse_a_video(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    clips.write_video(path, clips.grey_images(3), **AVI)
    data = path.read_bytes()
    encoder = data.index(b"Lavf")
    path.write_bytes(data[:encoder] + "Jörg".encode("latin-1") + data[encoder + 4 :])
    with pytest.raises(UnicodeDecodeError), av.open(str(path)):
        pass
    assert len(read(path)) == 3


def test_decoding_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.mp4", clips.colour_images(20, 120, 160))
    one, other = (np.stack([frame.image for frame in read(path)]) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_frame_is_its_own_and_does_not_change_while_others_are_read(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), codec="rawvideo", pix_fmt="gray")
    with open_source(path) as source:
        kept = next(source)
        copy = kept.image.copy()
        assert sum(1 for _ in source) == 19
    np.testing.assert_array_equal(kept.image, copy)


def test_a_source_can_be_left_in_the_middle(tmp_path: Path) -> None:
    source = open_source(clips.write_video(tmp_path / "a.avi", clips.grey_images(20), **AVI))
    with source:
        next(source)
    with source:
        assert [frame.index for frame in source] == list(range(20))


def test_a_long_video_needs_the_memory_of_a_few_frames(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = clips.write_video(
        tmp_path / "a.avi", np.broadcast_to(clips.grey_images(1, 120, 160), (2000, 120, 160)), **AVI
    )
    with open_source(path) as source:
        for _ in range(100):
            next(source)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tracemalloc.start()
        try:
            assert sum(1 for _ in source) == 1900
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak < 4e6
    assert (after - before) * 1024 < 30e6  # all frames would be 115 MB


def test_damaged_files_print_nothing(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), codec="mpeg4")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = b"\xaa" * 300
    path.write_bytes(data)
    code = f"from echo_rt.sources import open_source\ntry:\n    with open_source({str(path)!r}) as source: list(source)\nexcept OSError: pass"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
