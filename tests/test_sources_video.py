"""Videos: their clocks, their colours and what reading them costs."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from echo_rt.errors import ParameterError
from echo_rt.sources import open_source
from support import clips
from support.reading import read

AVI = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p"), ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "libx264", "yuv420p"), ("a.mkv", "ffv1", "bgr0"), ("a.mov", "libx264", "yuv444p"),
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
